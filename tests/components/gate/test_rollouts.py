"""What a gate counts of a rollout: the pods that it runs beside those that serve."""

from typing import Any

import pytest

from portway.estimates import estimate_plan
from portway.gate.counts import Count, Uncounted
from portway.gate.resource import Resource
from portway.gate.rollouts import surge
from portway.gate.values import View
from portway.models import find
from portway.registry import load_target
from support import builders


def deployment(spec: dict[str, Any]) -> Resource:
    return Resource("urn:one", "it", "kubernetes:apps/v1:Deployment", View({"spec": spec}))


@pytest.mark.parametrize(
    ("given", "count"),
    [({}, 0), ({"maxSurge": 2}, 2), ({"maxSurge": "25%"}, 1), ({"maxSurge": "100%"}, 3)],
)
def test_a_surge_is_a_number_or_a_share_of_the_replicas(given: dict[str, Any], count: int) -> None:
    spec = {"strategy": {"rollingUpdate": given}}
    one = deployment(spec)
    found = surge(one, 3)
    assert isinstance(found, Count)
    assert found.value == count


def test_a_surge_that_is_none_is_not_taken_for_nothing() -> None:
    spec = {"strategy": {"rollingUpdate": {"maxSurge": "many"}}}
    one = deployment(spec)
    assert isinstance(surge(one, 3), Uncounted)


def test_a_surge_is_paid_in_the_ceiling_and_nowhere_else() -> None:
    spec = builders.spec(scaling={"min": 1, "max": 1, "concurrency": 8})

    def monthly(**options: int) -> Any:
        plan = builders.plan(spec, builders.placement("kubernetes", options=options))
        found = estimate_plan(load_target("kubernetes"), plan, spec, find(spec.model)).estimate
        assert found.monthly is not None
        return found.monthly

    with_it, without = monthly(surge=1), monthly()
    assert (with_it.floor, with_it.expected) == (without.floor, without.expected)
    two = builders.spec(scaling={"min": 1, "max": 2, "concurrency": 8})
    plan = builders.plan(two, builders.placement("kubernetes"))
    larger = estimate_plan(load_target("kubernetes"), plan, two, find(two.model)).estimate.monthly
    assert larger is not None
    nodes = larger.ceiling - without.ceiling
    assert without.ceiling < with_it.ceiling <= without.ceiling + nodes
