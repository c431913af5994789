"""Charges at rates: rounded once a line, totals the sums of lines, nothing unpriced in a total."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.errors import BadInput
from portway.pricing.charges import Unbounded, charges
from portway.pricing.demand import Demand
from portway.pricing.estimate import Charge, Quantities, estimate
from portway.pricing.meter import Fixed, Held, NoCharge, Part
from portway.pricing.money import cents, money_shown, money_text
from portway.pricing.rate import NO_RATES, Grade, RateTable, read_rates
from portway.pricing.work import Work

ROW: dict[str, Any] = {
    "sku": "gpu", "regions": ["europe-west4"], "unit": "second", "amount": "0.0001867",
    "source": "price page", "as_of": "2026-08-01", "grade": "list",
}  # fmt: skip
NOTHING = Work(Demand((0.0,)), 3.0, 600, 200)


def table(*rows: dict[str, Any], **more: Any) -> RateTable:
    return read_rates({"as_of": "2026-08-01", "rates": list(rows), **more}, "rates.json")


def wrong(*rows: dict[str, Any]) -> list[str]:
    with pytest.raises(BadInput) as raised:
        table(*rows)
    return [str(problem) for problem in raised.value.problems]


def test_an_hour_of_a_gpu_for_a_month_is_priced_to_the_cent() -> None:
    seconds = Quantities.always(Decimal(2_628_000))
    found = estimate([Charge("service", "gpu", "gpu", "europe-west4", seconds)], table(ROW))
    assert found.monthly is not None
    assert found.monthly.as_document() == dict.fromkeys(
        ("floor", "expected_low", "expected", "ceiling"), "490.65"
    )
    assert found.rates_as_of == date(2026, 8, 1)
    (line,) = found.lines
    assert line.as_document() == {
        "resource": "service", "item": "gpu", "unit": "second", "quantity": "2628000",
        "rate": "0.0001867", "rate_source": "price page", "rate_as_of": "2026-08-01",
        "rate_grade": "list", "monthly": "490.65", "reason": None,
    }  # fmt: skip


def test_a_rate_is_never_borrowed_from_another_region() -> None:
    charge = Charge("service", "gpu", "gpu", "us-east4", Quantities.always(Decimal(1)))
    found = estimate([charge], table(ROW))
    assert found.monthly is None
    assert [one.why for one in found.unpriced] == ["no rate is known for gpu in us-east4"]


def test_a_rate_without_a_region_counts_at_the_highest_mark_up_and_says_so() -> None:
    row = ROW | {"regions": ["*"], "grade": "unconfirmed", "amount": "1"}
    rates = table(row, highest_markup="1.45", highest_markup_source="compute in Tokyo")
    found = rates.find("gpu", "europe-west4")
    assert found is not None
    assert (found.amount, found.grade) == (Decimal("1.45"), Grade.UNCONFIRMED)
    charge = Charge("service", "gpu", "gpu", "europe-west4", Quantities.always(Decimal(2)))
    assert estimate([charge], rates).assumptions == (
        "gpu: counted at 1.45 times: compute in Tokyo",
    )


def test_a_rates_file_with_faults_names_them_all() -> None:
    undated = {key: value for key, value in ROW.items() if key != "as_of"}
    found = wrong(
        undated, ROW | {"currency": "EUR"}, ROW | {"amount": 0.1}, ROW | {"regions": ["*"]}
    )
    assert [one.split(": ")[1] for one in found] == [
        "rates[0].as_of", "rates[1].currency", "rates[2].amount", "rates[3]",
    ]  # fmt: skip


def test_a_rate_given_twice_is_refused() -> None:
    assert wrong(ROW, ROW) == [
        "rates.json: rates[1]: gives gpu in europe-west4 a second time; keep one"
    ]


@given(st.decimals(0, 10**12, places=3))
def test_graduated_amounts_add_up(quantity: Decimal) -> None:
    tiers = [{"up_to": "10", "amount": "3"}, {"up_to": "30", "amount": "2"}, {"amount": "1"}]
    row = {key: value for key, value in ROW.items() if key != "amount"} | {"tiers": tiers}
    rate = table(row).find("gpu", "europe-west4")
    assert rate is not None
    by_hand = min(quantity, Decimal(10)) * 3
    by_hand += max(min(quantity, Decimal(30)) - 10, Decimal(0)) * 2
    by_hand += max(quantity - 30, Decimal(0))
    assert rate.cost(quantity) == by_hand == -rate.cost(-quantity)


@given(st.lists(st.tuples(*(st.decimals(0, 10**6, places=2) for _ in range(4))), max_size=6))
def test_lines_add_up_to_what_is_expected(given_: list[tuple[Decimal, ...]]) -> None:
    listed = [
        Charge("s", str(n), "gpu", "europe-west4", Quantities(*q)) for n, q in enumerate(given_)
    ]
    found = estimate(listed, table(ROW))
    assert found.monthly is not None
    assert sum((line.monthly for line in found.lines), Decimal(0)) == found.monthly.expected


def test_a_line_at_zero_says_why() -> None:
    free = Quantities(Decimal(0), Decimal(-5), Decimal(-5), Decimal(0))
    listed = [
        Charge("s", "a", "gpu", "europe-west4", Quantities.always(Decimal(0))),
        Charge("s", "b", "gpu", "europe-west4", Quantities.always(Decimal(1))),
        Charge("s", "c", "gpu", "europe-west4", free, credit=True),
        Charge("s", "d", None, "", Quantities.always(Decimal(0))),
    ]
    assert [line.reason for line in estimate(listed, table(ROW)).lines] == [
        "not-used", "below-a-cent", "free-tier", "no-charge",
    ]  # fmt: skip


def test_instances_are_billed_from_their_least_to_their_most() -> None:
    held = Held("s", "europe-west4", (Part("gpu", "gpu", Decimal(1)),), 1, 3, 8, 600, 20)
    (charge,) = charges([held], NOTHING)
    month = Decimal(2_628_000)
    assert charge.quantity == Quantities(month, month, month, 3 * month)


def test_what_has_no_maximum_has_no_ceiling() -> None:
    held = Held("s", "europe-west4", (), 0, None, 8, 600, 20)
    with pytest.raises(Unbounded, match="s declares no maximum"):
        charges([held], NOTHING)


def test_what_is_fixed_and_what_is_free_are_lines_too() -> None:
    both = [Fixed("s", "secret", "gpu", "europe-west4", Decimal(2)), NoCharge("n", "namespace", "")]
    found = estimate(charges(both, NOTHING), table(ROW))
    assert [(line.item, line.reason) for line in found.lines] == [
        ("secret", "below-a-cent"), ("namespace", "no-charge"),
    ]  # fmt: skip


def test_no_rates_price_nothing() -> None:
    assert NO_RATES.find("gpu", "europe-west4") is None


@pytest.mark.parametrize(
    ("usd", "text", "shown"),
    [("1741.995", "1742.00", "1,742 USD"), ("0.005", "0.01", "0.01 USD"), ("9.994", "9.99", "9.99 USD")],
)  # fmt: skip
def test_money_is_rounded_half_up_once(usd: str, text: str, shown: str) -> None:
    assert (money_text(Decimal(usd)), money_shown(Decimal(usd))) == (text, shown)
    assert cents(cents(Decimal(usd))) == cents(Decimal(usd))
