"""Spec and placement to Lambda and Bedrock, without Pulumi."""

import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.errors import Refused
from portway.estimates import estimate_plan
from portway.models import catalogue
from portway.pricing.assume import work_of
from portway.pricing.charges import charges
from portway.pricing.estimate import estimate
from portway.pricing.meter import Tokens
from portway.runtime.meter_settings import read_meter
from portway.targets.lambda_bedrock import TARGET
from portway.targets.lambda_bedrock.guard import token_prices
from portway.targets.lambda_bedrock.prices import token_sku
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
    assert through.condition == {"ArnLike": {"bedrock:InferenceProfileArn": arn}}
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


def budget(**fields: Any) -> dict[str, Any]:
    return {"monthly_usd": 2500, **fields}


def test_tokens_may_cost_the_budget_less_what_all_else_may_cost() -> None:
    plan = planned(
        region="us-east-1", scaling={"min": 0, "max": 1, "concurrency": 1}, residency=None
    )
    others = [one for one in TARGET.meters(plan) if not isinstance(one, Tokens)]
    work = work_of(None, catalogue()["ministral-3-8b"], TARGET.meters(plan))
    rest = estimate(charges(others, work), TARGET.rates()).monthly
    assert rest is not None
    assert plan.meter is not None
    assert plan.meter.micro_usd == (2500 - rest.ceiling) * 1_000_000
    assert f"the {rest.ceiling} that all else may cost" in plan.notes[-1]


def test_the_ceiling_is_the_budget_where_requests_could_cost_more() -> None:
    spec = builders.spec(scaling={"min": 1, "max": 2, "concurrency": 8})
    plan = builders.plan(spec, builders.placement("lambda-bedrock"))
    found = estimate_plan(TARGET, plan, spec, catalogue()[spec.model]).estimate
    assert found.monthly is not None
    assert found.monthly.ceiling == 2500
    assert any("the runtime's meter lets through" in one for one in found.assumptions)


def test_where_all_else_costs_the_budget_already_it_is_said_and_left_to_the_gate() -> None:
    plan = planned(budget={"monthly_usd": 20}, scaling={"min": 0, "max": 2, "concurrency": 8})
    assert plan.meter is not None
    assert plan.meter.micro_usd == 20_000_000
    assert plan.notes[-1].startswith("all but tokens may cost ")
    assert plan.notes[-1].endswith("lower scaling.max or raise budget.monthly_usd")


def test_the_runtime_is_told_what_the_plan_meters() -> None:
    plan = planned(budget=budget(monthly_requests=5000, monthly_tokens=9_000_000))
    assert plan.meter is not None
    told = json.loads(plan.environment_variables["PORTWAY_METER"])
    assert told == {
        "store": {"kind": "dynamodb", "table": "chat-prod-meter", "region": "eu-west-1"},
        "service": "chat-prod",
        "limits": {"requests": 5000, "tokens": 9_000_000, "micro_usd": plan.meter.micro_usd},
        "prices": {
            "input_micro_usd_per_million_tokens": 228_000,
            "output_micro_usd_per_million_tokens": 228_000,
        },
        "away": "refuse",
        "max_output_tokens": 4096,
    }
    faults: list[str] = []
    settings_ = read_meter(plan.environment_variables["PORTWAY_METER"], 4096, faults)
    assert (faults, settings_ is None) == ([], False)


def test_a_meter_that_may_be_passed_by_holds_no_ceiling() -> None:
    scaling = {"min": 1, "max": 2, "concurrency": 8}
    (held,) = tokens_of(planned(scaling=scaling, budget=budget(monthly_requests=7)))
    (loose,) = tokens_of(
        planned(scaling=scaling, budget=budget(monthly_requests=7, when_meter_is_away="allow"))
    )
    assert held.monthly_budget_usd is not None
    assert (held.monthly_requests, held.monthly_tokens) == (7, None)
    assert (loose.monthly_budget_usd, loose.monthly_requests) == (None, None)


def test_a_model_without_a_price_is_metered_by_use_alone() -> None:
    options = {"inference_profile": f"eu.{MODEL}"}
    plan = planned(options=options, budget=budget(monthly_tokens=9))
    assert plan.meter is not None
    assert (plan.meter.tokens, plan.meter.micro_usd, plan.meter.prices) == (9, None, None)
    said = f"no rate is known for tokens of eu.{MODEL}: the runtime cannot hold budget.monthly_usd "
    for unpriced in (plan, planned(options=options)):
        assert any(one.startswith(said) for one in unpriced.notes)
    assert planned(options=options).tables == ()


def test_a_choice_for_a_meter_with_nothing_to_count_is_refused() -> None:
    options = {"inference_profile": f"eu.{MODEL}"}
    assert reasons(options=options, budget=budget(when_meter_is_away="allow")) == [
        f"budget.when_meter_is_away: is allow, and no rate is known for tokens of eu.{MODEL}, so that "
        "there is nothing to meter; add budget.monthly_requests or budget.monthly_tokens, or remove it"
    ]


def test_prices_are_rounded_against_the_user() -> None:
    for model_id in (MODEL, "openai.gpt-oss-20b-1:0"):
        prices = token_prices(model_id, "eu-west-1")
        assert prices is not None
        for direction in ("input", "output"):
            rate = TARGET.rates().find(token_sku(model_id, direction), "eu-west-1")
            assert rate is not None
            told = getattr(prices, f"{direction}_micro_usd_per_million_tokens")
            assert 0 <= told - rate.amount * 1_000_000 < 1


def test_without_addresses_it_is_said_that_nobody_is_told() -> None:
    said = "nobody is told of the spending yet: "
    assert any(one.startswith(said) for one in planned().notes)
    told = planned(budget=budget(alert_emails=["ml@example.com"]))
    assert not any(one.startswith(said) for one in told.notes)
    assert (told.alert_emails, told.guards[0].emails) == (("ml@example.com",),) * 2


def test_names_of_the_guard_fit_the_services_that_keep_them() -> None:
    plan = planned(name="a" * 40)
    place = builders.placement("lambda-bedrock", environment="e" * 70)
    plan = cast("LambdaBedrockPlan", builders.plan(builders.spec(name="a" * 40), place))
    (guard,), (table,) = plan.guards, plan.tables
    assert max(len(guard.stop.policy_name), len(guard.stop.role_name)) <= 64
    assert max(len(guard.name), len(guard.topic), len(table.name)) <= 63
    assert len(guard.tag[1]) <= 63
    sources = [source for trust in guard.publishers for source in trust.sources]
    assert [source.rpartition(":")[2] for source in sources[1:]] == [a.name for a in guard.alarms]


def tokens_of(plan: LambdaBedrockPlan) -> list[Tokens]:
    return [one for one in TARGET.meters(plan) if isinstance(one, Tokens)]


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
