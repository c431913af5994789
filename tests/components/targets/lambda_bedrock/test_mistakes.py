"""Every mistake that a service on Lambda and Bedrock can make, and what of ours keeps it from being made.

``mistakes.json`` beside this is the table: each of sixty rules, and how it is held. What is refused is
held by the reason and its path; what our options cannot express by every resource of every golden case,
and, where it shows, by the stand-in API, which refuses it in Amazon's words.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from portway.bundle import runtime_archive
from portway.errors import Problem
from portway.models import catalogue
from portway.runtime.bedrock_request import converse_arguments
from portway.runtime.errors import WireError
from portway.runtime.upstream import ChatRequest
from portway.runtime.validate_messages import checked_messages
from portway.sandbox.providers import wire
from portway.sandbox.providers.cloud import CloudError
from portway.target import Plan
from portway.targets import lambda_bedrock
from support import builders, golden
from support.mock_engine import Created
from support.plugin import Plugin

HERE = Path(__file__).parent
ROWS: list[dict[str, Any]] = json.loads((HERE / "mistakes.json").read_text("utf-8"))["mistakes"]
RULES = 60
FUNCTION = "aws:lambda/function:Function"
URL = "aws:lambda/functionUrl:FunctionUrl"
CASES = [
    name
    for name in golden.cases()
    if name.endswith("@lambda-bedrock") and (golden.GOLDEN / f"{name}.plan.json").exists()
]
RESERVED = re.compile(r"_.*|AWS_(?!LAMBDA_EXEC_WRAPPER$).*|LAMBDA_.*|TZ|LANG|PATH")
"""Lambda, "Defined runtime environment variables", but for the one that a function may set."""


def rows(by: str) -> list[Any]:
    return [
        pytest.param(row, id=f"{row['rule']}-{number}")
        for number, row in enumerate(ROWS)
        if row["by"] == by
    ]


@cache
def created(case: str) -> tuple[Created, ...]:
    return tuple(golden.deployed(golden.planned(golden.cases()[case])).created)


def everything() -> Iterator[Created]:
    for case in CASES:
        yield from created(case)


def values(holder: Any, path: str) -> Iterator[Any]:
    """Every value that is set at a path."""
    step, _, rest = path.partition(".")
    name = step.removesuffix("[]")
    found: Any = cast("dict[str, Any]", holder).get(name) if isinstance(holder, dict) else None
    for one in (found or []) if step.endswith("[]") else [found]:
        if one is not None and rest:
            yield from values(one, rest)
        elif one is not None:
            yield one


def planned(row: dict[str, Any]) -> Plan | tuple[Problem, ...]:
    where: dict[str, Any] = {"region": row["region"], "settings": {}} if "region" in row else {}
    place = builders.placement("lambda-bedrock", options=row.get("options", {}), **where)
    return builders.outcome(builders.spec(**row.get("spec", {})), place)


def test_each_rule_is_held_in_a_way_that_is_tested() -> None:
    assert {row["rule"] for row in ROWS} == set(range(1, RULES + 1))
    assert {row["by"] for row in ROWS} == {
        "a note", "a reason", "a test", "the API, of what we never send", "the README",
        "the catalogue", "the runtime", "what every stack has", "what no resource has",
        "what no stack has",
    }  # fmt: skip


@pytest.mark.parametrize("row", rows("a reason"))
def test_a_placement_that_makes_it_is_refused(row: dict[str, Any]) -> None:
    found = planned(row)
    assert isinstance(found, tuple), "it was planned"
    assert {problem.path for problem in found} == {row["path"]}
    assert row["says"] in found[0].message


@pytest.mark.parametrize("row", rows("a note"))
def test_what_nobody_can_tell_beforehand_is_noted(row: dict[str, Any]) -> None:
    plan = planned(row)
    assert isinstance(plan, Plan)
    assert any(row["says"] in note for note in plan.notes)


@pytest.mark.parametrize("row", rows("what every stack has"))
def test_every_resource_that_could_make_it_does_not(row: dict[str, Any]) -> None:
    found = [
        value
        for one in everything()
        if one.type == row["type"]
        for value in values(one.inputs, row["path"])
    ]
    assert found, "no golden case has one, so that nothing was looked at"
    wrong = [one for one in found if not re.fullmatch(row["matches"], str(one), re.DOTALL)]
    assert wrong == []


@pytest.mark.parametrize("row", rows("what no resource has"))
def test_no_resource_says_what_would_make_it(row: dict[str, Any]) -> None:
    seen = [one for one in everything() if one.type == row["type"]]
    assert seen
    assert [value for one in seen for value in values(one.inputs, row["path"])] == []


@pytest.mark.parametrize("row", rows("what no stack has"))
def test_no_stack_has_what_could_make_it(row: dict[str, Any]) -> None:
    types = {one.type for one in everything()}
    assert [one for one in types if any(fnmatchcase(one, glob) for glob in row["types"])] == []


@pytest.mark.parametrize("row", rows("a test"))
def test_the_test_that_holds_it_is_there(row: dict[str, Any]) -> None:
    assert f"\ndef {row['test']}(" in (HERE / row["file"]).read_text("utf-8")


@pytest.mark.parametrize("row", rows("the README"))
def test_what_only_people_can_do_is_told(row: dict[str, Any]) -> None:
    text = (Path(lambda_bedrock.__file__).parent / "README.md").read_text("utf-8")
    assert row["says"] in " ".join(text.split())


@pytest.mark.parametrize("row", rows("the catalogue"))
def test_no_model_of_the_catalogue_makes_it(row: dict[str, Any]) -> None:
    offered = [one.bedrock.model_id for one in catalogue().values() if one.bedrock]
    assert offered
    assert [one for one in offered if one.startswith(f"{row['vendor']}.")] == []


@pytest.mark.parametrize("row", rows("the runtime"))
def test_a_request_that_makes_it_is_mended_or_refused(row: dict[str, Any]) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], **row["body"]}
    request = ChatRequest(
        body=body,
        messages=checked_messages(body["messages"]),
        stream=False,
        include_usage=False,
        max_tokens=None,
        default_max_tokens=50,
        request_id="r",
    )
    if "says" in row:
        with pytest.raises(WireError, match=row["says"]):
            converse_arguments(request, "m.m")
        return
    found: Any = converse_arguments(request, "m.m")
    for step in row["argument"].split("."):
        found = found[int(step)] if step.isdigit() else found[step]
    assert found == row["equals"]


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


@pytest.fixture
def amazon(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, "aws", {"region": "eu-west-1"})


def code(folder: Path) -> dict[str, Any]:
    path = folder / "code.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("h.py", "")
    return {wire.SIGNATURE: wire.ARCHIVE, "path": str(path), "hash": "0"}


def edge(amazon: Plugin) -> dict[str, dict[str, Any]]:
    """A REST API before a function in the stand-in AWS; what it admits of each type that rows change."""
    role = amazon.create("iam/role:Role", "r", {"name": "r", "assumeRolePolicy": TRUST})
    function = {
        "name": "chat-prod", "role": role.outputs["arn"], "runtime": "python3.13",
        "handler": "h.h", "code": code(amazon.root),
    }  # fmt: skip
    arn = amazon.create("lambda/function:Function", "f", function).outputs["arn"]
    api = amazon.create("apigateway/restApi:RestApi", "a", {"name": "a"})
    every = amazon.create(
        "apigateway/resource:Resource", "e",
        {"restApi": api.id, "parentId": api.outputs["rootResourceId"], "pathPart": "{proxy+}"},
    )  # fmt: skip
    about = {"restApi": api.id, "resourceId": every.id, "httpMethod": "ANY"}
    amazon.create("apigateway/method:Method", "m", {**about, "authorization": "NONE"})
    integration = {
        **about, "integrationHttpMethod": "POST", "type": "AWS_PROXY",
        "responseTransferMode": "STREAM", "timeoutMilliseconds": 250_000,
        "uri": "arn:aws:apigateway:eu-west-1:lambda:path/2021-11-15/functions/"
        f"{arn}/response-streaming-invocations",
    }  # fmt: skip
    amazon.create("apigateway/integration:Integration", "i", integration)
    shown = amazon.create("apigateway/deployment:Deployment", "d", {"restApi": api.id})
    stage = {"restApi": api.id, "deployment": shown.id, "stageName": "live"}
    made = amazon.create("apigateway/stage:Stage", "s", stage)
    seen = {"cloudwatchMetricsEnabled": True, "metricName": "m", "sampledRequestsEnabled": False}
    acl = amazon.create(
        "wafv2/webAcl:WebAcl", "w",
        {"name": "w", "scope": "REGIONAL", "defaultAction": {"allow": {}}, "visibilityConfig": seen},
    )  # fmt: skip
    wall = {"resourceArn": made.outputs["arn"], "webAclArn": acl.outputs["arn"]}
    amazon.create("wafv2/webAclAssociation:WebAclAssociation", "x", wall)
    return {
        "aws:apigateway/integration:Integration": integration,
        "aws:apigateway/stage:Stage": stage,
        "aws:wafv2/webAclAssociation:WebAclAssociation": wall,
    }


@pytest.mark.parametrize("row", rows("the API, of what we never send"))
def test_what_we_never_send_would_be_refused_in_these_words(
    row: dict[str, Any], amazon: Plugin
) -> None:
    admitted = edge(amazon)[row["type"]]
    with pytest.raises(CloudError, match=re.escape(row["says"])):
        amazon.create(row["type"].removeprefix("aws:"), "again", {**admitted, **row["change"]})


def functions() -> list[Created]:
    return [one for one in everything() if one.type == FUNCTION]


def test_the_package_is_far_below_what_lambda_unpacks() -> None:
    with zipfile.ZipFile(runtime_archive().path) as archive:
        assert sum(entry.file_size for entry in archive.infolist()) < 262_144_000 // 100


def test_no_variable_is_one_that_lambda_keeps_for_itself() -> None:
    told = [name for one in functions() for name in one.inputs["environment"]["variables"]]
    assert [name for name in told if RESERVED.fullmatch(name)] == []
    assert [name for name in told if not re.fullmatch(r"[a-zA-Z]([a-zA-Z0-9_])+", name)] == []


def test_variables_fit_into_what_lambda_takes() -> None:
    for one in functions():
        told: dict[str, str] = one.inputs["environment"]["variables"]
        assert sum(len(f"{name}{value}".encode()) for name, value in told.items()) < 4096


@pytest.mark.parametrize("case", CASES)
def test_what_everybody_may_call_checks_keys(case: str) -> None:
    kinds = {"aws:apigateway/method:Method": "authorization", URL: "authorizationType"}
    (how,) = [one.inputs[kinds[one.type]] for one in created(case) if one.type in kinds]
    (function,) = [one for one in created(case) if one.type == FUNCTION]
    told = function.inputs["environment"]["variables"]
    assert (how == "NONE") == ("PORTWAY_API_KEYS_SECRET" in told)


def test_an_api_is_let_in_by_its_own_arn_only() -> None:
    let_in = [
        one.inputs for one in everything()
        if one.type == "aws:lambda/permission:Permission"
        and one.inputs["principal"] == "apigateway.amazonaws.com"
    ]  # fmt: skip
    assert let_in
    for one in let_in:
        assert re.fullmatch(r"arn:aws:execute-api:eu-west-1:\d{12}:\w+/\*/\*", one["sourceArn"])


@pytest.mark.parametrize("case", CASES)
def test_the_api_waits_as_long_as_the_function_works(case: str) -> None:
    (function,) = [one for one in created(case) if one.type == FUNCTION]
    for one in created(case):
        if one.type == "aws:apigateway/integration:Integration":
            assert one.inputs["timeoutMilliseconds"] == function.inputs["timeout"] * 1000


def test_no_call_is_allowed_without_the_guardrail_that_was_chosen() -> None:
    texts = [
        one.inputs["policy"] for one in created("every-option@lambda-bedrock")
        if one.name == "chat-policy"
    ]  # fmt: skip
    statements: list[dict[str, Any]] = json.loads(texts[0])["Statement"]
    calling = [one for one in statements if "bedrock:InvokeModel" in one["Action"]]
    wanted = "arn:aws:bedrock:eu-west-1:*:guardrail/gr1a2b3c4d5e:3"
    assert len(calling) == 2
    for one in calling:
        assert one["Condition"]["StringLike"]["bedrock:GuardrailIdentifier"] == wanted
    (applied,) = [one for one in statements if one["Action"] == ["bedrock:ApplyGuardrail"]]
    assert applied["Resource"] == ["arn:aws:bedrock:eu-west-1:*:guardrail/gr1a2b3c4d5e"]
