"""How long instances run that are held for a while after their last request: the idle tail.

Requests are served by the instance with the lowest number that has room, so the k-th runs exactly
while, at some moment of the last ``hold_seconds``, more requests were in flight than the k - 1
before it could take. With Poisson arrivals and an unlimited number of servers the number in flight
is Poisson; it crosses a level at a known rate, and crossings of a rare level are independent. For
one instance this gives 1 - exp(-rate * (hold + duration)), the form in which it is usually written.
Beyond that form: an instance that starts is billed while its requests wait (an alternating renewal
process: exact for one instance), and the requests that arrive during the first start may need more
instances. While more requests have come than all instances can answer, all of them run. Instances
that are hardly held are replayed instead (``portway.pricing.replay``).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from portway.pricing.demand import Demand
from portway.pricing.money import HOURS_PER_MONTH
from portway.pricing.poisson import below, exactly
from portway.pricing.pool import Pool, Running
from portway.pricing.replay import steady

__all__ = ["Pool", "Running", "running"]

_STEPS_PER_HOUR = 20
_STEP_SECONDS = 180.0
_HOUR_SECONDS = 3600.0
_NEGLIGIBLE = 1e-9
_CERTAIN = 700.0
_SHORT_HOLD_SECONDS = 60.0
_NEAR = 10.0
"""Durations of a request until a crossing is forgotten; fitted to a simulation."""
_RATES = 6
"""So many constant rates are replayed for a profile; those between are interpolated."""


@dataclass(frozen=True)
class _Hours:
    """A cycle in steps: requests a second, and whether requests queue for the whole pool."""

    rates: tuple[float, ...]
    is_full: tuple[bool, ...]


@lru_cache(maxsize=4096)
def running(demand: Demand, pool: Pool) -> Running:
    """The month that ``demand`` makes of ``pool``: expected values, 730 hours."""
    hours = float(HOURS_PER_MONTH)
    room = pool.most * hours
    busy = hours * demand.mean_per_second * pool.duration_seconds / pool.concurrency
    if pool.most == pool.least or demand.mean_per_second <= 0:
        return Running(pool.least * hours, 0.0, min(busy, room))
    steps = _hours(demand, pool)
    short = pool.hold_seconds < _SHORT_HOLD_SECONDS
    beyond, starts = _replayed(steps, pool) if short else _held(steps, pool)
    total = (pool.least + beyond) * hours
    return Running(min(total, room), starts * hours * _HOUR_SECONDS, min(busy, room))


def _hours(demand: Demand, pool: Pool) -> _Hours:
    """The cycle, with the queue of a pool that gets more than it can answer carried over."""
    rates = demand.per_second
    if len(rates) > 1:
        rates = tuple(rate for rate in rates for _ in range(_STEPS_PER_HOUR))
    served = pool.most * pool.concurrency / max(pool.duration_seconds, _NEGLIGIBLE)
    if demand.mean_per_second >= served:
        return _Hours(rates, (True,) * len(rates))
    queue, full = 0.0, [False] * len(rates)
    for _ in range(2):
        for step, rate in enumerate(rates):
            if rates[step - 1] == 0 and queue <= 0 and rate > served and pool.least == 0:
                queue = served * pool.start_seconds
            full[step] = queue + (rate - served) * _STEP_SECONDS / 2 > 0
            queue = max(0.0, queue + (rate - served) * _STEP_SECONDS)
    return _Hours(rates, tuple(full))


def _replayed(steps: _Hours, pool: Pool) -> tuple[float, float]:
    """Instances beyond the least, and starts a second: averages over the cycle."""
    known = _curve(pool, min(steps.rates), max(steps.rates))
    at_rate = {rate: _between(known, rate) for rate in dict.fromkeys(steps.rates)}
    running_, starts = 0.0, 0.0
    for rate, is_full in zip(steps.rates, steps.is_full, strict=True):
        here, started = at_rate[rate]
        running_ += float(pool.most - pool.least) if is_full else here
        starts += 0.0 if is_full else started
    return running_ / len(steps.rates), starts / len(steps.rates)


_Point = tuple[float, float, float]


@lru_cache(maxsize=4096)
def _curve(pool: Pool, lowest: float, highest: float) -> tuple[_Point, ...]:
    """(requests a second, instances, starts a second), never fewer instances at a higher rate."""
    count = 1 if highest <= lowest else _RATES
    points: list[_Point] = [] if count == 1 else [(0.0, 0.0, 0.0)]
    for part in range(count):
        rate = highest - (highest - lowest) * (count - 1 - part) / count
        instances, starts = steady(pool, rate)
        points.append((rate, max(instances, points[-1][1] if points else 0.0), starts))
    return tuple(points)


def _between(points: tuple[_Point, ...], rate: float) -> tuple[float, float]:
    if len(points) == 1:
        return points[0][1:]
    for (low, *ones), (high, *others) in pairwise(points):
        if rate <= high:
            part = (rate - low) / (high - low)
            instances, starts = (
                one + (other - one) * part for one, other in zip(ones, others, strict=True)
            )
            return instances, starts
    return points[-1][1:]


def _held(steps: _Hours, pool: Pool) -> tuple[float, float]:
    """Instances beyond the least, and starts a second: averages over the cycle."""
    instances, starts = 0.0, 0.0
    first = [0.0] * len(steps.rates)
    if pool.least == 0:
        first = _first_starts(steps, pool)
    surge = [0.0] * len(steps.rates)
    for number in range(pool.least, pool.most):
        fraction, started, surge = _instance(steps, pool, number, first, surge)
        if fraction < _NEGLIGIBLE:
            break
        instances += fraction
        starts += started
    return instances, starts


def _first_starts(steps: _Hours, pool: Pool) -> list[float]:
    """Starts of an empty pool in each step: a second."""
    idle = _Level(steps, pool, 0, [0.0] * len(steps.rates), [0.0] * len(steps.rates)).idle()
    found: list[float] = []
    for step, rate in enumerate(steps.rates):
        before = idle[step - 1]
        decayed = before * -math.expm1(-rate * _STEP_SECONDS) / _STEP_SECONDS
        found.append(max(idle[step] * rate, decayed) if rate else 0.0)
    return found


def _instance(
    steps: _Hours, pool: Pool, number: int, first: list[float], surge: list[float]
) -> tuple[float, float, list[float]]:
    """The fraction of the cycle in which instance ``number`` (from 0) runs, and its starts a second.

    The third value: starts a second of the next instance, in each step, that follow from its own.
    """
    level = _Level(steps, pool, number, first, surge)
    idle = level.idle()
    starts = [
        0.0 if still == 0 else still * crossing
        for still, crossing in zip(idle, level.crossings, strict=True)
    ]
    following = [0.0] * len(starts)
    if number:
        more = _by_rate(steps.rates, lambda rate: _overflow(pool, number, rate))
        following = [
            started * part if started else 0.0 for started, part in zip(starts, more, strict=True)
        ]
    return 1 - sum(idle) / len(idle), sum(starts) / len(idle), following


def _overflow(pool: Pool, number: int, rate: float) -> float:
    """The probability that requests fill instance ``number`` while it starts, and need another."""
    full = 1 - below(number * pool.concurrency, rate * pool.duration_seconds)
    return 1 - below(pool.concurrency, rate * full * pool.start_seconds)


def _surge(started: float, enough: float) -> float:
    """Starts a second of an instance by requests that came while the first instance started.

    An empty pool starts at most once in a step, so the probability of a step is made a rate.

    Args:
        started: starts a second of the empty pool.
        enough: the probability that so many come while it starts.
    """
    return -math.log1p(-min(started * _STEP_SECONDS * enough, 1 - _NEGLIGIBLE)) / _STEP_SECONDS


def _by_rate(rates: Sequence[float], function: Callable[[float], float]) -> list[float]:
    """``function`` of each rate, asked once for each that differs: a profile has few of them."""
    known = {rate: function(rate) for rate in dict.fromkeys(rates)}
    return [known[rate] for rate in rates]


class _Level:
    """The number in flight from which one instance is needed, through the cycle."""

    def __init__(
        self, steps: _Hours, pool: Pool, number: int, first: list[float], surge: list[float]
    ) -> None:
        self._full = steps.is_full
        self._pool = pool
        self._steps = len(steps.rates)
        needed, duration = number * pool.concurrency + 1, pool.duration_seconds
        self._below = _by_rate(steps.rates, lambda rate: below(needed, rate * duration))
        again = _by_rate(steps.rates, lambda rate: _again(rate, needed, rate * duration))
        self._climbs = _by_rate(steps.rates, lambda rate: _crossing(rate, needed, rate * duration))
        self._surges = surge
        if number:
            came, starting = number * pool.concurrency, pool.start_seconds
            enough = _by_rate(steps.rates, lambda rate: 1 - below(came, rate * starting))
            self._surges = [
                more + _surge(started, part)
                for started, more, part in zip(first, surge, enough, strict=True)
            ]
        self.crossings = [
            climb + more for climb, more in zip(self._climbs, self._surges, strict=True)
        ]
        self._soon = _soon(pool, again)
        self._never_idle = [
            full or math.isinf(crossing)
            for full, crossing in zip(self._full, self.crossings, strict=True)
        ]

    def idle(self) -> list[float]:
        """For each step the probability that the instance does not run."""
        if self._steps == 1:
            return [0.0 if self._full[0] else self._constant(0, self._pool.hold_seconds)]
        window = 2 + int((self._pool.hold_seconds + self._pool.start_seconds) / _STEP_SECONDS)
        found: list[float] = []
        alike = 0
        crossings, full = self.crossings, self._full
        for step, crossing in enumerate(crossings):
            is_same = crossing == crossings[step - 1] and full[step] == full[step - 1]
            alike = alike + 1 if is_same else 0
            found.append(found[-1] if alike > window else self._idle(step))
        return found

    def _constant(self, step: int, hold: float) -> float:
        crossing = self.crossings[step]
        expected = 0.0 if hold == 0 else crossing * hold + self._soon[step]
        expected += self._surges[step] * self._pool.start_seconds
        return self._starting(step, self._below[step] * math.exp(-min(expected, _CERTAIN)))

    def _idle(self, step: int) -> float:
        """No moment of the last ``hold_seconds`` before the middle of ``step`` needed it."""
        left, expected, at, part = self._pool.hold_seconds, 0.0, step, _STEP_SECONDS / 2
        crossings, never_idle = self.crossings, self._never_idle
        while True:
            if never_idle[at]:
                return 0.0
            spent = left if left < part else part
            expected += crossings[at] * spent
            left -= spent
            if left <= 0 or expected > _CERTAIN:
                break
            at, part = (at - 1) % self._steps, _STEP_SECONDS
        expected += self._soon[at] + self._surged(at, part - spent)
        return self._starting(step, self._below[at] * math.exp(-min(expected, _CERTAIN)))

    def _surged(self, step: int, part: float) -> float:
        """Instances that a surge started before the hold, and that were still starting then."""
        left, expected, surges = self._pool.start_seconds, 0.0, self._surges
        while left > 0:
            spent = left if left < part else part
            expected += surges[step] * spent
            left -= spent
            step, part = (step - 1) % self._steps, _STEP_SECONDS
        return expected

    def _starting(self, step: int, idle: float) -> float:
        """Less idle by the starts: each lasts ``start_seconds``, and nothing is answered in them."""
        if idle == 0:
            return 0.0
        return idle / (1 + idle * self._climbs[step] * self._pool.start_seconds)


def _soon(pool: Pool, again: list[float]) -> list[float]:
    """Crossings beyond the lasting rate: soon after another, while as many are in flight."""
    near = _NEAR * pool.duration_seconds
    if near <= 0:
        return [0.0] * len(again)
    factor = -math.expm1(-pool.hold_seconds / near)
    return [one * near * factor for one in again]


@lru_cache(maxsize=65_536)
def _crossing(rate: float, needed: int, load: float) -> float:
    """How often a second the number in flight climbs to ``needed`` from where it usually is.

    The inverse of the mean time of that climb, step by step: crossings that follow at once on
    another are not counted again. A step from ``count`` takes 1 / (rate * P(N = count | N <= count)).
    """
    if load == 0:
        return rate if needed == 1 else 0.0
    climb = 0.0
    for count in range(min(math.ceil(load), needed - 1), needed):
        at_most, one = below(count + 1, load), exactly(count, load)
        if one == 0 and at_most > 0:
            return 0.0  # so rare that it is no number: such a climb never ends
        climb += at_most / one if at_most > 0 else 0.0
    return rate / climb if climb > 0 else math.inf


@lru_cache(maxsize=65_536)
def _again(rate: float, needed: int, load: float) -> float:
    """How much oftener a second ``needed`` is reached from one below, than from where it usually is."""
    low = 0.0 if load == 0 else below(needed, load)
    if low <= 0:
        return 0.0
    return max(0.0, rate * exactly(needed - 1, load) / low - _crossing(rate, needed, load))
