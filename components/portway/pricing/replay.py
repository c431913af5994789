"""A short, seeded replay of arrivals: instances that are hardly held, where no closed form is near.

An instance that stops as soon as its last request ends starts again for most requests, those that
arrive meanwhile wait, and which instance runs depends on the order of all of them. The gaps between
arrivals are the quantiles of their exponential distribution in one fixed, mixed order: the same
question has the same answer everywhere, and few arrivals suffice.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from random import Random

from portway.pricing.pool import Pool

_ARRIVALS = 2000
_SEED = 7
_NEVER = -math.inf


@dataclass
class _Instance:
    """One instance: when it can answer, and when its latest requests end (one for each place)."""

    ends: deque[float]
    ready: float = _NEVER
    since: float = _NEVER
    last: float = _NEVER


@dataclass
class Replay:
    """What a pool did with arrivals that came in order. Times are seconds.

    Attributes:
        billed_seconds: of instances that have stopped, beyond those that always run.
        starts: of instances, so far.
    """

    pool: Pool
    billed_seconds: float = 0.0
    starts: int = 0
    _instances: list[_Instance] = field(default_factory=list[_Instance])

    def __post_init__(self) -> None:
        """The pool before its first request: what always runs, runs."""
        for _ in range(self.pool.most):
            self._instances.append(_Instance(deque(maxlen=self.pool.concurrency)))

    def arrive(self, now: float) -> None:
        """One request, which takes a place that is free, or starts one, or waits for the first."""
        pool = self.pool
        starting: _Instance | None = None
        stopped: _Instance | None = None
        for number, one in enumerate(self._instances):
            if number >= pool.least and one.last + pool.hold_seconds <= now:
                stopped = stopped or one
            elif len(one.ends) < pool.concurrency or one.ends[0] <= now:
                if one.ready <= now:
                    self._take(one, now)
                    return
                starting = starting or one
        if starting is not None:
            self._take(starting, starting.ready)
        elif stopped is not None:
            self._start(stopped, now)
        else:
            first = min(self._instances, key=lambda one: one.ends[0])
            self._take(first, max(first.ends[0], first.ready))

    def finish(self, now: float) -> None:
        """Count what still runs, up to ``now``."""
        for one in self._instances[self.pool.least :]:
            self._stop(one, now)

    def _take(self, one: _Instance, begin: float) -> None:
        one.last = begin + self.pool.duration_seconds
        one.ends.append(one.last)

    def _start(self, one: _Instance, now: float) -> None:
        self._stop(one, now)
        self.starts += 1
        one.since = now
        one.ready = now + self.pool.start_seconds
        one.ends.clear()
        self._take(one, one.ready)

    def _stop(self, one: _Instance, now: float) -> None:
        if one.since != _NEVER:
            self.billed_seconds += min(one.last + self.pool.hold_seconds, now) - one.since


def replayed(pool: Pool, arrivals: Iterable[float], until: float) -> Replay:
    """What ``pool`` does with ``arrivals`` (seconds, ascending) up to ``until``."""
    replay = Replay(pool)
    for now in arrivals:
        replay.arrive(now)
    replay.finish(until)
    return replay


def steady(pool: Pool, per_second: float) -> tuple[float, float]:
    """Instances beyond the least that run on average, and starts a second, at a constant rate."""
    if per_second <= 0:
        return 0.0, 0.0
    if per_second * pool.duration_seconds >= pool.most * pool.concurrency:
        return float(pool.most - pool.least), 0.0
    until = _ARRIVALS / per_second
    replay = replayed(pool, (moment / per_second for moment in _moments()), until)
    return replay.billed_seconds / until, replay.starts / until


@cache
def _moments() -> tuple[float, ...]:
    """Arrivals of a rate of one."""
    gaps = [-math.log((count + 0.5) / _ARRIVALS) for count in range(_ARRIVALS)]
    Random(_SEED).shuffle(gaps)  # noqa: S311
    moments: list[float] = []
    now = 0.0
    for gap in gaps:
        now += gap
        moments.append(now)
    return tuple(moments)
