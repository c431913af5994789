"""Every resource that a target creates is metered, or says why it costs nothing."""

import json
from collections import Counter
from typing import Any

import pytest

from portway.estimates import estimate_plan
from portway.models import find
from portway.pricing.meter import NoCharge
from portway.registry import load_target, registered
from portway.target import Plan
from support import builders, golden
from support.paper_target import TARGET as PAPER

# what exists nowhere but in the engine's state
_OURS = ("portway:index:", "pulumi:providers:")
PLANNED = sorted(path.name.removesuffix(".plan.json") for path in golden.GOLDEN.glob("*.plan.json"))


def plan_of(case: str) -> Plan:
    return golden.planned(golden.cases()[case])


@pytest.mark.parametrize("case", PLANNED)
def test_no_resource_is_without_a_meter(case: str) -> None:
    plan = plan_of(case)
    rows: list[dict[str, Any]] = json.loads((golden.GOLDEN / f"{case}.resources.json").read_text())
    created = Counter(
        row["name"].removeprefix(f"{plan.service}-")
        for row in rows
        if not row["type"].startswith(_OURS)
    )
    metered = Counter(one.resource for one in load_target(plan.target).meters(plan))
    # several resources may share a name, such as a secret and its version: each is one meter or more
    assert {name: count for name, count in created.items() if metered[name] < count} == {}


@pytest.mark.parametrize("case", PLANNED)
def test_what_costs_nothing_says_why(case: str) -> None:
    plan = plan_of(case)
    free = [m for m in load_target(plan.target).meters(plan) if isinstance(m, NoCharge)]
    assert free
    assert all(one.because for one in free)


@pytest.mark.parametrize("target", registered())
def test_a_plan_of_another_target_is_refused(target: str) -> None:
    other = PAPER.plan(
        builders.spec(), find("ministral-3-8b"), builders.placement("paper", region="europe-paper1")
    )
    with pytest.raises(TypeError, match="paper has meters of its own"):
        load_target(target).meters(other)


@pytest.mark.parametrize("target", registered())
def test_every_rate_is_positive_dated_and_sourced(target: str) -> None:
    rates = list(load_target(target).rates())
    assert rates
    assert [r.sku for r in rates if r.as_of is None or not r.source or r.amount < 0] == []
    embeddings = "tokens:"
    assert [r.sku for r in rates if r.amount == 0 and not r.sku.startswith(embeddings)] == []


@pytest.mark.parametrize("target", registered())
def test_the_same_service_is_priced_on_every_target(target: str) -> None:
    spec = builders.spec(
        scaling={"min": 1, "max": 2, "concurrency": 8},
        traffic={"requests_per_day": 2000},
    )
    plan = builders.plan(spec, builders.placement(target))
    found = estimate_plan(load_target(target), plan, spec, find(spec.model)).estimate
    assert found.unpriced == ()
    assert found.monthly is not None
    assert 0 < found.monthly.floor <= found.monthly.expected_low <= found.monthly.expected
    assert found.monthly.expected <= found.monthly.ceiling
    assert sum(line.monthly for line in found.lines) == found.monthly.expected
    assert [line for line in found.lines if line.monthly == 0 and not line.reason] == []
