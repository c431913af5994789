"""Which scalings of a service are worth comparing: those that serve its busiest hour."""

import math

from portway.pricing.work import Work
from portway.spec.scaling import Scaling

MAY_WAIT = 0.01
"""In the busiest hour of a scaling that we propose, at most this part of requests finds no room."""

_EACH = 8
"""Up to so many instances every number of them kept warm is compared."""

_QUANTILE = 2.3263479
"""Of the normal distribution, for ``MAY_WAIT``."""

_LARGE = 2000
"""Above it a Poisson number is normal enough, with the first term of its skewness."""

_SPREADS = 12
"""Standard deviations beyond which a Poisson number is not met."""


def in_flight(work: Work) -> float:
    """Requests in flight on average in the busiest hour."""
    return work.demand.peak_per_second * work.request_seconds


def serves(scaling: Scaling, work: Work) -> bool:
    """Whether the busiest hour brings less than the whole pool can answer."""
    load = in_flight(work)
    return load == 0 or load < scaling.max * scaling.concurrency


def instances_needed(work: Work, concurrency: int) -> int:
    """The fewest instances for which at most ``MAY_WAIT`` of the busiest hour finds no room."""
    return max(1, math.ceil(room_needed(in_flight(work)) / concurrency))


def room_needed(load: float) -> int:
    """The least number that a Poisson number with mean ``load`` exceeds hardly ever (``MAY_WAIT``)."""
    if load <= 0:
        return 0
    if load > _LARGE:
        return math.ceil(load + _QUANTILE * math.sqrt(load) + (_QUANTILE**2 - 1) / 6)
    spread = _SPREADS * (math.sqrt(load) + 1)
    number = max(0, math.floor(load - spread))
    last = math.ceil(load + spread)
    below = 0.0
    while number < last:
        below += math.exp(number * math.log(load) - load - math.lgamma(number + 1))
        if below >= 1 - MAY_WAIT:
            return number
        number += 1
    return last


def scalings(own: Scaling, work: Work) -> tuple[Scaling, ...]:
    """The scalings to compare, the declared one first; none where the busiest hour does not fit.

    With the declared maximum and with the fewest instances that serve: every number kept warm, or
    beyond ``_EACH`` of them none, one, the declared number, the two around the average load (what is
    kept warm by the request is cheapest at one of these) and all.
    """
    if not serves(own, work):
        return ()
    needed = min(own.max, instances_needed(work, own.concurrency))
    average = work.demand.mean_per_second * work.request_seconds / own.concurrency
    found = [
        Scaling(min=least, max=most, concurrency=own.concurrency)
        for most in (own.max, needed)
        for least in (own.min, *_kept(most, average))
        if least <= most
    ]
    return tuple(dict.fromkeys(found))


def _kept(most: int, average: float) -> tuple[int, ...]:
    if most <= _EACH:
        return tuple(range(most + 1))
    return (0, 1, math.floor(average), math.ceil(average), most)
