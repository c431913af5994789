"""Break-even points: estimates and closed form agree, and the recommendation turns over there."""

from dataclasses import replace
from typing import Any

import pytest

from portway.advice.bill import Bill, bill_of, rate_for_hours, requests_at_equal_cost
from portway.advice.break_even import BreakEven, break_even, break_evens
from portway.advice.candidate import Kind
from portway.advice.compare import Comparison, compare
from portway.advice.curve import curve_of
from portway.advice.lines import all_crossings, lines
from portway.models import find
from portway.pricing.charges import pool_of
from portway.pricing.meter import Held
from portway.pricing.running import running
from portway.registry import load_target, registered
from portway.residency.boundary import boundary
from portway.spec import InferenceServiceSpec
from portway.target import Target
from support import builders
from support.paper_world import Vendor, gpu_prices, token_prices

SERVERLESS = Vendor("serverless", "gpu", {"europe-west4": gpu_prices("1.04652")}, 60, 20)
OWN = Vendor("own", "gpu", {"europe-west4": gpu_prices("0.7068")}, 60, 20, needs_one=True)
TOKENS = Vendor("tokens", "tokens", {"europe-west4": token_prices("4")})


def spec_of(per_day: int, **changed: Any) -> InferenceServiceSpec:
    given = {
        "budget": None,
        "residency": None,
        "scaling": {"min": 0, "max": 1, "concurrency": 64},
        **changed,
        "traffic": {"requests_per_day": per_day, **changed.get("traffic", {})},
    }
    return builders.spec(**given)


def compared(spec: InferenceServiceSpec, *vendors: Vendor) -> tuple[Comparison, list[Target]]:
    targets = [vendor.target() for vendor in vendors]
    return compare(spec, find(spec.model), targets, None), targets


def between(left: Kind, right: Kind, spec: InferenceServiceSpec, *vendors: Vendor) -> BreakEven:
    found, targets = compared(spec, *vendors)
    assert spec.traffic is not None
    rates = {target.name: target.rates() for target in targets}
    points = break_evens(found.considered, spec.traffic, rates)
    return next(one for one in points if {one.left.kind, one.right.kind} == {left, right})


PAIRS = pytest.mark.parametrize(
    ("left", "right", "vendors"),
    [
        (Kind.FROM_ZERO, Kind.ALWAYS_ON, (SERVERLESS, OWN)),
        (Kind.FROM_ZERO, Kind.ALWAYS_ON, (replace(SERVERLESS, free_units=40), OWN)),
        (
            Kind.FROM_ZERO,
            Kind.ALWAYS_ON,
            (replace(SERVERLESS, hold_seconds=90, start_seconds=0), OWN),
        ),
        (Kind.TOKENS, Kind.ALWAYS_ON, (TOKENS, OWN)),
        (Kind.TOKENS, Kind.ALWAYS_ON, (replace(TOKENS, free_units=400_000), OWN)),
    ],
    ids=["serverless", "free tier", "no start", "tokens", "tokens, free tier"],
)


@PAIRS
def test_estimates_and_closed_form_agree_within_one_percent(
    left: Kind, right: Kind, vendors: tuple[Vendor, ...]
) -> None:
    found = between(left, right, spec_of(100), *vendors)
    assert found.requests_per_day is not None
    assert found.analytic_per_day == pytest.approx(found.requests_per_day, rel=0.01)


@PAIRS
def test_the_recommendation_turns_over_within_one_percent_of_the_closed_form(
    left: Kind, right: Kind, vendors: tuple[Vendor, ...]
) -> None:
    at = between(left, right, spec_of(100), *vendors).analytic_per_day
    assert at is not None
    assert at > 500, "whole requests a day must be finer than one percent"
    kinds: list[Kind] = []
    for per_day in (int(at * 0.99), int(at * 1.01) + 1):
        best = compared(spec_of(per_day), *vendors)[0].recommended
        assert best is not None
        kinds.append(best.kind)
    assert kinds == [left, right]


def test_utilisation_at_break_even_is_the_ratio_of_hourly_prices() -> None:
    found = between(Kind.FROM_ZERO, Kind.ALWAYS_ON, spec_of(100), SERVERLESS, OWN)
    assert found.hourly_ratio == pytest.approx(0.7068 / 1.04652)
    assert found.hourly_ratio == pytest.approx(0.675, abs=0.0005)
    assert found.utilisation == pytest.approx(found.hourly_ratio, rel=0.001)


def test_dearer_always_on_never_pays() -> None:
    dear = replace(OWN, prices={"europe-west4": gpu_prices("1.212")})
    spec = spec_of(100)
    compared_, targets = compared(spec, SERVERLESS, dear)
    left = next(one for one in compared_.considered if one.kind is Kind.FROM_ZERO)
    right = next(one for one in compared_.considered if one.target == "own")
    assert spec.traffic is not None
    found = break_even(left, right, spec.traffic, {t.name: t.rates() for t in targets})
    assert (found.requests_per_day, found.analytic_per_day) == (None, None)
    assert found.hourly_ratio == pytest.approx(1.158, abs=0.0005)
    assert found.sentence.startswith(
        "from zero (serverless in europe-west4) is cheaper than always on (own in europe-west4) at any"
    )


def test_where_they_would_meet_beyond_what_fits_is_said() -> None:
    found = between(
        Kind.TOKENS,
        Kind.ALWAYS_ON,
        spec_of(100, scaling={"min": 0, "max": 1, "concurrency": 1}),
        replace(TOKENS, prices={"europe-west4": token_prices("0.5")}),
        OWN,
    )
    assert found.requests_per_day is None
    assert found.analytic_per_day is not None
    assert found.analytic_per_day > found.most_per_day
    assert found.sentence.endswith(f"; on paper they meet at {found.analytic_per_day:,.0f}")


