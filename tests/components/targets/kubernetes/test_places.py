"""The plainest placements: whatever the spec asks, what only a user knows is stood in for."""

from typing import Any

import pytest

from portway.registry import load_target
from portway.target import Plan
from support import builders

SCALINGS = ({"min": 0, "max": 2, "concurrency": 8}, {"min": 1, "max": 2, "concurrency": 8})


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("reach", ["public", "private"])
@pytest.mark.parametrize("budget", [{}, {"monthly_requests": 10}])
def test_what_a_cluster_can_keep_is_planned_in_every_region(
    scaling: dict[str, Any], reach: str, budget: dict[str, Any]
) -> None:
    spec = builders.spec(
        scaling=scaling,
        access={"auth": "api-key", "reach": reach},
        budget={"monthly_usd": 2500, **budget},
    )
    target = load_target("kubernetes")
    for region in target.regions():
        assert isinstance(builders.outcome(spec, target.place(spec, region)), Plan)
