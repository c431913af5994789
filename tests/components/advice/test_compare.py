"""The recommended place is the one an exhaustive search would take, and never one that is not lawful."""

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from portway.advice.candidate import Candidate
from portway.advice.compare import Comparison, compare
from portway.errors import Problem
from portway.estimates import estimate_plan
from portway.models import find
from portway.registry import load_target, registered
from portway.residency.boundary import boundary
from portway.spec import InferenceServiceSpec
from portway.target import Target
from support import builders
from support.naive_advice import cheapest, offers
from support.paper_world import Vendor, gpu_prices, token_prices

REGIONS = ("europe-west4", "eu-west-1", "us-central1", "us-east-1", "asia-northeast1")
BOUNDARIES = (None, "eu", "us", "nl", ["eu", "nl"])


def compared(spec: InferenceServiceSpec, targets: list[Target] | None = None) -> Comparison:
    inside = None if spec.residency is None else boundary(spec.residency)
    everything = [load_target(name) for name in registered()]
    return compare(spec, find(spec.model), targets or everything, inside)


def spec_of(**changed: Any) -> InferenceServiceSpec:
    given = {"budget": None, "traffic": {"requests_per_day": 2000}, **changed}
    return builders.spec(**given)


def a_vendor(random: Random, number: int) -> Vendor:
    sells = random.choice(("gpu", "gpu", "tokens"))
    prices: dict[str, dict[str, str]] = {}
    for region in random.sample(REGIONS, random.choice((1, 1, 2))):
        if sells == "gpu":
            prices[region] = gpu_prices(
                f"{random.uniform(0.1, 3):.4f}", f"{random.uniform(0, 150):.2f}"
            )
        else:
            million = f"{10 ** random.uniform(-2, 1.5):.4f}"
            prices[region] = token_prices(million, f"{10 ** random.uniform(-6, -4):.8f}")
        if random.random() < 0.1:
            del prices[region]["logs"]
    return Vendor(
        f"vendor-{number}",
        sells,
        prices,
        hold_seconds=random.choice((0, 60, 600, 1200)),
        start_seconds=random.choice((0, 20, 433)),
        free_units=random.choice((0, 0, 50, 100_000)),
        needs_one=random.random() < 0.2,
        most_at_once=random.choice((16, 10_000)),
    )


def a_spec(random: Random) -> InferenceServiceSpec:
    most = random.choice((1, 2, 2, 3))
    traffic: dict[str, Any] = {
        "requests_per_day": int(10 ** random.uniform(0, 5)),
        "input_tokens": random.randint(1, 2000),
        "output_tokens": random.randint(1, 800),
    }
    if random.random() < 0.15:
        traffic["shape"] = "burst"
    elif random.random() < 0.05:
        traffic["shape"] = [float(random.randint(0, 5)) for _ in range(23)] + [1.0]
    budget = (
        {"monthly_usd": round(10 ** random.uniform(1, 4), 2)} if random.random() < 0.4 else None
    )
    return spec_of(
        scaling={
            "min": random.randint(0, most), "max": most, "concurrency": random.choice((1, 4, 8, 32)),
        },
        residency=random.choice(BOUNDARIES),
        budget=budget,
        traffic=traffic,
    )  # fmt: skip


def test_nothing_is_lost_against_an_exhaustive_search_over_a_thousand_specs() -> None:
    random = Random(20)
    lost: list[object] = []
    recommended = over_budget = 0
    for number in range(1000):
        vendors = [a_vendor(random, one) for one in range(random.randint(1, 2))]
        targets = [vendor.target() for vendor in vendors]
        spec = a_spec(random)
        budget = None if spec.budget is None else spec.budget.monthly_usd
        wanted = cheapest(list(offers(spec, find(spec.model), targets)), budget)
        found = compared(spec, targets)
        got = None if found.recommended is None else found.recommended.monthly.expected
        recommended += got is not None
        over_budget += found.is_over_budget and got is not None
        if got != wanted:
            lost.append((number, spec.scaling, spec.traffic, got, wanted))
    assert lost == []
    assert recommended > 300
    assert over_budget > 5


