"""Where each target is sold, and that its plainest placement there is one it takes."""

from typing import Any

import pytest

from portway.errors import Problem
from portway.registry import load_target, registered
from portway.residency.boundary import country_of
from portway.target import Plan
from support import builders

ASKED = {
    "from zero": {"scaling": {"min": 0, "max": 2, "concurrency": 8}},
    "kept warm": {"scaling": {"min": 1, "max": 2, "concurrency": 8}},
    "always on": {"scaling": {"min": 2, "max": 2, "concurrency": 8}},
    "limits": {"budget": {"monthly_usd": 900, "monthly_requests": 5000, "monthly_tokens": 10**6}},
    "iam": {"access": {"auth": "iam", "reach": "public"}},
    "private": {"access": {"auth": "api-key", "reach": "private"}},
}


@pytest.mark.parametrize("target", registered())
def test_regions_are_sorted_and_every_one_is_somewhere(target: str) -> None:
    regions = load_target(target).regions()
    assert list(regions) == sorted(set(regions))
    assert [region for region in regions if country_of(region) is None] == []


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED.keys())
@pytest.mark.parametrize("target", registered())
def test_the_plainest_placement_is_refused_for_nothing_that_a_user_would_fill_in(
    target: str, asked: dict[str, Any]
) -> None:
    there = load_target(target)
    spec = builders.spec(residency=None, **asked)
    found = [builders.outcome(spec, there.place(spec, region)) for region in there.regions()]
    refused: set[Problem] = set()
    for one in found:
        refused.update(() if isinstance(one, Plan) else one)
    placed = ("placement.options", "placement.cluster", "placement.settings", "gcp:", "aws:")
    assert [one for one in refused if one.path.startswith(placed)] == []
    honours = there.capabilities
    if spec.access.auth in honours.auth and spec.access.reach in honours.reach:
        assert any(isinstance(one, Plan) for one in found)


@pytest.mark.parametrize("target", registered())
def test_what_a_stack_may_do_without_is_an_option_of_its_target(target: str) -> None:
    there = load_target(target)
    for name, options in there.without.items():
        assert set(options) <= set(there.options.model_fields), name
        assert there.options.model_validate(dict(options))
