"""The Lambda and Bedrock component against the mock engine: what no plan can say."""

import json
from typing import Any, cast

import botocore.session
import pytest
from botocore.validate import ParamValidator

from support import builders, golden
from support.mock_engine import Run

FUNCTION = "aws:lambda/function:Function"
URL = "aws:lambda/functionUrl:FunctionUrl"
PERMISSION = "aws:lambda/permission:Permission"


def run(**spec: Any) -> Run[Any]:
    options, settings = spec.pop("options", {}), spec.pop("settings", {"aws:region": "eu-west-1"})
    place = builders.placement("lambda-bedrock", options=options, settings=settings)
    return golden.deployed(builders.plan(builders.spec(**spec), place))


def test_a_function_waits_for_its_log_group_policy_and_keys() -> None:
    assert set(run().one(FUNCTION).depends_on) == {
        "chat-logs", "chat-policy", "chat-keys", "chat-role",
    }  # fmt: skip


def test_a_url_is_open_only_with_both_permissions() -> None:
    made = run()
    conditions = {
        item.inputs["action"]: (
            item.inputs.get("functionUrlAuthType"), item.inputs.get("invokedViaFunctionUrl"),
        )
        for item in made.of(PERMISSION)
    }  # fmt: skip
    assert conditions == {
        "lambda:InvokeFunctionUrl": ("NONE", None),
        "lambda:InvokeFunction": (None, True),
    }


def test_url_and_permissions_carry_the_same_alias() -> None:
    made = run(scaling={"min": 1, "max": 2, "concurrency": 1})
    assert made.one(URL).inputs["qualifier"] == "live"
    assert {item.inputs["qualifier"] for item in made.of(PERMISSION)} == {"live"}
    assert "chat-alias" in made.one(URL).depends_on


def test_answers_stream() -> None:
    assert run().one(URL).inputs["invokeMode"] == "RESPONSE_STREAM"


def test_everything_is_in_the_placement_s_region() -> None:
    made = run()
    places = {
        item.inputs["region"]
        for item in made.created
        if item.type.startswith("aws:") and not item.type.startswith("aws:iam/")
    }
    assert places == {"eu-west-1"}


def test_without_a_configured_region_a_provider_of_the_region_is_used() -> None:
    made = run(settings={})
    assert made.one("pulumi:providers:aws").inputs["region"] == "eu-west-1"
    used = {item.provider for item in made.created if item.type.startswith("aws:")}
    assert used == {"chat-aws"}


def test_only_lambda_may_assume_the_role() -> None:
    trust = json.loads(run().one("aws:iam/role:Role").inputs["assumeRolePolicy"])
    assert [each["Principal"] for each in trust["Statement"]] == [
        {"Service": "lambda.amazonaws.com"}
    ]


@pytest.mark.parametrize("spec", [{}, {"scaling": {"min": 1, "max": 2, "concurrency": 1}}])
def test_lambda_s_own_service_model_accepts_the_function(spec: dict[str, Any]) -> None:
    inputs = run(**spec).one(FUNCTION).inputs
    call: dict[str, Any] = {
        "FunctionName": inputs["name"],
        "Description": inputs["description"],
        "Role": inputs["role"],
        "PackageType": inputs["packageType"],
        "Code": {"ZipFile": b"zip"},
        "Runtime": inputs["runtime"],
        "Handler": inputs["handler"],
        "Architectures": inputs["architectures"],
        "MemorySize": inputs["memorySize"],
        "Timeout": inputs["timeout"],
        "Publish": inputs["publish"],
        "Environment": {"Variables": inputs["environment"]["variables"]},
        "LoggingConfig": {
            "LogFormat": inputs["loggingConfig"]["logFormat"],
            "LogGroup": inputs["loggingConfig"]["logGroup"],
        },
        "Tags": inputs["tags"],
    }
    service = cast("Any", botocore.session).get_session().get_service_model("lambda")
    shape = service.operation_model("CreateFunction").input_shape
    report = cast("Any", ParamValidator()).validate(call, shape)
    assert not report.has_errors(), report.generate_report()
    assert call["Runtime"] in shape.members["Runtime"].enum
    assert call["Architectures"][0] in shape.members["Architectures"].member.enum
