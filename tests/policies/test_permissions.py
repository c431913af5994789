"""What the rule on permissions advises, which no example can show: nothing is refused for it."""

import json
from typing import Any

import pytest

from portway.gate.testing import Given, Judgement, judge, output, resource
from support.packs import POLICIES

RULE = "residency-permissions-are-narrow"
MODEL = {"variables": {"MODEL": "eu.amazon.nova-lite-v1:0"}}
SHARED = "arn:aws:iam::123456789012:role/team/shared"
TRUST = {"Effect": "Allow", "Principal": {"Service": "x.amazonaws.com"}, "Action": "sts:AssumeRole"}


def told(*resources: Given) -> Judgement:
    defaults = {"aws": {"region": "eu-west-1"}}
    return judge(resources, POLICIES / "residency", {"boundary": "eu"}, defaults=defaults)


def advice(*resources: Given) -> list[str]:
    said = told(*resources).of(RULE)
    assert {one.level for one in said} <= {"advisory"}
    return [one.message for one in said]


def policy(action: object, where: object = "*", **more: Any) -> Given:
    statement = {"Effect": "Allow", "Action": action, "Resource": where, **more}
    text = json.dumps({"Statement": [statement]})
    return resource("aws:iam/policy:Policy", "p", {"policy": text})


def function(role: object, environment: object = MODEL) -> Given:
    inputs = {"role": role, "environment": environment}
    return resource("aws:lambda/function:Function", "chat", inputs)


def role(name: str = "shared") -> Given:
    trust = json.dumps({"Statement": [TRUST]})
    return resource("aws:iam/role:Role", "r", {"name": name, "assumeRolePolicy": trust})


@pytest.mark.parametrize("action", ["textract:DetectDocumentText", "COMPREHEND:*", ["polly:*"]])
def test_leave_to_send_texts_everywhere_is_advised_against_once(action: object) -> None:
    (said,) = advice(policy(action))
    assert "may send texts to services in every region (policy.Statement[0].Resource)" in said


@pytest.mark.parametrize("action", ["kms:ReplicateKey", "ec2:Copy*", "rds:CopyDBSnapshot"])
def test_leave_to_copy_everywhere_is_advised_against(action: str) -> None:
    (said,) = advice(policy(action))
    assert "may make copies in every region" in said
    assert "aws:RequestedRegion" in said


def test_the_worst_of_several_is_said_of_one_statement() -> None:
    said = told(policy(["sagemaker:InvokeEndpoint", "textract:*", "kms:*"])).of(RULE)
    assert [one.level for one in said] == ["mandatory"]
    assert "models in every region" in said[0].message


@pytest.mark.parametrize(
    "narrow",
    [
        policy("kms:ReplicateKey", "arn:aws:kms:eu-west-1:123456789012:key/1"),
        policy(
            "kms:ReplicateKey", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
        ),
        policy("kms:Decrypt"),
        policy("s3:GetObject", "arn:aws:s3:::prompts/*"),
    ],
)
def test_narrow_leave_is_not_spoken_of(narrow: Given) -> None:
    assert advice(narrow) == []


def test_a_role_of_elsewhere_is_advised_against_where_a_model_is_called() -> None:
    (said,) = advice(function(SHARED))
    assert "calls models as a role that is not in this stack (role)" in said
    assert "123456789012" not in said


def test_a_role_of_this_stack_by_name_or_by_output_is_not_spoken_of() -> None:
    assert advice(role(), function(SHARED)) == []
    assert advice(role("another"), function(output("r"))) == []
    assert len(advice(role("another"), function(SHARED))) == 1


def test_a_function_that_calls_no_model_may_have_any_role() -> None:
    assert advice(function(SHARED, {"variables": {"TABLE": "chats"}})) == []
