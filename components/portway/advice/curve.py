"""What a placement would cost with other traffic: its meters against requests a day."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

from portway.advice.candidate import Candidate
from portway.advice.scalings import room_needed
from portway.pricing.charges import charges, pool_of
from portway.pricing.demand import Demand, demand
from portway.pricing.estimate import ZERO
from portway.pricing.meter import Fixed, Held, Meter, NoCharge
from portway.pricing.rate import RateTable
from portway.pricing.running import running
from portway.pricing.work import Work
from portway.spec.traffic import Traffic

_HALVINGS = 40
_CLOSE = 1e-4


@dataclass(frozen=True)
class Curve:
    """USD a month against requests a day, all else as declared.

    Attributes:
        unit: the demand of one request a day, in the declared shape.
        most_per_day: beyond it the busiest hour would not fit into ``candidate``'s scaling.
    """

    candidate: Candidate
    rates: RateTable
    unit: Demand
    most_per_day: float

    def usd(self, per_day: float) -> float:
        """What is expected a month with ``per_day`` requests a day; not rounded."""
        work = scaled(self.candidate.work, self.unit, per_day)
        return float(self._always + spent(self._by_use, work, self.rates))

    @cached_property
    def _always(self) -> Decimal:
        """What no request changes, USD a month."""
        fixed = tuple(one for one in self.candidate.meters if isinstance(one, Fixed | NoCharge))
        return spent(fixed, self.candidate.work, self.rates)

    @cached_property
    def _by_use(self) -> tuple[Meter, ...]:
        return tuple(one for one in self.candidate.meters if not isinstance(one, Fixed | NoCharge))


def curve_of(candidate: Candidate, traffic: Traffic, rates: RateTable) -> Curve:
    """The curve of ``candidate``, whose spec declares ``traffic``."""
    unit = demand(traffic.model_copy(update={"requests_per_day": 1}))
    room = candidate.scaling.max * candidate.scaling.concurrency
    each = unit.peak_per_second * candidate.work.request_seconds
    return Curve(candidate, rates, unit, _most_load(room) / each)


def scaled(work: Work, unit: Demand, per_day: float) -> Work:
    """``work`` with ``per_day`` requests a day in the shape of ``unit``."""
    return replace(work, demand=Demand(tuple(one * per_day for one in unit.per_second)))


def spent(meters: tuple[Meter, ...], work: Work, rates: RateTable) -> Decimal:
    """What is expected a month, before any line is rounded; everything in it has a rate."""
    held = tuple(one for one in meters if isinstance(one, Held))
    others = tuple(one for one in meters if not isinstance(one, Held))
    total = sum((_of_held(one, work, rates) for one in held), start=ZERO)
    for charge in charges(others, work):
        rate = charge.declared
        if rate is None and charge.sku is not None:
            rate = rates.find(charge.sku, charge.region)
        if rate is not None:
            total += rate.cost(charge.quantity.expected)
    return total


def _of_held(meter: Held, work: Work, rates: RateTable) -> Decimal:
    """Instances as long as they are expected to run; what they would cost released at once is not asked."""
    hours = running(work.demand, pool_of(meter, work)).instance_hours * meter.copies
    total = ZERO
    for part in meter.parts:
        rate = part.declared or rates.find(part.sku, meter.region)
        if rate is not None:
            used = Decimal(hours * 3600) * part.units / part.per_seconds
            total += rate.cost(used) - rate.cost(min(used, part.free_units))
    return total


def crossings(
    difference: Callable[[float], float], low: float, high: float, steps: int
) -> Iterator[float]:
    """Where ``difference`` changes its sign between ``low`` and ``high``, ascending.

    The span is first cut into ``steps`` parts, equal on a log axis, of which no more are looked at than
    it takes to find those asked for.
    """
    points = ((point, difference(point)) for point in spaced(low, high, steps))
    for (left, before), (right, after) in pairwise(points):
        if (before > 0) != (after > 0):
            yield _bisected(difference, left, right, is_above=before > 0)


def spaced(low: float, high: float, steps: int) -> Iterator[float]:
    """``steps`` + 1 numbers from ``low`` to ``high``, equally far apart on a log axis."""
    for step in range(steps + 1):
        yield low * (high / low) ** (step / steps)


def steps_for(traffic: Traffic) -> int:
    """How finely a change is looked for: a profile by hours takes longer to evaluate."""
    return 24 if traffic.shape == "spread" else 12


def _bisected(
    difference: Callable[[float], float], low: float, high: float, *, is_above: bool
) -> float:
    for _ in range(_HALVINGS):
        if high / low < 1 + _CLOSE:
            break
        middle = (low * high) ** 0.5
        if (difference(middle) > 0) == is_above:
            low = middle
        else:
            high = middle
    return (low * high) ** 0.5


def _most_load(room: int) -> float:
    """The largest average of requests in flight that ``room`` places serve (``room_needed``)."""
    low, high = 0.0, float(room)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if room_needed(middle) <= room else (low, middle)
    return low