def test_nothing_is_lost_on_the_real_targets_either() -> None:
    random = Random(21)
    targets = [load_target(name) for name in registered()]
    for _ in range(12):
        spec = a_spec(random).model_copy(update={"residency": (random.choice(("nl", "ie", "it")),)})
        budget = None if spec.budget is None else spec.budget.monthly_usd
        wanted = cheapest(list(offers(spec, find(spec.model), targets)), budget)
        best = compared(spec, targets).recommended
        assert (None if best is None else best.monthly.expected) == wanted


@pytest.mark.parametrize("target", registered())
def test_a_candidate_costs_what_a_stack_there_would_cost(target: str) -> None:
    spec = spec_of(scaling={"min": 1, "max": 2, "concurrency": 8}, residency="eu")
    of_target = [one for one in compared(spec).candidates if one.target == target]
    assert of_target
    for one in of_target:
        scaled = spec.model_copy(update={"scaling": one.scaling})
        there = load_target(target)
        plan = there.plan(scaled, find(spec.model), one.placement)
        made = estimate_plan(there, plan, scaled, find(spec.model))
        assert one.monthly == made.estimate.monthly


def test_every_region_of_every_target_is_a_candidate_or_refused_with_a_reason() -> None:
    found = compared(spec_of(residency="eu"))
    places = {(one.target, one.region) for one in found.candidates}
    refused = {(one.target, one.region) for one in found.refused}
    sold = {(name, region) for name in registered() for region in load_target(name).regions()}
    assert places | refused == sold
    assert places & refused == set()
    assert all(one.reasons for one in found.refused)


def test_nothing_outside_the_boundary_is_a_candidate() -> None:
    found = compared(spec_of(residency="eu"))
    assert all(boundary(["eu"]).contains(one.region) for one in found.candidates)
    (tokyo,) = [
        one
        for one in found.refused
        if (one.target, one.region) == ("lambda-bedrock", "ap-northeast-1")
    ]
    message = "ap-northeast-1 is outside the boundary eu"
    assert tokyo.reasons == (Problem("residency", message),)


def paper(prices: dict[str, dict[str, str]], **changed: Any) -> Target:
    return Vendor(changed.pop("name", "paper"), "gpu", prices, **changed).target()


def test_another_region_never_raises_the_recommended_cost() -> None:
    random = Random(3)
    for _ in range(15):
        prices = {region: gpu_prices(f"{random.uniform(0.1, 3):.3f}") for region in REGIONS}
        spec = spec_of(residency=None, scaling={"min": 0, "max": 2})
        costs = [
            best.monthly.expected
            for count in range(1, len(REGIONS) + 1)
            if (best := compared(spec, [paper(dict(list(prices.items())[:count]))]).recommended)
        ]
        assert costs == sorted(costs, reverse=True)
        assert len(costs) == len(REGIONS)


def test_a_tighter_boundary_never_lowers_the_recommended_cost() -> None:
    for wide, narrow in ((None, "eu"), ("eu", "nl"), ("us", ["us"]), ("eea", "eu")):
        costs = [
            best.monthly.expected
            for names in (wide, narrow)
            if (best := compared(spec_of(residency=names)).recommended)
        ]
        assert costs == sorted(costs)
        assert len(costs) == 2


def test_what_has_no_price_is_never_recommended_however_cheap_the_rest_of_it_is() -> None:
    half = {"gpu": "0.01", "fee": "0"}
    found = compared(
        spec_of(residency=None),
        [paper({"europe-west4": half, "us-central1": gpu_prices("3")})],
    )
    assert [one.region for one in found.candidates] == ["us-central1"] * len(found.candidates)
    (unpriced,) = found.refused
    assert [str(reason) for reason in unpriced.reasons] == [
        "no rate is known for logs in europe-west4"
    ]


