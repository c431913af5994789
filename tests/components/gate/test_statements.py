"""What the statements of a policy document allow, whatever form they are written in."""

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.gate.statements import Grant, fenced, grants, is_policy, statements
from portway.gate.values import UNKNOWN
from portway.residency.boundary import boundary

EU = boundary(["eu"])
MODEL = "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"
PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0"


def policy(*said: object) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(said)}


def allow(action: object = "bedrock:InvokeModel", resource: object = "*", **more: Any) -> Any:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(condition: object, action: object = "bedrock:*", resource: object = "*") -> Any:
    return {"Effect": "Deny", "Action": action, "Resource": resource, "Condition": condition}


def held(*regions: object, operator: str = "StringEquals", key: str = "aws:RequestedRegion") -> Any:
    return {operator: {key: list(regions)}}


ALL = [Grant("Statement[0].Resource", "*")]


@pytest.mark.parametrize(
    "action",
    [
        "bedrock:InvokeModel",
        "BEDROCK:invokemodel",
        "bedrock:Invoke*",
        "bedrock:*",
        "bedrock:?nvokeModel",
        "*",
        "bed*:Converse*",
        ["s3:GetObject", "bedrock:InvokeModelWithResponseStream"],
        "bedrock-mantle:CreateInference",
    ],
)
def test_an_action_is_read_in_every_form(action: object) -> None:
    assert list(grants(policy(allow(action)), EU)) == ALL
    assert list(grants(json.dumps({"Statement": allow(action)}), EU)) == ALL


@pytest.mark.parametrize("action", ["s3:GetObject", "bedrock:List*", "bedrock", [], "sagemaker:*"])
def test_other_actions_grant_no_inference(action: object) -> None:
    assert list(grants(policy(allow(action or "none:none")), EU)) == []


@pytest.mark.parametrize(
    ("excluded", "expected"),
    [
        ("s3:*", ALL),
        (["bedrock:*"], ALL),
        (["bedrock:*", "bedrock-mantle:*"], []),
        ("*", []),
    ],
)
def test_all_actions_but_some_are_the_others(excluded: object, expected: list[Grant]) -> None:
    said = {"Effect": "Allow", "NotAction": excluded, "Resource": "*"}
    assert list(grants(policy(said), EU)) == expected


def test_each_resource_is_a_grant_of_its_own_and_none_means_nearly_all() -> None:
    both = list(grants(policy(allow(resource=[MODEL, PROFILE])), EU))
    assert [one.resource for one in both] == [MODEL, PROFILE]
    rest = {"Effect": "Allow", "Action": "bedrock:*", "NotResource": MODEL}
    assert list(grants(policy(rest), EU)) == [Grant("Statement[0].NotResource", None)]


def test_names_of_parts_are_read_in_any_case() -> None:
    said = {"statement": {"EFFECT": "Allow", "action": "bedrock:*", "RESOURCE": "*"}}
    assert is_policy(said)
    assert list(grants(said, EU)) == ALL


@pytest.mark.parametrize("effect", ["Deny", "deny", " DENY".strip()])
def test_a_denial_grants_nothing(effect: str) -> None:
    assert list(grants(policy(allow() | {"Effect": effect}), EU)) == []


