"""What guards the budget of a service on Cloud Run: counted, watched, told, and what cannot be."""

import json
from decimal import Decimal
from typing import Any

import pytest

from portway.target import MeterPlan
from portway.targets.cloud_run.guards import THRESHOLDS
from portway.targets.cloud_run.shapes import CloudRunPlan, MeterStore, SpendBudget
from support import builders

ACCOUNT = "01AB23-45CD67-89EF01"
NO_BUDGET = (
    "no Cloud Billing budget is created, so that nobody is told of spending: its account is not "
    "known; name placement.options.billing_account"
)


def planned(budget: dict[str, Any], **options: Any) -> CloudRunPlan:
    place = builders.placement("cloud-run", options=options)
    scaling = {"min": 0, "max": 3, "concurrency": 8}
    plan = builders.plan(
        builders.spec(scaling=scaling, budget={"monthly_usd": 900, **budget}), place
    )
    assert isinstance(plan, CloudRunPlan)
    return plan


def refused(budget: dict[str, Any] | None, **options: Any) -> list[str]:
    place = builders.placement("cloud-run", options=options)
    given = None if budget is None else {"monthly_usd": 900, **budget}
    found = builders.outcome(builders.spec(budget=given), place)
    assert isinstance(found, tuple), "it was planned"
    return [problem.path for problem in found]


def test_a_limit_of_use_is_counted_in_a_database_of_the_services_own_region() -> None:
    plan = planned({"monthly_requests": 100, "when_meter_is_away": "allow"})
    assert plan.meter == MeterPlan(requests=100, away="allow")
    assert plan.meter_stores == (
        MeterStore(
            database="chat-prod-meter",
            location="europe-west4",
            condition='resource.name == "projects/acme-inference/databases/chat-prod-meter"',
            expiring=("meters", "meters-open"),
            expiry="expires",
        ),
    )
    assert json.loads(plan.containers[0].env["PORTWAY_METER"]) == {
        "store": {
            "kind": "firestore",
            "project": "acme-inference",
            "database": "chat-prod-meter",
            "collection": "meters",
        },
        "service": "chat-prod",
        "limits": {"requests": 100},
        "away": "allow",
        "max_output_tokens": 4096,
    }
    assert "PORTWAY_METER" not in plan.containers[1].env


def test_money_alone_is_not_counted_by_the_runtime() -> None:
    plan = planned({})
    assert (plan.meter, plan.meter_stores) == (None, ())
    assert "PORTWAY_METER" not in plan.containers[0].env


@pytest.mark.parametrize(
    ("usd", "units", "nanos"),
    [("900", "900", 0), ("0.01", "0", 10_000_000), ("2500.50", "2500", 500_000_000)],
)
def test_a_budget_is_the_declared_amount_to_the_cent(usd: str, units: str, nanos: int) -> None:
    plan = planned({"monthly_usd": usd}, billing_account=ACCOUNT)
    assert plan.budgets == (
        SpendBudget(
            billing_account=ACCOUNT,
            display_name="chat-prod",
            units=units,
            nanos=nanos,
            service_label=plan.labels["service"],
            thresholds=THRESHOLDS,
        ),
    )
    assert Decimal(units) + Decimal(nanos).scaleb(-9) == Decimal(usd)


def test_half_nine_tenths_and_all_of_it_are_told_and_what_is_forecast() -> None:
    assert [(one.share, one.basis) for one in THRESHOLDS] == [
        (0.5, "CURRENT_SPEND"), (0.9, "CURRENT_SPEND"), (1.0, "CURRENT_SPEND"),
        (1.0, "FORECASTED_SPEND"),
    ]  # fmt: skip


def test_without_an_account_the_plan_says_that_nobody_watches_the_spending() -> None:
    assert NO_BUDGET in planned({}).notes
    assert NO_BUDGET not in planned({}, billing_account=ACCOUNT).notes


def test_whoever_is_named_hears_of_failures_and_of_half_an_hour_at_the_maximum() -> None:
    plan = planned({"alert_emails": ["ml@acme.example"]}, billing_account=ACCOUNT)
    assert plan.alert_emails == ("ml@acme.example",)
    series = 'service_name="chat-prod",location="europe-west4"'
    assert [(one.name, one.seconds) for one in plan.alerts] == [
        ("at-maximum", 1800), ("failing", 300), ("turned-away", 300), ("slow", 300), ("slow-start", 300),
    ]  # fmt: skip
    assert plan.alerts[3].query.endswith("> 240000"), "four fifths of timeout_seconds"
    assert plan.alerts[4].query.endswith(f"> {plan.startup_seconds * 800}")
    assert plan.alerts[0].query.endswith(f"{series}}}) >= 3")
    assert f'{series},response_code_class="5xx"' in plan.alerts[1].query
    assert planned({}, billing_account=ACCOUNT).alerts == ()


def test_a_service_of_a_fixed_size_is_always_at_its_maximum_and_nobody_is_told() -> None:
    place = builders.placement("cloud-run", options={"billing_account": ACCOUNT})
    spec = builders.spec(
        scaling={"min": 2, "max": 2, "concurrency": 8},
        budget={"monthly_usd": 900, "alert_emails": ["ml@acme.example"]},
    )
    plan = builders.plan(spec, place)
    assert isinstance(plan, CloudRunPlan)
    assert "at-maximum" not in [one.name for one in plan.alerts]


@pytest.mark.parametrize(
    ("budget", "options", "paths"),
    [
        ({"alert_emails": ["ml@acme.example"]}, {}, ["placement.options.billing_account"]),
        ({}, {"billing_account": "my billing"}, ["placement.options.billing_account"]),
        (None, {"billing_account": ACCOUNT}, ["placement.options.billing_account"]),
        ({"when_meter_is_away": "refuse"}, {}, ["budget.when_meter_is_away"]),
        (
            {"alert_emails": [f"{one}@acme.example" for one in "abcdef"]},
            {"billing_account": ACCOUNT},
            ["budget.alert_emails"],
        ),
    ],
)
def test_a_budget_that_the_vendor_cannot_keep_is_refused(
    budget: dict[str, Any] | None, options: dict[str, Any], paths: list[str]
) -> None:
    assert refused(budget, **options) == paths