def test_a_scaling_that_cannot_answer_the_busiest_hour_is_refused_with_what_would() -> None:
    traffic = {"requests_per_day": 200_000}
    found = compared(
        spec_of(residency=None, scaling={"min": 0, "max": 1, "concurrency": 8}, traffic=traffic),
        [paper({"europe-west4": gpu_prices("1")})],
    )
    assert found.candidates == ()
    (refusal,) = found.refused
    (reason,) = refusal.reasons
    assert reason.path == "scaling.max"
    assert reason.message.startswith(
        "is 1, which has room for 8 requests at once; the busiest hour"
    )
    assert "raise it to 5" in reason.message


def test_a_target_that_refuses_the_declared_scaling_is_compared_at_those_it_honours() -> None:
    found = compared(
        spec_of(residency=None, scaling={"min": 0, "max": 3, "concurrency": 8}),
        [paper({"europe-west4": gpu_prices("1")}, needs_one=True, most_at_once=16)],
    )
    assert {(one.scaling.min, one.scaling.max) for one in found.candidates} == {(1, 1)}


def test_what_no_scaling_brings_within_the_budget_is_refused_with_its_least_ceiling() -> None:
    found = compared(
        spec_of(residency=None, budget={"monthly_usd": 500}, scaling={"min": 0, "max": 2}),
        [
            paper({"europe-west4": gpu_prices("2")}, name="dear"),
            paper({"europe-west4": gpu_prices("0.5")}, name="thrifty"),
        ],
    )
    assert {one.target for one in found.candidates} == {"thrifty"}
    assert all(one.monthly.ceiling <= 500 for one in found.candidates)
    assert not found.is_over_budget
    (refusal,) = found.refused
    assert (refusal.target, refusal.reasons[0].path) == ("dear", "budget.monthly_usd")
    assert refusal.reasons[0].message == (
        "the ceiling is 1,461 USD at least (min 0, max 1), 961 USD above the 500 USD budget of chat; "
        "raise it, or lower scaling.concurrency"
    )


def test_where_nothing_fits_the_budget_the_cheapest_is_recommended_and_said_to_be_over_it() -> None:
    found = compared(
        spec_of(residency=None, budget={"monthly_usd": 10}),
        [paper({"europe-west4": gpu_prices("1"), "us-central1": gpu_prices("2")})],
    )
    assert found.is_over_budget
    assert found.recommended is not None
    assert found.recommended.region == "europe-west4"
    assert found.refused == ()


def test_at_one_price_the_declared_scaling_stays_and_names_decide() -> None:
    same = {region: token_prices("1") for region in ("us-east-1", "eu-west-1")}
    target = Vendor("paper", "tokens", same).target()
    spec = spec_of(residency=None, scaling={"min": 0, "max": 3, "concurrency": 8})
    best = compared(spec, [target]).recommended
    assert best is not None
    assert (best.region, best.scaling) == ("eu-west-1", spec.scaling)


def test_the_same_question_has_the_same_answer() -> None:
    spec = spec_of(residency="eu", scaling={"min": 1, "max": 2})

    def seen(one: Candidate) -> tuple[object, ...]:
        return (one.target, one.region, one.scaling, one.monthly, one.utilisation)

    first, second = compared(spec), compared(spec)
    assert [seen(one) for one in first.candidates] == [seen(one) for one in second.candidates]
    assert first.refused == second.refused


def test_busy_hours_are_a_part_of_the_hours_that_are_paid_for() -> None:
    found = compared(
        spec_of(scaling={"min": 1, "max": 1, "concurrency": 8}, residency=None),
        [paper({"europe-west4": gpu_prices("1")})],
    )
    always = next(one for one in found.candidates if one.scaling.min == 1)
    seconds = always.work.request_seconds
    assert always.utilisation == pytest.approx(2000 * seconds / 86_400 / 8)
    assert always.monthly.expected == Decimal("730.03")
