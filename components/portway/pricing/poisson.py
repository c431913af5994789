"""Poisson numbers: how likely each is, and how likely one below; computed once for each mean."""

import math
from functools import lru_cache


def below(level: int, load: float) -> float:
    """P(N < level) for a Poisson number with mean ``load``."""
    return _poisson(load).below(level)


def exactly(count: int, load: float) -> float:
    """P(N = count) for a Poisson number with mean ``load``."""
    return _poisson(load).exactly(count)


class _Poisson:
    """A Poisson number with mean ``load``: probabilities, each computed once."""

    def __init__(self, load: float) -> None:
        self._load = load
        self._exactly: list[float] = []
        self._below = [0.0]

    def exactly(self, count: int) -> float:
        """P(N = count)."""
        if count >= len(self._exactly):
            self._grow(count)
        return self._exactly[count]

    def below(self, level: int) -> float:
        """P(N < level)."""
        if level >= len(self._below):
            self._grow(level)
        return min(1.0, self._below[level])

    def _grow(self, last: int) -> None:
        load = self._load
        for count in range(len(self._exactly), last + 1):
            one = 1.0 if count == 0 else 0.0
            if load > 0:
                one = math.exp(count * math.log(load) - load - math.lgamma(count + 1))
            self._exactly.append(one)
            self._below.append(self._below[-1] + one)


@lru_cache(maxsize=4096)
def _poisson(load: float) -> _Poisson:
    return _Poisson(load)
