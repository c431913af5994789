"""Whether a GPU that is always on is busy enough: against the serverless one that is known.

The part of the month in which it is needed includes the idle tail of the alternative, which keeps an
instance for a while after its last request.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from portway.gate.billing.rates import find
from portway.gate.billing.stack import ServiceEstimate
from portway.gate.tables import table
from portway.pricing.charges import pool_of
from portway.pricing.meter import Held
from portway.pricing.money import HOURS_PER_MONTH
from portway.pricing.running import running

FALLBACK: Final = Decimal("0.40")
"""The part that is quoted in general; it stands in where no price decides."""

_HOLD_SECONDS: Final = 600.0
_HOUR: Final = 3600


@dataclass(frozen=True)
class Idle:
    """A pool that is always on, and what it is needed for.

    Attributes:
        instances: that are kept, whatever comes.
        needed: the part of the month in which requests, or the wait after them, need them.
        enough: the part from which keeping them is worth it.
        because: where ``enough`` comes from.
        monthly: USD a month for keeping them.
    """

    resource: str
    instances: int
    needed: Decimal
    enough: Decimal
    because: str
    monthly: Decimal


def kept_idle(service: ServiceEstimate, configured: Decimal | None) -> Iterator[Idle]:
    """The GPUs that ``service`` keeps always on and that its traffic does not need enough."""
    for one in service.resources:
        for meter in one.meters:
            if isinstance(meter, Held) and meter.served_by and meter.least and meter.most:
                found = _judged(meter, service, configured)
                if found.needed < found.enough:
                    yield found


def _judged(meter: Held, service: ServiceEstimate, configured: Decimal | None) -> Idle:
    pool = replace(
        pool_of(meter, service.work), least=0, most=meter.least, hold_seconds=_HOLD_SECONDS
    )
    hours = running(service.work.demand, pool).instance_hours
    needed = Decimal(hours / (meter.least * float(HOURS_PER_MONTH))).quantize(Decimal("0.0001"))
    hourly = _hourly(meter)
    enough, because = _enough(meter, hourly, configured)
    monthly = (hourly or Decimal(0)) * HOURS_PER_MONTH * meter.least
    return Idle(meter.resource, meter.least, needed, enough, because, monthly)


def _enough(meter: Held, hourly: Decimal | None, configured: Decimal | None) -> tuple[Decimal, str]:
    if configured is not None:
        return configured, "min_utilisation"
    other = _serverless(meter)
    if other is None or hourly is None or _is_serverless(meter):
        return FALLBACK, "a general figure: no price of an alternative decides it here"
    part = min(hourly / other, Decimal(1)).quantize(Decimal("0.0001"))
    return part, f"{hourly:.4f} USD an hour against {other:.4f} for a serverless {meter.served_by}"


def _hourly(meter: Held) -> Decimal | None:
    """USD an hour for one instance; None where a part of it has no rate."""
    total = Decimal(0)
    for part in meter.parts:
        rate = part.declared or find(part.sku, meter.region)
        if rate is None:
            return None
        total += rate.amount * part.units * _HOUR / part.per_seconds
    return total


def _serverless(meter: Held) -> Decimal | None:
    """USD an hour for the smallest serverless instance with that GPU in that region."""
    shape = table("billed/gcp.json")["serverless"].get(meter.served_by)
    if shape is None:
        return None
    total = Decimal(0)
    for sku, units in shape.items():
        rate = find(sku, meter.region)
        if rate is None:
            return None
        total += rate.amount * Decimal(units) * _HOUR
    return total


def _is_serverless(meter: Held) -> bool:
    return all(part.per_seconds == 1 for part in meter.parts)