@pytest.mark.parametrize(
    "condition",
    [
        held("eu-west-1"),
        held("eu-west-1", "EU-CENTRAL-1", operator="StringEqualsIgnoreCase"),
        held("eu-west-1", key="AWS:requestedregion"),
        {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
        {"Bool": {"aws:SecureTransport": "true"}} | held("eu-west-1"),
        held(PROFILE, operator="StringLike", key="bedrock:InferenceProfileArn"),
        held(PROFILE, operator="ArnLike", key="bedrock:InferenceProfileArn"),
    ],
)
def test_a_condition_that_holds_a_statement_inside_leaves_no_grant(condition: object) -> None:
    assert list(grants(policy(allow(Condition=condition)), EU)) == []


@pytest.mark.parametrize(
    "condition",
    [
        held("eu-west-1", "us-east-1"),
        held("eu-west-1", "unspecified"),
        held("eu-*", operator="StringLike"),
        held("eu-west-1", operator="StringNotEquals"),
        held("eu-west-1", operator="StringEqualsIfExists"),
        held("eu-west-1", operator="ForAllValues:StringEquals"),
        held("eu-west-1", key="aws:SourceRegion"),
        held(),
        held(UNKNOWN),
        UNKNOWN,
        "eu-west-1",
        {"StringEquals": UNKNOWN},
        {"StringEquals": "eu-west-1"},
        held(
            PROFILE.replace("eu-west-1", "eu-west-2"),
            operator="ArnLike",
            key="bedrock:InferenceProfileArn",
        ),
        held(
            PROFILE.replace("eu.amazon", "global.amazon"),
            operator="ArnLike",
            key="bedrock:InferenceProfileArn",
        ),
        held("*", operator="StringLike", key="bedrock:InferenceProfileArn"),
        held(PROFILE, operator="ArnNotLike", key="bedrock:InferenceProfileArn"),
    ],
)
def test_every_other_condition_leaves_the_grant(condition: object) -> None:
    assert list(grants(policy(allow(Condition=condition)), EU)) == ALL


def test_a_denial_of_every_region_outside_holds_the_whole_document() -> None:
    fence = deny(held("eu-west-1", "eu-north-1", operator="StringNotEquals"), ["bedrock*:*"])
    assert list(grants(policy(allow(["bedrock:*"]), fence), EU)) == []
    assert list(grants(policy(fence, allow("*")), EU)) == []
    all_but = {**fence, "NotAction": ["iam:*", "sts:*"]}
    del all_but["Action"]
    assert list(grants(policy(allow("*"), all_but), EU)) == []


@pytest.mark.parametrize(
    "fence",
    [
        deny(held("eu-west-1", "us-east-1", operator="StringNotEquals")),
        deny(held("eu-west-1", operator="StringEquals")),
        deny(held("eu-west-1", operator="StringNotEquals"), "bedrock:InvokeAgent"),
        deny(held("eu-west-1", operator="StringNotEquals"), resource=MODEL),
        deny(held("eu-west-1", operator="StringNotEquals") | {"Bool": {"aws:ViaAWSService": "no"}}),
        deny({"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1"], "aws:username": "root"}}),
        deny(held(UNKNOWN, operator="StringNotEquals")),
        deny(held("eu-west-1", operator="StringNotEquals"), UNKNOWN),
        deny(held("eu-west-1", operator="StringNotEquals"), ["bedrock:*", UNKNOWN]),
        deny(UNKNOWN),
        {
            **deny(held("eu-west-1", operator="StringNotEquals")),
            "Effect": "Allow",
            "Action": "s3:*",
        },
    ],
)
def test_a_denial_that_lets_something_by_holds_nothing(fence: object) -> None:
    found = list(grants(policy(allow("bedrock:*"), fence), EU))
    assert ALL[0] in found


def test_a_fence_denies_what_it_says_and_nothing_else() -> None:
    fence = deny(held("eu-west-1", operator="StringNotEquals"), "sqs:Send*")
    assert fenced(policy(fence), EU, ("sqs:sendmessage", "sqs:purgequeue")) == {"sqs:sendmessage"}
    assert fenced("no policy", EU, ("sqs:sendmessage",)) == frozenset()


def test_what_is_unknown_in_a_statement_may_be_inference() -> None:
    assert list(grants({"Statement": UNKNOWN}, EU)) == [Grant("Statement[0]", None, is_known=False)]
    assert list(grants(policy(UNKNOWN), EU)) == [Grant("Statement[0]", None, is_known=False)]
    assert list(grants(policy(allow(UNKNOWN)), EU)) == ALL
    assert list(grants(policy(allow(["s3:*", UNKNOWN])), EU)) == ALL
    unknown = [Grant("Statement[0].Resource", None, is_known=False)]
    assert list(grants(policy(allow(resource=UNKNOWN)), EU)) == unknown
    assert list(grants(policy(allow(resource=[MODEL, UNKNOWN])), EU)) == [
        Grant("Statement[0].Resource", MODEL),
        *unknown,
    ]


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"aws": ["arn:aws:iam::1:root", "*"]}, True),
        ({"AWS": "arn:aws:iam::1:root"}, False),
        ({"Service": "lambda.amazonaws.com"}, False),
        ({"Federated": "*"}, False),
        (None, False),
    ],
)
def test_everybody_is_told_from_somebody(principal: object, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    (one,) = statements(policy(allow(Principal=principal)))
    assert one.is_for_everybody is expected


@pytest.mark.parametrize("text", ["", "{", "[1]", "not a policy", 7, None, {"Id": "x"}, UNKNOWN])
def test_what_is_no_policy_has_no_statements(text: object) -> None:
    assert not is_policy(text)
    assert list(statements(text)) == []
    assert list(grants(text, EU)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(UNKNOWN),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Statement", "Effect", "Action", "NotAction", "Resource", "Condition"])
            | st.sampled_from(["StringEquals", "aws:RequestedRegion", "Principal", "AWS"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_document_whatever_it_holds_raises(tree: object) -> None:
    for value in (tree, {"Statement": tree}, {"Statement": [{"Action": "*", "Condition": tree}]}):
        list(grants(value, EU))
        fenced(value, EU, ("a:b",))
        for one in statements(value):
            assert one.is_for_everybody in (True, False)


@given(JSON)
def test_another_statement_that_allows_never_hides_a_grant(tree: Any) -> None:
    extra = cast("object", {**tree, "Effect": "Allow"} if isinstance(tree, dict) else tree)
    assert ALL[0] in list(grants(policy(allow("bedrock:*"), extra), EU))
