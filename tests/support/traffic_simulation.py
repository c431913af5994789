"""Requests one by one through a pool of instances: the truth that the idle-tail model is held to.

Every event is an event: an arrival, the end of a start, of a request, of a hold. Nothing here is
shared with the model but the words for what a pool and a demand are.
"""

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from portway.pricing.demand import Demand
from portway.pricing.pool import Pool

_DAY = 86_400.0
_READY, _END, _RELEASE = range(3)


@dataclass
class _Instance:
    up: bool
    ready: bool
    inside: int = 0
    waiting: int = 0
    since: float = 0.0
    hold: int = 0


@dataclass
class Simulation:
    """A pool in time. ``billed_seconds`` is complete once ``close`` was called."""

    pool: Pool
    billed_seconds: float = 0.0
    starts: int = 0
    _instances: list[_Instance] = field(default_factory=list[_Instance])
    _events: list[tuple[float, int, int, int]] = field(
        default_factory=list[tuple[float, int, int, int]]
    )
    _queue: int = 0

    def __post_init__(self) -> None:
        """What always runs is up from the beginning."""
        for number in range(self.pool.most):
            kept = number < self.pool.least
            self._instances.append(_Instance(up=kept, ready=kept))

    def arrive(self, now: float) -> None:
        """The next request, after everything that happened before it."""
        self._advance(now)
        starting = stopped = -1
        for number, one in enumerate(self._instances):
            if not one.up:
                if stopped < 0:
                    stopped = number
            elif one.inside + one.waiting < self.pool.concurrency:
                if one.ready:
                    self._serve(number, now)
                    return
                if starting < 0:
                    starting = number
        if starting >= 0:
            self._instances[starting].waiting += 1
        elif stopped >= 0:
            self._start(stopped, now)
        else:
            self._queue += 1

    def close(self, now: float) -> None:
        """Bill what still runs, up to ``now``."""
        self._advance(now)
        self.billed_seconds += sum(now - one.since for one in self._instances if one.up)

    def _start(self, number: int, now: float) -> None:
        one = self._instances[number]
        one.up, one.ready, one.waiting, one.since = True, False, 1, now
        self.starts += 1
        heapq.heappush(self._events, (now + self.pool.start_seconds, _READY, number, 0))

    def _serve(self, number: int, now: float) -> None:
        one = self._instances[number]
        one.inside += 1
        one.hold += 1
        heapq.heappush(self._events, (now + self.pool.duration_seconds, _END, number, 0))

    def _advance(self, now: float) -> None:
        events = self._events
        while events and events[0][0] <= now:
            at, kind, number, hold = heapq.heappop(events)
            one = self._instances[number]
            if kind == _END:
                self._end(number, one, at)
            elif kind == _READY:
                one.ready = True
                waiting, one.waiting = one.waiting, 0
                for _ in range(waiting):
                    self._serve(number, at)
            elif one.hold == hold and one.inside == 0:
                one.up = one.ready = False
                self.billed_seconds += at - one.since

    def _end(self, number: int, one: _Instance, at: float) -> None:
        one.inside -= 1
        if self._queue:
            self._queue -= 1
            self._serve(number, at)
        elif one.inside == 0 and number >= self.pool.least:
            release = at + self.pool.hold_seconds
            heapq.heappush(self._events, (release, _RELEASE, number, one.hold))


def simulated(pool: Pool, arrivals: Iterable[float], until: float) -> Simulation:
    """What ``pool`` does with ``arrivals`` (seconds, ascending) up to ``until``."""
    simulation = Simulation(pool)
    for now in arrivals:
        simulation.arrive(now)
    simulation.close(until)
    return simulation


def arrivals(demand: Demand, until: float, seed: int) -> Iterator[float]:
    """Poisson arrivals, hour by hour, up to ``until`` seconds."""
    random = Random(seed)
    hour, begin = 0, 0.0
    while begin < until:
        end = min(begin + 3600.0, until)
        rate = demand.per_second[hour % len(demand.per_second)]
        now = begin + random.expovariate(rate) if rate else math.inf
        while now < end:
            yield now
            now += random.expovariate(rate)
        hour, begin = hour + 1, end


@dataclass(frozen=True)
class Profile:
    """One random service: its name says how its requests are spread."""

    shape: str
    requests_per_day: float
    demand: Demand
    pool: Pool

    @property
    def days(self) -> int:
        """Enough for a mean, in whole cycles."""
        return max(3, min(1500, int(25_000 / self.requests_per_day)))


def profiles(count: int, seed: int = 1) -> Iterator[Profile]:
    """Random traffic and pools: shapes and hold times in turn, so that few cover every pair."""
    random = Random(seed)
    for number in range(count):
        shape = ("uniform", "diurnal", "burst")[number % 3]
        hold = (0, 60, 600, 900)[number // 3 % 4]
        daily = 10 ** random.uniform(1, 4.5)
        yield Profile(shape, daily, _demand(shape, daily, random), _pool(hold, random))


def instance_hours(profile: Profile, seed: int) -> float:
    """Instance-hours of a month of 730 hours."""
    until = profile.days * _DAY
    simulation = simulated(profile.pool, arrivals(profile.demand, until, seed), until)
    return simulation.billed_seconds / until * 730


def _demand(shape: str, daily: float, random: Random) -> Demand:
    if shape == "uniform":
        return Demand((daily / _DAY,))
    if shape == "burst":
        return Demand((daily / 3600, *(0.0 for _ in range(23))))
    swing = random.uniform(0.3, 1)
    weights = [
        (1 + swing * math.cos((hour - 14) / 12 * math.pi)) * random.uniform(0.7, 1.3)
        for hour in range(24)
    ]
    return Demand(tuple(daily * weight / sum(weights) / 3600 for weight in weights))


def _pool(hold: int, random: Random) -> Pool:
    least = random.choice((0, 0, 1))
    most = random.choice((1, 2, 3, 8))
    return Pool(least, most, random.choice((1, 4, 8)), random.uniform(1, 10), hold, 20.0)
