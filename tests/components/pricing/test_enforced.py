"""Amounts that are enforced before anything more is used: no case of an estimate passes them."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.pricing.assume import sentences
from portway.pricing.charges import charges
from portway.pricing.demand import Demand
from portway.pricing.estimate import Charge, Estimate, Quantities, estimate
from portway.pricing.meter import Fixed, Tokens
from portway.pricing.rate import RateTable, read_rates
from portway.pricing.work import Work

PER_DAY = 86_400


def table(**amounts: str) -> RateTable:
    rows = [
        {
            "sku": sku, "regions": ["here"], "unit": "million", "amount": amount,
            "source": "price page", "as_of": "2026-08-01", "grade": "list",
        }
        for sku, amount in amounts.items()
    ]  # fmt: skip
    return read_rates({"as_of": "2026-08-01", "rates": rows}, "rates.json")


RATES = table(read="0.15", written="0.60", day="0.10")


def tokens(**changed: Any) -> Tokens:
    fields: dict[str, Any] = {
        "resource": "model", "region": "here", "input_sku": "read", "output_sku": "written",
        "most": 16, "context_tokens": 32_768, "max_output_tokens": 4096,
    }  # fmt: skip
    return Tokens(**{**fields, **changed})


def work(requests_per_day: float, seconds: float = 4.0) -> Work:
    return Work(Demand((requests_per_day / PER_DAY,)), seconds, 600, 200)


def estimated(requests_per_day: float, **changed: Any) -> Estimate:
    return estimate(charges([tokens(**changed)], work(requests_per_day)), RATES)


def test_the_ceiling_of_tokens_is_the_amount_that_is_enforced() -> None:
    free, held = estimated(2000), estimated(2000, monthly_budget_usd=Decimal("123.45"))
    assert free.monthly is not None
    assert held.monthly is not None
    assert free.monthly.ceiling > 2000
    assert held.monthly.ceiling == Decimal("123.45")
    assert held.monthly.expected == free.monthly.expected
    assert held.assumptions == ()


def test_an_amount_that_capacity_cannot_reach_changes_nothing() -> None:
    assert estimated(2000, monthly_budget_usd=Decimal(10_000)) == estimated(2000)


def test_traffic_beyond_the_amount_is_refused_and_said_so() -> None:
    found = estimated(2000, monthly_budget_usd=Decimal(5))
    whole = estimated(2000).monthly
    assert found.monthly is not None
    assert whole is not None
    assert Decimal("4.98") <= found.monthly.expected <= found.monthly.ceiling == 5
    beyond = f"{whole.expected - found.monthly.expected:.2f} USD"
    assert found.assumptions == (
        f"the declared traffic would use {beyond} more a month than is enforced: what comes then is "
        "refused and not counted",
    )


@given(
    st.floats(0, 300_000), st.decimals("0.01", "5000", places=2), st.floats(0.1, 60)
)  # fmt: skip
def test_no_case_passes_what_is_enforced_and_they_stay_in_order(
    per_day: float, most: Decimal, seconds: float
) -> None:
    meters = [tokens(monthly_budget_usd=most)]
    found = estimate(charges(meters, work(per_day, seconds)), RATES)
    month = found.monthly
    assert month is not None
    assert month.floor <= month.expected_low <= month.expected <= month.ceiling <= most
    assert sum(line.monthly for line in found.lines) == month.expected


def test_amounts_of_two_resources_are_held_apart() -> None:
    used = Quantities.always(Decimal(1000))
    most = Decimal(50)
    pair = [Charge(name, "tokens", "read", "here", used, at_most_usd=most) for name in ("a", "b")]
    found = estimate(pair, RATES)
    assert found.monthly is not None
    assert found.monthly.ceiling == 100


@pytest.mark.parametrize(
    ("limits", "requests"),
    [
        ({"monthly_requests": 1000}, Decimal(1000)),
        ({"monthly_tokens": 400_000}, Decimal(500)),
        ({"monthly_requests": 1000, "monthly_tokens": 400_000}, Decimal(500)),
        ({"monthly_requests": 300, "monthly_tokens": 400_000}, Decimal(300)),
    ],
)
def test_limits_of_use_hold_every_case(limits: dict[str, int], requests: Decimal) -> None:
    reads, writes = charges([tokens(**limits)], work(2000))
    million = Decimal(1_000_000)
    assert reads.quantity == Quantities(Decimal(0), *([requests * (600 / million)] * 3))
    assert writes.quantity == Quantities(Decimal(0), *([requests * (200 / million)] * 3))


def test_what_is_enforced_is_said() -> None:
    (said,) = sentences([tokens(monthly_budget_usd=Decimal(1610), monthly_requests=9000)], work(1))
    assert said == (
        "the ceiling of tokens is what the runtime's meter lets through in a month (9,000 requests, "
        "1,610.00 USD), or 16 requests at once, one after another all month, each of 600 input and "
        "200 output tokens in 4.0 s where that is less"
    )
    (said,) = sentences([tokens(monthly_tokens=5000)], work(1))
    assert said.endswith("the meter lets 5,000 tokens a month through, and no budget is enforced: larger requests cost more")  # fmt: skip
    (said,) = sentences([tokens()], work(1))
    assert said.endswith("in 4.0 s; no budget is enforced: larger requests cost more")


def test_what_an_account_has_free_is_a_credit_that_no_ceiling_counts_on() -> None:
    meter = Fixed("budget", "action", "day", "here", Decimal(30), free_units=Decimal(60))
    found = estimate(charges([meter], work(0)), RATES)
    assert [(line.item, str(line.monthly), line.reason) for line in found.lines] == [
        ("action", "3.00", None),
        ("action, free tier", "-3.00", "free-tier"),
    ]
    assert found.monthly is not None
    assert (found.monthly.floor, found.monthly.ceiling) == (0, 3)
