"""Every AWS resource of the golden files, held against judges that AWS and others publish.

botocore's service models (names, types, enums, ranges, patterns), cfn-lint (CloudFormation's own
schemas and its rules), and parliament (IAM's actions, resources and condition keys).
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.aws_shapes import TYPES, faults
from support.cloudformation import complaints
from support.iam_linter import findings

GOLDEN = Path(__file__).parents[1] / "golden"
TWO_SERVICES_IN_ONE_TEMPLATE = "E3019 "
FUNCTION = "aws:lambda/function:Function"


def _created() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(GOLDEN.glob("*.resources.json")):
        for created in json.loads(file.read_text(encoding="utf-8")):
            if created["type"].startswith("aws:"):
                yield f"{file.name.removesuffix('.resources.json')}: {created['name']}", created


CREATED = dict(_created())


def _of(type_: str) -> dict[str, Any]:
    return copy.deepcopy(next(one for one in CREATED.values() if one["type"] == type_))


def test_every_aws_type_that_a_plan_creates_has_a_call_that_creates_it() -> None:
    assert {created["type"] for created in CREATED.values()} - set(TYPES) == set()


@pytest.mark.parametrize("name", CREATED)
def test_every_property_of_an_aws_resource_has_a_home_in_a_call_that_accepts_it(name: str) -> None:
    assert faults(CREATED[name]["type"], CREATED[name]["inputs"]) == []


def test_cfn_lint_has_nothing_to_say_of_what_the_plans_create() -> None:
    regions = {created["inputs"].get("region", "us-east-1") for created in CREATED.values()}
    found = complaints(CREATED.values(), sorted(regions))
    assert [text for text in found if not text.startswith(TWO_SERVICES_IN_ONE_TEMPLATE)] == []


MISTAKES: dict[str, tuple[str, dict[str, Any]]] = {
    "Timeout: 0 is below 1": (FUNCTION, {"timeout": 0}),
    "MemorySize: 64 is below 128": (FUNCTION, {"memorySize": 64}),
    "Architectures[0]: 'arm' is not one of x86_64, arm64": (FUNCTION, {"architectures": ["arm"]}),
    "timeoutSeconds: no home in lambda.CreateFunction, lambda.PutFunctionConcurrency": (
        FUNCTION,
        {"timeoutSeconds": 30},
    ),
    "Environment.Variables.1ST: '1ST' does not match [a-zA-Z]([a-zA-Z0-9_])+": (
        FUNCTION,
        {"environment": {"variables": {"1ST": "x"}}},
    ),
    "InvokeMode: 'STREAM' is not one of BUFFERED, RESPONSE_STREAM": (
        "aws:lambda/functionUrl:FunctionUrl",
        {"invokeMode": "STREAM"},
    ),
    "retentionInDays: '30' is no integer": (
        "aws:cloudwatch/logGroup:LogGroup",
        {"retentionInDays": "30"},
    ),
}


@pytest.mark.parametrize("fault", MISTAKES)
def test_the_service_models_refuse_what_aws_would_refuse(fault: str) -> None:
    type_, change = MISTAKES[fault]
    assert faults(type_, _of(type_)["inputs"] | change) == [fault]


def test_cfn_lint_refuses_a_timeout_an_alarm_and_a_retention_that_aws_does_not_know() -> None:
    function = _of(FUNCTION)
    function["inputs"]["timeout"] = 901
    alarm = _of("aws:cloudwatch/metricAlarm:MetricAlarm")
    alarm["inputs"]["comparisonOperator"] = "MoreThan"
    group = _of("aws:cloudwatch/logGroup:LogGroup")
    group["inputs"]["retentionInDays"] = 31
    found = complaints([alarm, function, group], ["eu-west-1"])
    assert [text.split(":")[0].rsplit("/", 1)[-1] for text in found] == [
        "ComparisonOperator",
        "RetentionInDays",
        "Timeout",
    ]


POLICIES = {
    name: created["inputs"]["policy"]
    for name, created in CREATED.items()
    if created["type"] in {"aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy"}
}


@pytest.mark.parametrize("name", POLICIES)
def test_parliament_finds_nothing_in_the_policies_of_a_service(name: str) -> None:
    assert findings(POLICIES[name]) == []


def test_parliament_knows_a_misspelt_action_and_a_key_that_an_action_never_carries() -> None:
    statement = {
        "Effect": "Allow",
        "Action": ["dynamodb:UpdateItems", "dynamodb:UpdateItem"],
        "Resource": ["arn:aws:dynamodb:eu-west-1:123456789012:table/meter"],
        "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
    }
    found = findings(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert [one.partition(":")[0] for one in found] == ["UNKNOWN_ACTION"]
