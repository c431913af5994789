"""The fewest machines of a pool."""

from typing import Any

import pytest

from portway.gate.counts import Uncounted
from portway.gate.pools import EKS, GKE, SHAPES, Floor, floor, has_maximum
from portway.gate.resource import Resource
from portway.gate.values import UNKNOWN, View

GROUP = "aws:autoscaling/group:Group"


def pool(token: str, props: dict[str, Any]) -> Resource:
    return Resource(f"urn:pulumi:s::p::{token}::it", "it", token, View(props))


FLOORS: list[tuple[str, dict[str, Any], Floor]] = [
    (
        GKE,
        {"location": "europe-west4", "nodeCount": 2},
        Floor(6, "nodeCount", 3, is_fixed=True),
    ),
    (
        GKE,
        {"location": "europe-west4-a", "initialNodeCount": "2"},
        Floor(2, "initialNodeCount", 1, is_fixed=True),
    ),
    (
        GKE,
        {"location": "europe-west4", "autoscaling": {"maxNodeCount": 3}},
        Floor(0, "autoscaling.minNodeCount"),
    ),
    (
        GKE,
        {
            "location": "europe-west4",
            "nodeLocations": ["europe-west4-a", "europe-west4-b"],
            "autoscaling": {"minNodeCount": 1, "maxNodeCount": 3},
        },
        Floor(2, "autoscaling.minNodeCount", 2),
    ),
    (
        GKE,
        {
            "location": "europe-west4",
            "nodeLocations": ["europe-west4-a", "europe-west4-b"],
            "autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": 3},
        },
        Floor(1, "autoscaling.totalMinNodeCount"),
    ),
    (EKS, {"scalingConfig": {"minSize": 1, "maxSize": 2}}, Floor(1, "scalingConfig.minSize")),
    (
        EKS,
        {"scalingConfig": {"minSize": 2, "maxSize": 2}},
        Floor(2, "scalingConfig.minSize", is_fixed=True),
    ),
    (GROUP, {"minSize": 0, "maxSize": 2}, Floor(0, "minSize")),
    (GROUP, {"minSize": 1, "maxSize": UNKNOWN}, Floor(1, "minSize")),
]


@pytest.mark.parametrize(("token", "props", "expected"), FLOORS)
def test_the_fewest_machines_are_those_of_every_zone_that_counts(
    token: str, props: dict[str, Any], expected: Floor
) -> None:
    assert floor(pool(token, props), SHAPES[token]) == expected


@pytest.mark.parametrize(
    ("token", "props"),
    [
        (GKE, {"location": "europe-west4-a", "autoscaling": UNKNOWN}),
        (GKE, {"location": "europe-west4-a"}),
        (GKE, {"location": "europe-west4-a", "nodeCount": UNKNOWN}),
        (GKE, {"nodeLocations": UNKNOWN, "autoscaling": {"minNodeCount": 1, "maxNodeCount": 2}}),
        (EKS, {"scalingConfig": {"minSize": "many", "maxSize": 2}}),
        (GROUP, {"minSize": UNKNOWN, "maxSize": 2}),
    ],
)
def test_what_nobody_can_count_is_not_counted(token: str, props: dict[str, Any]) -> None:
    assert isinstance(floor(pool(token, props), SHAPES[token]), Uncounted)


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({"autoscaling": {"maxNodeCount": 1}}, True),
        ({"autoscaling": {"totalMaxNodeCount": UNKNOWN}}, True),
        ({"autoscaling": {"minNodeCount": 1}}, False),
        ({"autoscaling": {}}, False),
    ],
)
def test_a_pool_that_scales_says_how_far(props: dict[str, Any], *, expected: bool) -> None:
    assert has_maximum(pool(GKE, props), SHAPES[GKE]) is expected
