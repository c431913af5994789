"""The plainest placements: whatever the spec asks, what only a user knows is stood in for."""

from typing import Any

import pytest

from portway.registry import load_target
from portway.target import Plan
from support import builders


@pytest.mark.parametrize("auth", ["api-key", "iam"])
@pytest.mark.parametrize(
    "budget", [{}, {"monthly_tokens": 10}, {"alert_emails": ["ml@acme.example"]}]
)
def test_what_cloud_run_can_keep_is_planned_in_every_region(
    auth: str, budget: dict[str, Any]
) -> None:
    spec = builders.spec(
        access={"auth": auth, "reach": "public"}, budget={"monthly_usd": 2500, **budget}
    )
    target = load_target("cloud-run")
    for region in target.regions():
        assert isinstance(builders.outcome(spec, target.place(spec, region)), Plan)
