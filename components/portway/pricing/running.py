"""How long instances run that are held for a while after their last request: the idle tail.

Requests are served by the instance with the lowest number that has room, so the k-th runs exactly
while, at some moment of the last ``hold_seconds``, more requests were in flight than the k - 1
before it could take. With Poisson arrivals and an unlimited number of servers the number in flight
is Poisson; it crosses a level at a known rate, and crossings of a rare level are independent. For
one instance this gives 1 - exp(-rate * (hold + duration)), the form in which it is usually written.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from portway.pricing.demand import Demand
from portway.pricing.money import HOURS_PER_MONTH

_STEPS_PER_HOUR = 20
_HOUR_SECONDS = 3600.0
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Pool:
    """Instances that scale between ``least`` and ``most``.

    Attributes:
        concurrency: requests one instance serves at once.
        duration_seconds: how long one request is in flight.
        hold_seconds: how long an instance without requests is kept.
        start_seconds: how long one start takes, during which the instance is billed.
    """

    least: int
    most: int
    concurrency: int
    duration_seconds: float
    hold_seconds: float
    start_seconds: float


@dataclass(frozen=True)
class Running:
    """A month of a pool: instance-hours that are billed, starts, and the busy part of the hours."""

    instance_hours: float
    starts: float
    busy_hours: float


@lru_cache(maxsize=4096)
def running(demand: Demand, pool: Pool) -> Running:
    """The month that ``demand`` makes of ``pool``: expected values, 730 hours."""
    hours = float(HOURS_PER_MONTH)
    busy = hours * demand.mean_per_second * pool.duration_seconds / pool.concurrency
    held, starts = 0.0, 0.0
    for number in range(pool.least, pool.most):
        fraction, started = _instance(demand, pool, number)
        if fraction < _NEGLIGIBLE:
            break
        held += fraction * hours
        starts += started * hours * _HOUR_SECONDS
    total = pool.least * hours + held + starts * pool.start_seconds / _HOUR_SECONDS
    return Running(min(total, pool.most * hours), starts, min(busy, pool.most * hours))


def _instance(demand: Demand, pool: Pool, number: int) -> tuple[float, float]:
    """The fraction of the cycle in which instance ``number`` (from 0) runs, and its starts a second."""
    level = number * pool.concurrency + 1
    loads = [rate * pool.duration_seconds for rate in demand.per_second]
    below = [_below(level, load) for load in loads]
    crossings = [
        rate * _exactly(level - 1, load) / low if low > 0 else math.inf
        for rate, load, low in zip(demand.per_second, loads, below, strict=True)
    ]
    if len(loads) == 1:
        idle = below[0] * math.exp(-min(crossings[0] * pool.hold_seconds, 700.0))
        return 1 - idle, 0.0 if idle == 0 else idle * crossings[0]
    return _over_cycle(below, crossings, pool.hold_seconds)


def _over_cycle(
    below: Sequence[float], crossings: Sequence[float], hold_seconds: float
) -> tuple[float, float]:
    """Averages over a cycle of hours: a window of the past may reach into earlier ones."""
    fraction, starts = 0.0, 0.0
    steps = len(below) * _STEPS_PER_HOUR
    for step in range(steps):
        now = (step + 0.5) / _STEPS_PER_HOUR
        hour = int(now)
        idle = _idle(now, below, crossings, hold_seconds / _HOUR_SECONDS)
        fraction += 1 - idle
        starts += 0.0 if idle == 0 else idle * crossings[hour]
    return fraction / steps, starts / steps


def _idle(
    now: float, below: Sequence[float], crossings: Sequence[float], hold_hours: float
) -> float:
    """The probability that no moment of the last ``hold_hours`` needed this instance."""
    expected = 0.0
    at = now
    begin = now - hold_hours
    while at > begin:
        hour = math.ceil(at) - 1
        start = max(float(hour), begin)
        crossing = crossings[hour % len(crossings)]
        if math.isinf(crossing):
            return 0.0
        expected += crossing * (at - start) * _HOUR_SECONDS
        at = start
    first = math.floor(begin) if hold_hours > 0 else int(now)
    return below[first % len(below)] * math.exp(-min(expected, 700.0))


def _below(level: int, load: float) -> float:
    """P(N < level) for a Poisson number with mean ``load``."""
    return min(1.0, sum(_exactly(count, load) for count in range(level)))


def _exactly(count: int, load: float) -> float:
    """P(N = count) for a Poisson number with mean ``load``."""
    if load == 0:
        return 1.0 if count == 0 else 0.0
    return math.exp(count * math.log(load) - load - math.lgamma(count + 1))
