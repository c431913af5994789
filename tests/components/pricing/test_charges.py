"""How estimates move: with maximum, traffic, tokens and rates; never out of order."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from portway.estimates import estimate_plan
from portway.models import find
from portway.pricing.charges import charges
from portway.pricing.demand import Demand
from portway.pricing.estimate import Monthly, estimate
from portway.pricing.meter import Held, Meter, Part, PerRequest, PerUse, Tokens
from portway.pricing.rate import Rate, RateTable, Tier
from portway.pricing.work import Work
from portway.registry import load_target
from support import builders

REGIONS = {"cloud-run": "europe-west4", "lambda-bedrock": "us-east-1", "kubernetes": "europe-west4"}
TARGETS = st.sampled_from(sorted(REGIONS))


def _traffic(requests: int, written: int, read: int) -> dict[str, int]:
    return {"requests_per_day": requests, "output_tokens": written, "input_tokens": read}


TRAFFIC = st.builds(_traffic, st.integers(0, 200_000), st.integers(1, 4000), st.integers(1, 8000))


def monthly(
    target: str, traffic: dict[str, int], most: int = 3, rates: RateTable | None = None
) -> Monthly:
    spec = builders.spec(
        scaling={"min": 1, "max": most, "concurrency": 8}, traffic=traffic, residency=None
    )
    place = builders.placement(target, region=REGIONS[target], settings=_settings(target))
    used = load_target(target)
    if rates is not None:
        used = replace(used, rates=lambda: rates)
    found = estimate_plan(used, builders.plan(spec, place), spec, find(spec.model)).estimate
    assert found.monthly is not None
    assert found.unpriced == ()
    assert sum(line.monthly for line in found.lines) == found.monthly.expected
    return found.monthly


def _settings(target: str) -> dict[str, str]:
    key = {"cloud-run": "gcp:project", "lambda-bedrock": "aws:region"}.get(target)
    return (
        {} if key is None else {key: REGIONS[target] if key == "aws:region" else "acme-inference"}
    )


@given(TARGETS, TRAFFIC)
def test_the_four_cases_are_in_order(target: str, traffic: dict[str, int]) -> None:
    found = monthly(target, traffic)
    assert found.floor <= found.expected_low <= found.expected <= found.ceiling


@given(TARGETS, TRAFFIC, st.integers(1, 5))
def test_a_higher_maximum_never_costs_less(target: str, traffic: dict[str, int], most: int) -> None:
    less, more = monthly(target, traffic, most), monthly(target, traffic, most + 1)
    assert less.ceiling <= more.ceiling  # equal where a budget is enforced
    assert less.floor == more.floor
    assert less.expected <= more.expected


@given(TARGETS, TRAFFIC, st.sampled_from(["requests_per_day", "output_tokens", "input_tokens"]),
       st.integers(1, 4))  # fmt: skip
def test_more_traffic_never_costs_less(
    target: str, traffic: dict[str, int], grown: str, times: int
) -> None:
    # with room to spare: a service that is full serves fewer requests when each is longer
    small = {**traffic, "requests_per_day": min(traffic["requests_per_day"], 2000)}
    less, more = (
        monthly(target, small, 6),
        monthly(target, {**small, grown: small[grown] * times}, 6),
    )
    assert less.expected <= more.expected + Decimal("0.01")


@given(TARGETS, TRAFFIC, st.sampled_from(["1.01", "2", "10"]))
def test_a_dearer_rate_never_makes_anything_cheaper(
    target: str, traffic: dict[str, int], factor: str
) -> None:
    table = load_target(target).rates()
    dearer = RateTable(
        {key: _times(rate, factor) for key, rate in table.rates.items()},
        {sku: _times(rate, factor) for sku, rate in table.anywhere.items()},
    )
    cheap, dear = monthly(target, traffic), monthly(target, traffic, rates=dearer)
    assert cheap.floor <= dear.floor
    assert cheap.expected <= dear.expected
    assert cheap.ceiling <= dear.ceiling


def _times(rate: Rate, factor: str) -> Rate:
    return replace(rate, tiers=tuple(Tier(t.up_to, t.amount * Decimal(factor)) for t in rate.tiers))


def test_changing_a_rate_changes_the_lines_that_use_it_and_no_others() -> None:
    meters: list[Meter] = [
        Held("s", "europe-west4", (Part("gpu", "l4", Decimal(1)), Part("cpu", "cpu", Decimal(4))),
             1, 2, 8, 600, 20),
        PerUse("s", "egress", "egress", "europe-west4", Decimal("0.001"), 16),
    ]  # fmt: skip
    table = load_target("cloud-run").rates()
    work = Work(Demand((0.02,)), 5.0, 600, 200)
    key = ("l4", "europe-west4")
    changed = RateTable({**table.rates, key: _times(table.rates[key], "2")}, table.anywhere)
    before, after = (estimate(charges(meters, work), rates).lines for rates in (table, changed))
    moved = [b.item for a, b in zip(before, after, strict=True) if a.monthly != b.monthly]
    assert moved == ["gpu"]


WARM = PerRequest(
    "f", "us-east-1", (Part("cold", "duration:arm64", Decimal(1)),), "requests",
    (Part("kept", "kept:arm64", Decimal(1)),), 2, 5, 900,
    warm_parts=(Part("warm", "duration-kept:arm64", Decimal(1)),),
)  # fmt: skip


def test_kept_environments_serve_first() -> None:
    month = Decimal(2_628_000)
    found = {c.item: c.quantity for c in charges([WARM], Work(Demand((1.0,)), 3.0, 1, 1))}
    assert found["warm"].expected == 2 * month
    assert found["cold"].expected == month
    assert (found["warm"].ceiling, found["cold"].ceiling) == (2 * month, 3 * month)
    assert found["kept"].floor == found["kept"].ceiling == 2 * month


def test_no_more_requests_are_served_than_fit() -> None:
    tokens = Tokens("m", "us-east-1", "in", "out", 2, 100, 100)
    read, _ = charges([tokens], Work(Demand((100.0,)), 4.0, 1_000_000, 1))
    assert read.quantity.expected == read.quantity.ceiling == 2 * Decimal(2_628_000) / 4


def test_hours_are_whole_where_hours_are_billed() -> None:
    held = Held("n", "r", (Part("node", "n", Decimal(1), per_seconds=3600),), 1, 2, 8, 600, 20)
    (charge,) = charges([held], Work(Demand((0.0,)), 1.0, 1, 1))
    assert (charge.quantity.floor, charge.quantity.ceiling) == (Decimal(730), Decimal(1460))
