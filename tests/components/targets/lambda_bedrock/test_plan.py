"""Spec and placement to Lambda and Bedrock, without Pulumi."""

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.errors import Refused
from portway.models import catalogue
from portway.targets.lambda_bedrock import TARGET
from portway.targets.lambda_bedrock.refusals import regions
from portway.targets.lambda_bedrock.shapes import LambdaBedrockPlan
from support import builders

MODEL = "mistral.ministral-3-8b-instruct"


def planned(*, options: dict[str, Any] | None = None, region: str = "eu-west-1",
            settings_: dict[str, str] | None = None, **spec: Any) -> LambdaBedrockPlan:  # fmt: skip
    place = builders.placement(
        "lambda-bedrock", options=options or {}, region=region, settings=settings_ or {}
    )
    return cast("LambdaBedrockPlan", builders.plan(builders.spec(**spec), place))


def reasons(**given_: Any) -> list[str]:
    with pytest.raises(Refused) as refused:
        planned(**given_)
    return [str(problem) for problem in refused.value.problems]


def test_maximum_times_concurrency_is_reserved() -> None:
    plan = planned(scaling={"min": 0, "max": 9, "concurrency": 100})
    assert plan.reserved_concurrency == 900
    assert plan.environment_variables["PORTWAY_CONCURRENCY"] == "1"


def test_more_than_an_account_may_reserve_is_refused() -> None:
    assert reasons(scaling={"min": 0, "max": 7, "concurrency": 129}) == [
        "scaling.max: 7 times concurrency 129 reserves 903 concurrent executions; an account has "
        "1000 in a region and must leave 100 unreserved, keep the product at 900 or below"
    ]


def test_a_warm_minimum_is_provisioned_on_an_alias_that_the_url_calls() -> None:
    plan = planned(scaling={"min": 2, "max": 3, "concurrency": 4})
    assert [(alias.name, alias.provisioned) for alias in plan.aliases] == [("live", 8)]
    assert (plan.publish, plan.qualifier) == (True, "live")


def test_without_a_minimum_nothing_is_published() -> None:
    plan = planned()
    assert (plan.publish, plan.qualifier, plan.aliases) == (False, None, ())


def test_the_role_may_call_this_model_in_this_region_and_no_other() -> None:
    invoke = planned().statements[0]
    assert invoke.resources == (f"arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}",)
    assert invoke.actions == ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")


def test_no_statement_allows_everything() -> None:
    for profile in (None, f"eu.{MODEL}", f"us.{MODEL}", f"global.{MODEL}"):
        plan = planned(options={"inference_profile": profile} if profile else {})
        for statement in plan.statements:
            assert all("*" not in action for action in statement.actions)
            assert all(resource.startswith("arn:aws:") for resource in statement.resources)


def test_a_profile_needs_itself_and_every_destination_through_it_only() -> None:
    profile = f"eu.{MODEL}"
    by_profile, through = planned(options={"inference_profile": profile}).statements[:2]
    arn = f"arn:aws:bedrock:eu-west-1:*:inference-profile/{profile}"
    assert by_profile.resources == (arn,)
    assert through.condition == {"StringLike": {"bedrock:InferenceProfileArn": arn}}
    assert f"arn:aws:bedrock:eu-central-1::foundation-model/{MODEL}" in through.resources
    assert all(":us-" not in resource for resource in through.resources)


def test_a_global_profile_also_needs_the_model_without_a_region() -> None:
    plan = planned(options={"inference_profile": f"global.{MODEL}"})
    assert f"arn:aws:bedrock:::foundation-model/{MODEL}" in plan.statements[1].resources


def test_a_profile_whose_destinations_nobody_knows_is_noted() -> None:
    plan = planned(options={"inference_profile": f"us.{MODEL}"})
    assert plan.notes[0] == (
        f"us.{MODEL} is not known to be offered in eu-west-1: its destinations cannot be told, so "
        "that the policy allows the model in every region through this profile only"
    )


def test_without_a_configured_region_the_component_brings_a_provider() -> None:
    assert planned(settings_={}).make_provider
    assert not planned(settings_={"aws:region": "eu-west-1"}).make_provider


def test_another_configured_region_is_refused() -> None:
    assert reasons(settings_={"aws:region": "us-east-1"}) == [
        "aws:region: is 'us-east-1' and placement.region is 'eu-west-1'; make them equal, or remove "
        "aws:region"
    ]


def test_a_model_reached_only_through_a_profile_is_refused_with_the_profile() -> None:
    assert reasons(model="llama-3.1-8b", region="us-east-1") == [
        "placement.region: Bedrock serves llama-3.1-8b in 'us-east-1' only through an inference "
        "profile; set options.inference_profile to us.meta.llama3-1-8b-instruct-v1:0"
    ]


def test_a_region_known_from_launch_notes_only_is_planned_and_noted() -> None:
    notes = planned(region="eu-south-1").notes
    assert notes[0] == f"{MODEL} in eu-south-1 is known from launch notes only, not from a listing"


def test_identity_says_what_bedrock_does_not_publish() -> None:
    assert planned().model_identity.startswith(
        "mistralai/Ministral-3-8B-Instruct-2512@unpublished#unpublished"
    )


names = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)


asked = st.fixed_dictionaries(
    {
        "name": names,
        "environment": st.text("abcdefghijklmnop-0123", min_size=1, max_size=70),
        "model": st.sampled_from(sorted(catalogue())),
        "region": st.sampled_from([*sorted(regions()), "europe-west4", ""]),
        "min": st.integers(0, 3),
        "max": st.integers(3, 1000),
        "concurrency": st.integers(1, 60),
        "timeout": st.integers(1, 3600),
        "auth": st.sampled_from(["api-key", "iam"]),
        "options": st.dictionaries(
            st.sampled_from([*TARGET.options.model_fields, "colour"]),
            st.one_of(
                st.integers(-1, 20000), st.none(),
                st.sampled_from(["arm64", f"eu.{MODEL}", "x" * 128]),
                st.just(["arn:aws:iam::123456789012:role/app"]),
            ),
            max_size=3,
        ),
    }
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(given_=asked)
def test_any_input_is_planned_within_the_limits_or_refused_with_reasons(
    given_: dict[str, Any],
) -> None:
    scaling = {key: given_[key] for key in ("min", "max", "concurrency")}
    outcome = builders.outcome(
        builders.spec(
            name=given_["name"], model=given_["model"], timeout_seconds=given_["timeout"],
            scaling=scaling, access={"auth": given_["auth"], "reach": "public"},
        ),
        builders.placement(
            "lambda-bedrock", environment=given_["environment"], region=given_["region"],
            options=given_["options"], settings={},
        ),
    )  # fmt: skip
    if isinstance(outcome, tuple):
        assert outcome
        assert all(problem.path and problem.message for problem in outcome)
        return
    assert isinstance(outcome, LambdaBedrockPlan)
    assert LambdaBedrockPlan.model_validate_json(outcome.model_dump_json()) == outcome
    assert max(len(outcome.function_name), len(outcome.role_name)) <= 64
    assert outcome.reserved_concurrency == given_["max"] * given_["concurrency"] <= 900
    assert outcome.timeout_seconds <= 900
    variables = outcome.environment_variables.items()
    assert sum(len(name) + len(value) for name, value in variables) <= 4096
    assert sum(len(each.model_dump_json()) for each in outcome.statements) <= 10_240
