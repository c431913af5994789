"""IAM decisions, as AWS documents policy evaluation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.sandbox.dataplane.iam import Decision, Request, evaluate, matches

MODEL = "arn:aws:bedrock:eu-west-1::foundation-model/mistral.ministral-3-8b-instruct"
OTHER = "arn:aws:bedrock:us-east-1::foundation-model/mistral.ministral-3-8b-instruct"
INVOKE = Request("bedrock:InvokeModel", MODEL, {"aws:RequestedRegion": "eu-west-1"})


def policy(**statement: Any) -> dict[str, Any]:
    allowed = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": MODEL}
    return {"Version": "2012-10-17", "Statement": [allowed | statement]}


def test_nothing_is_allowed_without_a_statement() -> None:
    assert evaluate([], INVOKE) is Decision.IMPLICIT_DENY


def test_a_statement_allows_its_action_on_its_resource_only() -> None:
    assert evaluate([policy()], INVOKE) is Decision.ALLOWED
    stream = Request("bedrock:InvokeModelWithResponseStream", MODEL)
    assert evaluate([policy()], stream) is Decision.IMPLICIT_DENY
    assert evaluate([policy()], Request("bedrock:InvokeModel", OTHER)) is Decision.IMPLICIT_DENY


@pytest.mark.parametrize(
    "action", ["*", "bedrock:*", "bedrock:Invoke*", "BEDROCK:invokemodel", "bedrock:InvokeMode?"]
)
def test_actions_are_patterns_in_any_case(action: str) -> None:
    assert evaluate([policy(Action=action)], INVOKE) is Decision.ALLOWED


def test_resources_are_patterns_in_their_own_case() -> None:
    assert (
        evaluate([policy(Resource="arn:aws:bedrock:*::foundation-model/*")], INVOKE)
        is Decision.ALLOWED
    )
    assert evaluate([policy(Resource=MODEL.upper())], INVOKE) is Decision.IMPLICIT_DENY


@given(st.permutations([policy(), policy(Effect="Deny"), policy(Action="*", Resource="*")]))
def test_a_denial_wins_in_any_order(policies: list[dict[str, Any]]) -> None:
    assert evaluate(policies, INVOKE) is Decision.EXPLICIT_DENY


def test_not_action_and_not_resource_are_everything_else() -> None:
    except_logs = {"Effect": "Allow", "NotAction": "logs:*", "NotResource": OTHER}
    document = {"Statement": except_logs}
    assert evaluate([document], INVOKE) is Decision.ALLOWED
    assert evaluate([document], Request("logs:PutLogEvents", MODEL)) is Decision.IMPLICIT_DENY
    assert evaluate([document], Request("bedrock:InvokeModel", OTHER)) is Decision.IMPLICIT_DENY


@pytest.mark.parametrize(
    ("condition", "decision"),
    [
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, Decision.ALLOWED),
        ({"StringEquals": {"aws:requestedregion": ["us-east-1", "eu-west-1"]}}, Decision.ALLOWED),
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-2"}}, Decision.IMPLICIT_DENY),
        ({"StringLike": {"aws:RequestedRegion": "eu-*"}}, Decision.ALLOWED),
        ({"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}, Decision.IMPLICIT_DENY),
        ({"StringNotLike": {"aws:RequestedRegion": "us-*"}}, Decision.ALLOWED),
        ({"StringEquals": {"bedrock:InferenceProfileArn": "x"}}, Decision.IMPLICIT_DENY),
        ({"StringEqualsIfExists": {"bedrock:InferenceProfileArn": "x"}}, Decision.ALLOWED),
        ({"Null": {"bedrock:InferenceProfileArn": "true"}}, Decision.ALLOWED),
        ({"Null": {"aws:RequestedRegion": True}}, Decision.IMPLICIT_DENY),
        ({"StringNotEquals": {"bedrock:GuardrailIdentifier": "x"}}, Decision.ALLOWED),
        ({"NumericLessThan": {"aws:RequestedRegion": "3"}}, Decision.IMPLICIT_DENY),
        ({"StringLike": {"aws:RequestedRegion": "${aws:PrincipalTag/region}"}}, Decision.IMPLICIT_DENY),
        (
            {"StringEquals": {"aws:RequestedRegion": "eu-west-1"},
             "Bool": {"aws:SecureTransport": "true"}},
            Decision.IMPLICIT_DENY,
        ),
    ],
)  # fmt: skip
def test_every_condition_must_hold(condition: dict[str, Any], decision: Decision) -> None:
    assert evaluate([policy(Condition=condition)], INVOKE) is decision


def test_a_denial_whose_condition_is_not_known_denies() -> None:
    denial = policy(Effect="Deny", Condition={"DateGreaterThan": {"aws:CurrentTime": "2020"}})
    assert evaluate([policy(), denial], INVOKE) is Decision.EXPLICIT_DENY
    elsewhere = policy(Effect="Deny", Condition={"StringEquals": {"aws:RequestedRegion": "x"}})
    assert evaluate([policy(), elsewhere], INVOKE) is Decision.ALLOWED


def test_for_all_values_wants_every_value_and_for_any_value_one() -> None:
    request = Request("bedrock:InvokeModel", MODEL, {"tags": ["a", "b"]})
    every = policy(Condition={"ForAllValues:StringEquals": {"tags": ["a"]}})
    some = policy(Condition={"ForAnyValue:StringEquals": {"tags": ["a"]}})
    assert evaluate([every], request) is Decision.IMPLICIT_DENY
    assert evaluate([some], request) is Decision.ALLOWED


@given(st.text(alphabet="ab*?.[", max_size=8))
def test_a_pattern_without_wildcards_matches_itself_only(text: str) -> None:
    plain = text.replace("*", "").replace("?", "")
    assert matches(plain, plain)
    assert not matches(plain, plain + "x")
    assert matches(f"{plain}*", plain + "anything\nelse")
