"""A service costs the same by its plan, which we wrote, and by its resources, which anybody reads."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from portway.estimates import estimate_plan
from portway.gate.billing import StackEstimate, stack_estimate
from portway.gate.resource import Stack
from portway.models import find
from portway.pricing.estimate import Estimate, Monthly
from portway.registry import load_target, registered
from portway.spec import InferenceServiceSpec
from portway.target import Placement
from support import builders
from support.golden import cases
from support.priced_stacks import stack_of_project, stack_of_service

ROOT = Path(__file__).resolve().parents[2]


def by_plan(spec: InferenceServiceSpec, placement: Placement) -> Estimate:
    """What ``portway price`` says of it."""
    plan = builders.plan(spec, placement)
    return estimate_plan(load_target(plan.target), plan, spec, find(spec.model)).estimate


def by_resources(stack: Stack) -> Monthly | None:
    """What the gate reads; None where something could not be priced."""
    found = stack_estimate(stack)
    return _monthly(found) if found.is_whole else None


def _monthly(found: StackEstimate) -> Monthly:
    lines = [line.monthly for one in found.resources for line in one.lines]
    names = ("floor", "expected_low", "expected", "ceiling")
    return Monthly(*(sum((getattr(one, name) for one in lines), Decimal("0.00")) for name in names))


@pytest.mark.parametrize("target", registered())
def test_a_committed_stack_costs_the_same_by_its_plan_and_by_its_resources(target: str) -> None:
    yaml: Any = YAML(typ="safe")
    stack = f"chat.prod.{target}"
    config = yaml.load(ROOT / "stacks" / f"Pulumi.{stack}.yaml")["config"]
    spec = InferenceServiceSpec.model_validate(
        json.loads(json.dumps(yaml.load(ROOT / "stacks" / config["portway:spec"])))
    )
    where = dict(config["portway:placement"])
    settings = {key: value for key, value in config.items() if not key.startswith("portway:")}
    placement = builders.placement(where.pop("target"), settings=settings, **where)
    assert by_resources(stack_of_project(stack)) == by_plan(spec, placement).monthly


def _planned(name: str) -> bool:
    return (ROOT / "tests" / "golden" / f"{name}.plan.json").exists()


@pytest.mark.parametrize("name", [name for name in cases() if _planned(name)])
def test_what_a_plan_creates_is_priced_as_the_plan_is(name: str) -> None:
    case = dict(cases()[name])
    where = dict(case["placement"])
    spec = builders.spec(**case["spec"])
    placement = builders.placement(where.pop("target"), **where)
    told = by_plan(spec, placement)
    found = stack_estimate(stack_of_service(spec, placement))
    assert found.is_whole == (not told.unpriced), "what has no rate has none both ways"
    if told.monthly is not None:
        assert _monthly(found) == told.monthly


def test_what_has_no_rate_is_said_with_the_same_words_both_ways() -> None:
    spec = builders.spec(scaling={"min": 1, "max": 1, "concurrency": 8})
    placement = builders.placement("kubernetes", region="eu-central-1")
    told = {one.sku for one in by_plan(spec, placement).unpriced}
    found = stack_estimate(stack_of_service(spec, placement))
    assert "node:g6.xlarge:on-demand" in told
    said = {fault.why.partition(" (")[0].replace("kubernetes/", "") for _, fault in found.faults}
    assert said == {f"no rate is known for {sku} in eu-central-1" for sku in told}


@pytest.mark.parametrize("target", registered())
@given(
    scaling=st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(1, 16)),
    requests_per_day=st.integers(0, 100_000),
    output_tokens=st.integers(1, 2000),
)
@settings(max_examples=5, deadline=None)
def test_any_scaling_and_traffic_cost_the_same_both_ways(
    target: str, scaling: tuple[int, int, int], requests_per_day: int, output_tokens: int
) -> None:
    least, most, at_once = scaling
    if target == "kubernetes":
        least = max(least, 1)
    spec = builders.spec(
        scaling={"min": min(least, most), "max": most, "concurrency": at_once},
        traffic={"requests_per_day": requests_per_day, "output_tokens": output_tokens},
    )
    placement = builders.placement(target)
    assert by_resources(stack_of_service(spec, placement)) == by_plan(spec, placement).monthly