def test_the_break_even_of_a_profile_is_found_without_a_closed_form() -> None:
    shape = [float(1 + hour % 3) for hour in range(24)]
    found = between(
        Kind.FROM_ZERO, Kind.ALWAYS_ON, spec_of(100, traffic={"shape": shape}), SERVERLESS, OWN
    )
    assert found.requests_per_day is not None
    assert found.analytic_per_day is None


def real(**changed: Any) -> tuple[Comparison, list[Target]]:
    spec = spec_of(2000, residency="eu", **changed)
    targets = [load_target(name) for name in registered()]
    return compare(spec, find(spec.model), targets, boundary(["eu"])), targets


def test_the_real_targets_break_even_where_the_closed_form_says() -> None:
    found, targets = real()
    assert found.spec.traffic is not None
    rates = {target.name: target.rates() for target in targets}
    points = break_evens(found.considered, found.spec.traffic, rates)
    known = [one for one in points if one.analytic_per_day and one.requests_per_day]
    assert {(one.left.kind, one.right.kind) for one in known} == {
        (Kind.FROM_ZERO, Kind.ALWAYS_ON),
        (Kind.TOKENS, Kind.ALWAYS_ON),
    }
    for one in known:
        assert one.analytic_per_day == pytest.approx(one.requests_per_day, rel=0.01)


def test_a_curve_passes_through_the_estimate_of_the_declared_traffic() -> None:
    found, targets = real(scaling={"min": 1, "max": 3, "concurrency": 8})
    assert found.spec.traffic is not None
    rates = {target.name: target.rates() for target in targets}
    for one in found.considered:
        curve = curve_of(one, found.spec.traffic, rates[one.target])
        half_cents = len(one.estimate.lines) * 0.005
        assert curve.usd(2000) == pytest.approx(float(one.monthly.expected), abs=half_cents)


def test_both_sides_of_a_break_even_cost_the_same_there() -> None:
    spec = spec_of(100)
    found, targets = compared(spec, SERVERLESS, OWN)
    rates = {target.name: target.rates() for target in targets}
    left = next(one for one in found.considered if one.kind is Kind.FROM_ZERO)
    right = next(
        one for one in found.considered if one.kind is Kind.ALWAYS_ON and one.target == "own"
    )
    assert spec.traffic is not None
    met = break_even(left, right, spec.traffic, rates)
    assert met.requests_per_day is not None
    costs = [
        curve_of(one, spec.traffic, rates[one.target]).usd(met.requests_per_day)
        for one in (left, right)
    ]
    assert costs[0] == pytest.approx(costs[1], rel=0.001)


def test_lines_cross_where_their_targets_cost_the_same() -> None:
    found, targets = real()
    assert found.spec.traffic is not None
    rates = {target.name: target.rates() for target in targets}
    drawn = lines(found.considered, found.spec.traffic, rates)
    assert {line.target for line in drawn} == set(registered())
    crossed = all_crossings(drawn, found.spec.traffic)
    assert crossed
    by_name = {line.target: line for line in drawn}
    for one in crossed:
        usd = [by_name[name].usd(one.requests_per_day) for name in (one.cheaper, one.dearer)]
        assert usd[0] == pytest.approx(usd[1], rel=0.001)
        before = one.requests_per_day * 0.98
        assert by_name[one.cheaper].usd(before) < by_name[one.dearer].usd(before)


def test_a_line_ends_where_its_largest_scaling_is_full() -> None:
    found, targets = real()
    assert found.spec.traffic is not None
    rates = {target.name: target.rates() for target in targets}
    for line in lines(found.considered, found.spec.traffic, rates):
        last = line.points[-1][0]
        assert last == pytest.approx(line.most_per_day)
        with pytest.raises(ValueError, match="empty"):
            line.usd(line.most_per_day * 1.01)


@pytest.mark.parametrize("hours", [1.0, 50.0, 365.0, 700.0])
def test_hours_and_rate_are_inverse(hours: float) -> None:
    bill = Bill(per_hour=1.0, instances=1, hold_seconds=600, start_seconds=433, seconds=3)
    assert bill.hours(rate_for_hours(bill, hours)) == pytest.approx(hours)


def test_the_closed_form_runs_as_long_as_the_model_of_running_instances() -> None:
    spec = spec_of(200)
    found, targets = compared(spec, SERVERLESS)
    one = next(each for each in found.considered if each.kind is Kind.FROM_ZERO)
    bill = bill_of(one, targets[0].rates())
    assert bill is not None
    (held,) = [meter for meter in one.meters if isinstance(meter, Held)]
    modelled = running(one.work.demand, pool_of(held, one.work)).instance_hours
    assert bill.hours(one.work.demand.mean_per_second) == pytest.approx(modelled, rel=1e-6)


def test_two_straight_bills_meet_where_arithmetic_says() -> None:
    # Haiku 4.5 at 0.0015 USD a request against one Cloud Run L4 at 763.96 USD a month
    met = requests_at_equal_cost(Bill(per_request=0.0015), Bill(fixed=763.96))
    assert met == pytest.approx(509_307, abs=1)
    assert requests_at_equal_cost(Bill(fixed=900, per_request=0.1), Bill(fixed=763.96)) is None


def test_a_bill_that_keeps_some_and_starts_others_has_no_closed_form() -> None:
    spec = spec_of(100, scaling={"min": 1, "max": 2, "concurrency": 8})
    found, targets = compared(spec, SERVERLESS)
    warm = next(one for one in found.considered if one.kind is Kind.KEPT_WARM)
    assert bill_of(warm, targets[0].rates()) is None
