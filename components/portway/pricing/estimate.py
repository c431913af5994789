"""Charges and rates to an estimate: floor, expected, ceiling, and the lines behind them.

A charge says how much of something is used; it knows no price. What has no rate is unpriced, and an
estimate with something unpriced has no totals.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal

from portway.pricing.money import CURRENCY, cents, money_shown, money_text
from portway.pricing.rate import Grade, Rate, RateTable, oldest

FREE_TIER, NO_CHARGE, BELOW_A_CENT, NOT_USED = "free-tier", "no-charge", "below-a-cent", "not-used"
ZERO = Decimal(0)
_HALF_A_CENT = Decimal("0.005")


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
        at_most_usd: an amount a month that is enforced before any more is used, on this charge and
            all of its resource that say the same, together; None without one.
    """

    resource: str
    item: str
    sku: str | None
    region: str
    quantity: Quantities
    because: str = ""
    credit: bool = False
    declared: Rate | None = None
    at_most_usd: Decimal | None = None


_Priced = tuple[Charge, Rate | None]


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
    priced: list[_Priced] = []
    unpriced: list[Unpriced] = []
    for charge in charges:
        rate = _rate(charge, rates)
        if charge.sku is not None and rate is None:
            unpriced.append(Unpriced(charge.resource, charge.item, charge.sku, charge.region))
        else:
            priced.append((charge, rate))
    used = [rate for _, rate in priced if rate is not None]
    held = _within_limits(priced)
    refused = sum((_cost(one, "expected") for one in priced), start=ZERO) - sum(
        (_cost(one, "expected") for one in held), start=ZERO
    )
    return Estimate(
        monthly=None if unpriced else Monthly(*_totals(held, priced)),
        lines=tuple(_line(charge, rate) for charge, rate in held),
        unpriced=tuple(unpriced),
        assumptions=(*assumptions, *_of_refused(refused), *_told(used)),
        rates_as_of=oldest(used),
    )


def _rate(charge: Charge, rates: RateTable) -> Rate | None:
    if charge.declared is not None or charge.sku is None:
        return charge.declared
    return rates.find(charge.sku, charge.region)


def _within_limits(priced: list[_Priced]) -> list[_Priced]:
    """``priced`` with what shares an enforced amount cut to it, in each case; their rates are flat."""
    sharing: dict[tuple[str, Decimal], list[_Priced]] = {}
    for charge, rate in priced:
        if charge.at_most_usd is not None:
            key = (charge.resource, charge.at_most_usd)
            sharing.setdefault(key, []).append((charge, rate))
    parts = {key: _parts(key[1], group) for key, group in sharing.items()}
    return [
        (charge, rate)
        if charge.at_most_usd is None
        else (_cut(charge, parts[charge.resource, charge.at_most_usd]), rate)
        for charge, rate in priced
    ]


def _parts(most: Decimal, group: list[_Priced]) -> tuple[Decimal, ...]:
    """For each case the part of what would be used that ``most`` USD lets through."""
    # A line is rounded by half a cent at most, and their sum must not exceed what is enforced.
    room = max(most - _HALF_A_CENT * len(group), ZERO)
    costs = [sum((_cost(one, case.name) for one in group), ZERO) for case in fields(Quantities)]
    return tuple(room / cost if cost > most else Decimal(1) for cost in costs)


def _cut(charge: Charge, parts: tuple[Decimal, ...]) -> Charge:
    used = zip(charge.quantity.each(), parts, strict=True)
    return replace(charge, quantity=Quantities(*(one * part for one, part in used)))


def _cost(one: _Priced, case: str) -> Decimal:
    charge, rate = one
    quantity: Decimal = getattr(charge.quantity, case)
    return ZERO if rate is None else rate.cost(quantity)


def _of_refused(usd: Decimal) -> Iterator[str]:
    if usd >= 2 * _HALF_A_CENT:
        yield (
            f"the declared traffic would use {money_shown(usd)} more a month than is enforced: what "
            "comes then is refused and not counted"
        )


def _totals(priced: list[_Priced], uncut: list[_Priced]) -> Iterator[Decimal]:
    """The sum of every case; of the ceiling what is enforced to the cent, and not its rounded lines."""
    for one in fields(Quantities):
        if one.name == "ceiling":
            yield _ceiling(uncut)
        else:
            yield sum((cents(_cost(each, one.name)) for each in priced), start=cents(ZERO))


def _ceiling(uncut: list[_Priced]) -> Decimal:
    shared: dict[tuple[str, Decimal], Decimal] = {}
    total = cents(ZERO)
    for charge, rate in uncut:
        cost = cents(_cost((charge, rate), "ceiling"))
        if charge.at_most_usd is None:
            total += cost
        else:
            key = (charge.resource, charge.at_most_usd)
            shared[key] = shared.get(key, ZERO) + cost
    return total + sum((cents(min(cost, most)) for (_, most), cost in shared.items()), start=ZERO)


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
