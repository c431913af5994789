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
from portway.pricing.estimate import Charge, Monthly, Quantities, Unpriced, estimate
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
    """One thing that is billed, in all cases. ``rate`` is None for what costs nothing."""

    resource: str
    urn: str
    item: str
    monthly: Monthly
    rate: Rate | None


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
        for charge in made:
            found = estimate((charge,), BOOK)
            faults += map(_unpriced, found.unpriced)
            if found.monthly is not None:
                rate = found.lines[0].rate
                line = CostLine(resource.name, resource.urn, charge.item, found.monthly, rate)
                lines.append(line)
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


def _declared(resource: Resource, monthly: Monthly, rate: Rate) -> CostLine:
    return CostLine(resource.name, resource.urn, "as declared", monthly, rate)


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
