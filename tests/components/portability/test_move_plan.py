"""A plan of a move says every step, what it costs, what comes along and what stands against it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from portway.estimates import estimate_plan
from portway.models import find
from portway.portability.compare import Side, compare
from portway.portability.move import Costs
from portway.portability.move_plan import Fate, MovePlan, plan_move
from portway.registry import load_target
from support import builders

TRAFFIC = {"requests_per_day": 2000, "input_tokens": 600, "output_tokens": 200}


def side(target: str, environment: str = "prod", **changed: object) -> Side:
    spec = builders.spec(
        **{"scaling": {"min": 1, "max": 1, "concurrency": 8}, "traffic": TRAFFIC} | changed
    )
    model, used = find(spec.model), load_target(target)
    plan = builders.plan(spec, builders.placement(target))
    plan = plan.model_copy(update={"environment": environment})
    estimate = estimate_plan(used, plan, spec, model)
    return Side(f"chat.{environment}.{target}", spec, model, used, plan, estimate)


def planned(
    before: Side, after: Side, *, keep_source: bool = True, accept_unknown: bool = False
) -> MovePlan:
    placements = (
        builders.placement(before.plan.target, options={"cpu": 8}),
        builders.placement(after.plan.target),
    )
    return plan_move(
        compare(before, after), placements, keep_source=keep_source, accept_unknown=accept_unknown
    )


def test_a_move_between_equals_has_nothing_against_it() -> None:
    plan = planned(side("cloud-run"), side("kubernetes"))
    assert plan.objections == ()
    assert (plan.move.door, plan.move.keep_source, plan.move.is_same_model) == (
        "chat.prod.door", True, True,
    )  # fmt: skip
    assert plan.usd_per_hour[Costs.BOTH] == pytest.approx(
        plan.usd_per_hour[Costs.SOURCE] + plan.usd_per_hour[Costs.DESTINATION]
    )
    assert plan.at_most_usd_per_hour is not None
    assert plan.at_most_usd_per_hour >= plan.usd_per_hour[Costs.BOTH]


def test_every_step_of_the_document_has_its_cost() -> None:
    document = planned(side("cloud-run"), side("kubernetes"), keep_source=False).as_document()
    costs = {step["id"]: Decimal(step["usd_per_hour"]) for step in document["steps"]}
    assert costs["preflight"] < costs["deploy"]
    assert costs["deploy"] == costs["shift-50"] > costs["retire"]
    assert [step["id"] for step in document["rollback"]] == [
        "restore", "return", "empty", "remove", "confirm",
    ]  # fmt: skip


def test_an_identity_that_nobody_publishes_must_be_accepted() -> None:
    ends = side("cloud-run"), side("lambda-bedrock")
    (objection,) = planned(*ends).objections
    assert "--accept-identity unknown" in objection
    accepted = planned(*ends, accept_unknown=True)
    assert accepted.objections == ()
    assert not accepted.move.is_same_model


def test_another_model_is_never_accepted() -> None:
    plan = planned(side("cloud-run"), side("kubernetes", model="qwen3-8b"), accept_unknown=True)
    assert any(text.startswith("model identity:") for text in plan.objections)


def test_a_move_that_breaks_the_spec_says_how() -> None:
    here = side("cloud-run", budget={"monthly_usd": 500})
    plan = planned(here, side("kubernetes", budget={"monthly_usd": 500}))
    assert any("exceeds the" in text for text in plan.objections)
    assert any("both ends" in text for text in planned(here, here).objections)


def test_one_door_serves_one_environment() -> None:
    plan = planned(side("cloud-run"), side("kubernetes", "dev"))
    assert any("one door serves one environment" in text for text in plan.objections)


def test_an_end_without_keys_cannot_be_asked() -> None:
    here, there = side("cloud-run"), side("kubernetes")
    iam = replace(here, plan=here.plan.model_copy(update={"auth": "iam"}))
    assert any("access.auth: iam" in text for text in planned(iam, there).objections)


def test_what_moves_along_and_what_cannot_is_named() -> None:
    named = {one.what: one for one in planned(side("cloud-run"), side("kubernetes")).named}
    assert named["name and key of clients"].fate is Fate.STAYS
    assert named["DNS"].fate is Fate.STAYS
    assert named["secrets"].fate is Fate.ANEW
    assert "none is copied or printed" in named["secrets"].how
    assert named["clients' allow-lists"].fate is Fate.LEFT
    assert named["options of the placement"].how.startswith("cpu of chat.prod.cloud-run")
    assert {"alarms", "logs and metrics", "prefix caches and warm instances"} <= set(named)
