"""What clusters are billed for: nodes by machine, region and term, and never another region's rate."""

from decimal import Decimal
from typing import Any

import pytest

from portway.estimates import estimate_plan
from portway.models import find
from portway.pricing.estimate import Estimate
from portway.registry import load_target
from support import builders


def priced(**placement: Any) -> Estimate:
    spec = builders.spec(
        scaling={"min": 1, "max": 2, "concurrency": 8},
        traffic={"requests_per_day": 2000},
        residency=None,
    )
    plan = builders.plan(spec, builders.placement("kubernetes", **placement))
    return estimate_plan(load_target("kubernetes"), plan, spec, find(spec.model)).estimate


def node(found: Estimate) -> Decimal:
    return next(line.monthly for line in found.lines if line.item == "node")


@pytest.mark.parametrize(
    ("region", "options", "monthly"),
    [
        ("us-central1", {"node": "g2-standard-4"}, "515.96"),
        ("us-central1", {"node": "g2-standard-4", "spot": True}, "290.03"),
        ("europe-west4", {"node": "g2-standard-8"}, "654.96"),
        ("us-east-1", {"node": "g6.xlarge"}, "587.50"),
    ],
)
def test_a_node_costs_its_hours(region: str, options: dict[str, Any], monthly: str) -> None:
    found = priced(region=region, options=options)
    assert found.unpriced == ()
    assert abs(node(found) - Decimal(monthly)) < Decimal("0.10")  # a second node, very rarely


@pytest.mark.parametrize(
    ("region", "options", "sku"),
    [
        ("eu-west-1", {}, "node:g6.xlarge:on-demand"),
        ("europe-west4", {"spot": True}, "node:g2-standard-8:spot"),
        ("europe-west4", {"node": "g2-standard-16"}, "node:g2-standard-16:on-demand"),
    ],
)
def test_a_node_without_a_rate_there_is_unpriced(
    region: str, options: dict[str, Any], sku: str
) -> None:
    found = priced(region=region, options=options)
    assert found.monthly is None
    assert sku in [one.sku for one in found.unpriced]


def test_a_cluster_of_yours_costs_what_you_say() -> None:
    found = priced(region="eu-de-fra-1", options={"flavour": "plain", "node_usd_per_hour": 1.25})
    assert found.monthly is not None
    assert found.monthly.floor == Decimal("912.50")
    assert found.monthly.ceiling == Decimal("1825.00")
    line = next(line for line in found.lines if line.item == "node")
    assert line.as_document()["rate_grade"] == "declared"
    assert line.as_document()["rate_as_of"] is None


def test_a_cluster_of_yours_without_a_price_is_unpriced() -> None:
    found = priced(region="eu-de-fra-1", options={"flavour": "plain"})
    assert found.monthly is None
    assert [one.sku for one in found.unpriced] == ["node:unknown:on-demand"]


def test_the_clusters_fee_is_always_counted() -> None:
    found = priced(region="us-central1", options={"node": "g2-standard-4"})
    fee = next(line.monthly for line in found.lines if line.item == "control plane")
    assert fee == Decimal("73.00")
