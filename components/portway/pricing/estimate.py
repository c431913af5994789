"""Charges and rates to an estimate: floor, expected, ceiling, and the lines behind them.

A charge says how much of something is used; it knows no price. What has no rate is unpriced, and an
estimate with something unpriced has no totals.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal

from portway.pricing.money import CURRENCY, cents, money_text
from portway.pricing.rate import Grade, Rate, RateTable, oldest

FREE_TIER, NO_CHARGE, BELOW_A_CENT, NOT_USED = "free-tier", "no-charge", "below-a-cent", "not-used"
ZERO = Decimal(0)


@dataclass(frozen=True)
class Quantities:
    """How many units a month are used in each of four cases; negative for a credit.

    Attributes:
        floor: no traffic at all.
        expected_low: the declared traffic, with everything idle released at once.
        expected: the declared traffic, with idle instances held as long as the vendor may hold them.
        ceiling: everything at its maximum for the whole month.
    """

    floor: Decimal
    expected_low: Decimal
    expected: Decimal
    ceiling: Decimal

    @classmethod
    def always(cls, quantity: Decimal) -> "Quantities":
        """The same in every case."""
        return cls(quantity, quantity, quantity, quantity)

    def each(self) -> tuple[Decimal, ...]:
        """All four, in the order of the fields."""
        return (self.floor, self.expected_low, self.expected, self.ceiling)

    def times(self, factor: Decimal) -> "Quantities":
        """Each of them, ``factor`` times."""
        return Quantities(*(one * factor for one in self.each()))


@dataclass(frozen=True)
class Charge:
    """So much of one thing.

    Attributes:
        resource: which resource of the plan or of the stack.
        item: what of it, as a bill would call it: ``gpu``, ``output tokens``.
        sku: the rate's name; None for what the vendor does not charge for.
        because: with no ``sku``, why it is free.
        credit: a vendor's free tier, which other services of the account may use up as well.
        declared: what the user says a unit costs, used in place of the table's rate.
    """

    resource: str
    item: str
    sku: str | None
    region: str
    quantity: Quantities
    because: str = ""
    credit: bool = False
    declared: Rate | None = None


@dataclass(frozen=True)
class Line:
    """One charge at its rate. ``monthly`` is USD with the declared traffic, in whole cents."""

    resource: str
    item: str
    unit: str
    quantity: Decimal
    rate: Rate | None
    monthly: Decimal
    reason: str | None

    def as_document(self) -> dict[str, str | None]:
        """As programs read it."""
        rate = self.rate
        return {
            "resource": self.resource,
            "item": self.item,
            "unit": self.unit,
            "quantity": f"{self.quantity.normalize():f}",
            "rate": None if rate is None else f"{rate.amount:f}",
            "rate_source": None if rate is None else rate.source,
            "rate_as_of": None if rate is None or rate.as_of is None else rate.as_of.isoformat(),
            "rate_grade": None if rate is None else rate.grade.value,
            "monthly": money_text(self.monthly),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Unpriced:
    """Something that is billed and for which nobody has published a rate there."""

    resource: str
    item: str
    sku: str
    region: str

    @property
    def why(self) -> str:
        """For a person."""
        return f"no rate is known for {self.sku} in {self.region}"


@dataclass(frozen=True)
class Monthly:
    """USD a month, in whole cents, in the four cases of ``Quantities``."""

    floor: Decimal
    expected_low: Decimal
    expected: Decimal
    ceiling: Decimal

    def as_document(self) -> dict[str, str]:
        """As programs read it."""
        return {one.name: money_text(getattr(self, one.name)) for one in fields(self)}


@dataclass(frozen=True)
class Estimate:
    """What a month may cost. ``monthly`` is None while anything is unpriced."""

    monthly: Monthly | None
    lines: tuple[Line, ...]
    unpriced: tuple[Unpriced, ...]
    assumptions: tuple[str, ...] = ()
    rates_as_of: date | None = None

    def as_document(self) -> dict[str, object]:
        """As programs read it."""
        return {
            "currency": CURRENCY,
            "rates_as_of": None if self.rates_as_of is None else self.rates_as_of.isoformat(),
            "monthly": None if self.monthly is None else self.monthly.as_document(),
            "lines": [line.as_document() for line in self.lines],
            "unpriced": [
                {
                    "resource": one.resource,
                    "item": one.item,
                    "sku": one.sku,
                    "region": one.region,
                    "why": one.why,
                }
                for one in self.unpriced
            ],
            "assumptions": list(self.assumptions),
        }


def estimate(
    charges: Iterable[Charge], rates: RateTable, assumptions: Iterable[str] = ()
) -> Estimate:
    """The estimate of ``charges`` at ``rates``; every line rounded once, totals the sums of lines."""
    priced: list[tuple[Charge, Rate | None]] = []
    unpriced: list[Unpriced] = []
    for charge in charges:
        rate = _rate(charge, rates)
        if charge.sku is not None and rate is None:
            unpriced.append(Unpriced(charge.resource, charge.item, charge.sku, charge.region))
        else:
            priced.append((charge, rate))
    used = [rate for _, rate in priced if rate is not None]
    return Estimate(
        monthly=None if unpriced else Monthly(*_totals(priced)),
        lines=tuple(_line(charge, rate) for charge, rate in priced),
        unpriced=tuple(unpriced),
        assumptions=(*assumptions, *_told(used)),
        rates_as_of=oldest(used),
    )


def _rate(charge: Charge, rates: RateTable) -> Rate | None:
    if charge.declared is not None or charge.sku is None:
        return charge.declared
    return rates.find(charge.sku, charge.region)


def _totals(priced: list[tuple[Charge, Rate | None]]) -> Iterator[Decimal]:
    for one in fields(Quantities):
        yield sum(
            (
                cents(rate.cost(getattr(charge.quantity, one.name)))
                for charge, rate in priced
                if rate is not None
            ),
            start=cents(ZERO),
        )


def _line(charge: Charge, rate: Rate | None) -> Line:
    quantity = charge.quantity.expected
    monthly = cents(ZERO if rate is None else rate.cost(quantity))
    return Line(
        charge.resource,
        charge.item,
        "" if rate is None else rate.unit,
        quantity,
        rate,
        monthly,
        _reason(charge, rate, monthly),
    )


def _reason(charge: Charge, rate: Rate | None, monthly: Decimal) -> str | None:
    """Why a line is at zero or below."""
    if charge.credit:
        return FREE_TIER
    if rate is None:
        return charge.because or NO_CHARGE
    if monthly != 0:
        return None
    return NOT_USED if charge.quantity.expected == 0 else BELOW_A_CENT


def _told(rates: Iterable[Rate]) -> Iterator[str]:
    """What must be known of the rates themselves, each thing once with all that it is said of."""
    notes: dict[str, list[str]] = {}
    for rate in rates:
        if rate.grade is Grade.UNCONFIRMED and rate.note:
            notes.setdefault(rate.note, []).append(rate.sku)
    for note, skus in notes.items():
        yield f"{', '.join(dict.fromkeys(skus))}: {note}"
