"""Worked examples that the vendors publish, to the cent, through the arithmetic that prices stacks."""

from decimal import Decimal

import pytest

from portway.pricing.charges import charges
from portway.pricing.demand import Demand
from portway.pricing.estimate import Charge, Monthly, Quantities, estimate
from portway.pricing.meter import Held, Part, PerRequest
from portway.pricing.money import SECONDS_PER_MONTH, cents
from portway.pricing.work import Work
from portway.targets.cloud_run.meters import FREE_CPU_SECONDS, FREE_GIB_SECONDS
from portway.targets.cloud_run.prices import rates as of_google
from portway.targets.lambda_bedrock.meters import FREE_GB_SECONDS, FREE_REQUESTS
from portway.targets.lambda_bedrock.prices import rates as of_amazon


def work(requests_per_month: int, seconds: float) -> Work:
    return Work(Demand((requests_per_month / float(SECONDS_PER_MONTH),)), seconds, 600, 200)


def function(memory_gb: str, *, is_free: bool = True) -> PerRequest:
    free = FREE_GB_SECONDS if is_free else Decimal(0)
    part = Part("duration", "duration:x86-64", Decimal(memory_gb), free)
    return PerRequest(
        "function", "us-east-1", (part,), "requests", (), 0, 10_000, 900,
        free_requests=FREE_REQUESTS if is_free else 0,
    )  # fmt: skip


def amazon(meter: PerRequest, of: Work, *more: Charge) -> Decimal:
    found = estimate((*charges([meter], of), *more), of_amazon())
    assert found.monthly is not None
    return found.monthly.expected


def test_three_million_requests_of_a_mobile_backend() -> None:
    assert amazon(function("1.5"), work(3_000_000, 0.120)) == Decimal("2.73")


def test_telemetry_without_a_free_tier() -> None:
    assert amazon(function("1", is_free=False), work(7_440_000, 2.0)) == Decimal("249.49")


def test_a_language_model_in_a_function_with_a_larger_disk() -> None:
    disk = Charge(
        "function", "disk", "ephemeral-storage", "us-east-1",
        Quantities.always(Decimal("1.5") * 6_000_000 * Decimal("0.280")),
    )  # fmt: skip
    assert amazon(function("4"), work(6_000_000, 0.280), disk) == Decimal("106.41")


def instance(most: int, region: str = "europe-west4", *, is_free: bool = False) -> Held:
    free = (FREE_CPU_SECONDS, FREE_GIB_SECONDS) if is_free else (Decimal(0), Decimal(0))
    parts = (
        Part("gpu", "l4", Decimal(1)),
        Part("cpu", "cpu", Decimal(4), free[0]),
        Part("memory", "memory", Decimal(16), free[1]),
    )
    return Held("service", region, parts, 0, most, 8, 600, 0)


def google(meter: Held, of: Work) -> Monthly:
    found = estimate(charges([meter], of), of_google())
    assert found.monthly is not None
    return found.monthly


def test_two_thousand_requests_spread_over_the_day_keep_one_instance_up() -> None:
    found = google(instance(3), work(60_833, 3.0))
    assert (found.floor, found.ceiling) == (Decimal("0.00"), Decimal("2291.88"))
    assert found.expected == Decimal("763.97")
    assert found.expected_low < Decimal(60)


def test_googles_inference_example_with_a_second_instance_two_hours_a_day() -> None:
    hours = Decimal(730) + Decimal(2) * 365 / 12
    parts = instance(2, "us-central1", is_free=True).parts
    listed = [
        Charge("service", part.item, part.sku, "us-central1",
               Quantities.always(hours * 3600 * part.units))
        for part in parts
    ] + [
        Charge("service", f"{part.item}, free tier", part.sku, "us-central1",
               Quantities.always(-part.free_units), credit=True)
        for part in parts if part.free_units
    ]  # fmt: skip
    rated = [(of_google().find(one.sku or "", one.region), one.quantity.expected) for one in listed]
    exact = sum((rate.cost(used) for rate, used in rated if rate is not None), Decimal(0))
    assert cents(exact) == Decimal("822.40")
    # Google rounds the sum; five lines that are each rounded, as on a bill, are a cent apart
    found = estimate(listed, of_google())
    assert found.monthly is not None
    assert found.monthly.expected == Decimal("822.39")


def test_arm_is_a_fifth_cheaper() -> None:
    found = [of_amazon().find(f"duration:{kind}", "us-east-1") for kind in ("arm64", "x86-64")]
    arm, x86 = (rate.amount for rate in found if rate is not None)
    assert round(1 - arm / x86, 4) == Decimal("0.2000")


@pytest.mark.parametrize(
    ("sku", "amount"), [("l4", "0.0001867"), ("l4-zonal", "0.0002909"), ("cpu", "0.000018")]
)
def test_the_netherlands_are_of_the_first_tier(sku: str, amount: str) -> None:
    rate = of_google().find(sku, "europe-west4")
    assert rate is not None
    assert (rate.amount, rate.grade.value) == (Decimal(amount), "list")


def test_tokens_cost_what_the_library_says_at_the_highest_mark_up() -> None:
    rate = of_amazon().find("tokens:mistral.ministral-3-8b-instruct:input", "eu-west-1")
    assert rate is not None
    assert (rate.amount, rate.grade.value) == (Decimal("0.15") * Decimal("1.52"), "unconfirmed")
