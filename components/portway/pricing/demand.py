"""When requests come: a traffic profile as arrival rates over one repeating day or week."""

from dataclasses import dataclass
from functools import cached_property

from portway.spec.traffic import Traffic

_SECONDS_PER_DAY = 86_400.0
_HOUR_SECONDS = 3600.0


@dataclass(frozen=True)
class Demand:
    """Requests a second in each hour of a cycle that repeats (one, 24 or 168 hours), as a Poisson process."""

    per_second: tuple[float, ...]

    @cached_property
    def mean_per_second(self) -> float:
        """Over the whole cycle."""
        return sum(self.per_second) / len(self.per_second)

    @property
    def peak_per_second(self) -> float:
        """In the busiest hour."""
        return max(self.per_second)

    @property
    def cycle_seconds(self) -> float:
        """How long one cycle is."""
        return len(self.per_second) * _HOUR_SECONDS


def demand(traffic: Traffic) -> Demand:
    """``traffic`` as arrival rates: constant, all of a day in one hour, or weighted by hour."""
    daily = float(traffic.requests_per_day)
    if traffic.shape == "spread":
        return Demand((daily / _SECONDS_PER_DAY,))
    if traffic.shape == "burst":
        return Demand((daily / _HOUR_SECONDS, *(0.0 for _ in range(23))))
    weights = traffic.shape
    total = daily * (len(weights) / 24)
    scale = total / sum(weights) / _HOUR_SECONDS
    return Demand(tuple(weight * scale for weight in weights))
