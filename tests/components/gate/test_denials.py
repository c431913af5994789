"""A policy counts as forbidding global profiles only where it holds for everybody and every one."""

from typing import Any

import pytest

from portway.gate.denials import denies_global
from portway.gate.values import UNKNOWN
from portway.residency.boundary import boundary

EU = boundary(["eu"])
REGION, PROFILE, WHO = "aws:RequestedRegion", "bedrock:InferenceProfileArn", "aws:PrincipalArn"
GLOBAL = "arn:aws:bedrock:*:*:inference-profile/global.*"


def deny(condition: Any = None, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Deny", "Action": "bedrock:*", "Resource": "*"} | more
    if condition is not None:
        statement["Condition"] = condition
    return {"Statement": [{k: v for k, v in statement.items() if v is not None}]}


@pytest.mark.parametrize(
    "document",
    [
        deny(),
        deny({"StringEquals": {REGION: "unspecified"}}),
        deny({"StringEquals": {REGION: ["us-east-1", "unspecified"]}}),
        deny({"StringLike": {REGION: "un*"}}),
        deny({"StringEqualsIgnoreCase": {REGION: "unspecified"}}),
        deny({"StringNotEqualsIgnoreCase": {REGION: ["eu-west-1"]}}),
        deny({"ArnEquals": {PROFILE: GLOBAL}}),
        deny({"ArnNotEquals": {PROFILE: "arn:aws:bedrock:*:*:inference-profile/eu.*"}}),
        deny({"StringNotLike": {PROFILE: "*inference-profile/eu.*"}}),
        deny({"StringNotLike": {WHO: "arn:aws:iam::*:role/Emergency"}}),
        deny({"StringNotEquals": {REGION: ["eu-west-1", "eu-central-1"]}}),
        deny({"ArnLike": {PROFILE: GLOBAL}}),
        deny({"StringLike": {PROFILE: "*inference-profile/global.*"}}),
        deny({"ArnNotLike": {PROFILE: ["arn:aws:bedrock:*:*:inference-profile/eu.*"]}, "Null": {PROFILE: "false"}}),
        deny({"StringEquals": {REGION: "unspecified"}, "ArnNotLike": {WHO: "arn:aws:iam::*:role/Emergency"}}),
        deny({"stringequals": {"AWS:requestedregion": "unspecified"}}),
        deny(Action=["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]),
        deny(Action="BEDROCK:invokemodel*"),
        deny(Action=None, NotAction=["iam:*", "sts:*"]),
        deny(Resource=[GLOBAL]),
        deny(Resource="arn:aws:bedrock:::foundation-model/*"),
        {"Statement": deny()["Statement"][0]},
        '{"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}',
    ],
)  # fmt: skip
def test_a_policy_that_forbids_every_global_call(document: Any) -> None:
    assert denies_global(document, EU)


@pytest.mark.parametrize(
    "document",
    [
        None,
        "not a policy",
        "{",
        [],
        {},
        {"Statement": None},
        {"Statement": ["x", 3, UNKNOWN]},
        deny(Effect="Allow"),
        deny(Effect=UNKNOWN),
        deny(Action="bedrock:InvokeModel"),
        deny(Action="bedrock:Get*"),
        deny(Action=UNKNOWN),
        deny(Action=None),
        deny(Action=None, NotAction=["bedrock:*"]),
        deny(Action=None, NotAction=["bedrock:InvokeModelWithResponseStream"]),
        deny(Resource="arn:aws:bedrock:*:*:inference-profile/eu.*"),
        deny(Resource="arn:aws:s3:::*"),
        deny(Resource=None),
        deny(Resource=UNKNOWN),
        deny({"StringEquals": {REGION: "us-east-1"}}),
        deny({"StringNotEquals": {REGION: ["eu-west-1", "us-east-1"]}}),
        deny({"StringNotEquals": {REGION: []}}),
        deny({"StringNotEquals": {REGION: ["eu-west-1", "unspecified"]}}),
        deny({"ArnLike": {PROFILE: "arn:aws:bedrock:*:*:inference-profile/us.*"}}),
        deny({"ArnNotLike": {PROFILE: GLOBAL}}),
        deny({"ArnNotLike": {PROFILE: []}}),
        deny({"Null": {PROFILE: "true"}}),
        deny({"ArnLike": {WHO: "arn:aws:iam::*:role/Intern"}}),
        deny({"StringEquals": {REGION: "unspecified"}, "ArnLike": {WHO: "*"}}),
        deny({"StringEquals": {REGION: "unspecified", "aws:PrincipalOrgID": "o-1"}}),
        deny({"StringEquals": {REGION: UNKNOWN}}),
        deny(UNKNOWN),
        deny({"StringEquals": "unspecified"}),
        deny({"NumericEquals": {REGION: "unspecified"}}),
        deny({"NumericEquals": {REGION: "eu-west-1"}}),
        deny({"StringNotEquals": {"aws:SourceVpc": "eu-west-1"}}),
    ],
)
def test_a_policy_that_leaves_a_way_open_or_cannot_be_read(document: Any) -> None:
    assert not denies_global(document, EU)
