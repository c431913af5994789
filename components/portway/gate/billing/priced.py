"""One resource at its rates: what it costs a month with no traffic, as declared, and at its maximum."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from portway.gate.billing.billed import Billed
from portway.gate.billing.cannot import Fault
from portway.gate.billing.rates import BOOK
from portway.gate.resource import Resource
from portway.pricing.assume import NO_TRAFFIC
from portway.pricing.charges import Unbounded, charges
from portway.pricing.demand import demand
from portway.pricing.estimate import ZERO, Charge, Estimate, Monthly, Quantities, Unpriced, estimate
from portway.pricing.meter import Fixed, Held, Meter, PerUse
from portway.pricing.rate import Grade, Rate, Tier
from portway.pricing.work import Work

SECONDS_ASSUMED = 1.0
ORDINARY = Work(
    demand(NO_TRAFFIC),
    SECONDS_ASSUMED,
    NO_TRAFFIC.input_tokens,
    NO_TRAFFIC.output_tokens,
    ("a request to what is no model takes one second",),
)
"""The work of what is part of no service of ours: no traffic is known of it."""


@dataclass(frozen=True)
class CostLine:
    """One thing that is billed, in all cases. ``rates``: what it was priced with, if anything."""

    resource: str
    urn: str
    item: str
    monthly: Monthly
    rates: tuple[Rate, ...]


@dataclass(frozen=True)
class Priced:
    """One resource at its rates.

    Attributes:
        service: URN of the service of ours that it belongs to, or None.
        lines: what could be priced of it.
        faults: why it, or a part of it, could not be.
    """

    resource: Resource
    service: str | None
    meters: tuple[Meter, ...]
    lines: tuple[CostLine, ...] = ()
    faults: tuple[Fault, ...] = ()
    assumptions: tuple[str, ...] = ()

    @property
    def floor(self) -> Decimal:
        """USD a month with no traffic, of all that could be priced."""
        return sum((one.monthly.floor for one in self.lines), start=Decimal("0.00"))

    @property
    def ceiling(self) -> Decimal:
        """USD a month at its maximum, of all that could be priced."""
        return sum((one.monthly.ceiling for one in self.lines), start=Decimal("0.00"))


def priced(resource: Resource, seen: Billed, work: Work, service: str | None = None) -> Priced:
    """``resource`` at its rates, when it does ``work``."""
    lines: list[CostLine] = []
    faults = list(seen.faults)
    for meter in seen.meters:
        try:
            made = charges((meter,), work)
        except Unbounded:
            why = "nothing declares its maximum, so it has no ceiling"
            faults.append(Fault("", why, is_unbounded=True))
            continue
        for group in _together(made):
            found = estimate(group, BOOK)
            faults += map(_unpriced, found.unpriced)
            if found.monthly is not None:
                lines.append(_line(resource, group, found))
    said = tuple(_sentences(seen.meters))
    return Priced(resource, service, seen.meters, tuple(lines), _once(faults), said)


def as_declared(resource: Resource, usd: Decimal, key: str, service: str | None = None) -> Priced:
    """``resource`` at what the organisation says it costs a month."""
    source = f"declared_usd of {key}"
    rate = Rate("declared", "", "month", (Tier(None, usd),), source, None, Grade.DECLARED)
    charge = Charge(
        resource.name, "as declared", "declared", "", Quantities.always(Decimal(1)), declared=rate
    )
    monthly = estimate((charge,), BOOK).monthly
    lines = () if monthly is None else (_declared(resource, monthly, rate),)
    return Priced(resource, service, (), lines)


def _together(made: tuple[Charge, ...]) -> Iterator[tuple[Charge, ...]]:
    """Charge by charge, but for those that share an amount which is enforced."""
    shared = tuple(one for one in made if one.at_most_usd is not None)
    yield from ((one,) for one in made if one.at_most_usd is None)
    if shared:
        yield shared


def _line(resource: Resource, group: tuple[Charge, ...], found: Estimate) -> CostLine:
    items = " and ".join(dict.fromkeys(one.item for one in group))
    rates = tuple(line.rate for line in found.lines if line.rate is not None)
    monthly = found.monthly or Monthly(ZERO, ZERO, ZERO, ZERO)
    return CostLine(resource.name, resource.urn, items, monthly, rates)


def _declared(resource: Resource, monthly: Monthly, rate: Rate) -> CostLine:
    return CostLine(resource.name, resource.urn, "as declared", monthly, (rate,))


def _unpriced(one: Unpriced) -> Fault:
    return Fault("", f"{one.why} ({one.item})")


def _once(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(dict.fromkeys(faults))


def _sentences(meters: Iterable[Meter]) -> Iterator[str]:
    for meter in meters:
        if isinstance(meter, Fixed | PerUse) and meter.assumed:
            yield meter.assumed
        elif isinstance(meter, Held) and meter.shape:
            yield f"{meter.resource}: {meter.shape}"
