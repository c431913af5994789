"""Stores of the meter for tests: one that keeps its promises in memory, and one that breaks."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from portway.runtime.meter_amounts import Amounts, limit_passed
from portway.runtime.meter_store import StoreAway

T = TypeVar("T")


class MemoryStore:
    """What `Store` promises, written down as plainly as possible; the others are held to it."""

    def __init__(self) -> None:
        self.used: dict[str, Amounts] = {}
        self.open: dict[tuple[str, str], Amounts] = {}
        self.calls = 0

    def reserve(
        self, month: str, token: str, amounts: Amounts, limits: Mapping[str, int]
    ) -> str | None:
        self.calls += 1
        if (month, token) in self.open:
            return None
        after = self.used.get(month, Amounts()) + amounts
        passed = limit_passed(after.named(), limits)
        if passed is None:
            self.used[month] = after
            self.open[month, token] = amounts
        return passed

    def settle(self, month: str, token: str, change: Amounts, others: Sequence[str]) -> None:
        self.calls += 1
        if self.open.pop((month, token), None) is not None:
            self.used[month] += change
            for other in others:
                self.open.pop((month, other), None)

    def close(self) -> None:
        """Nothing to give up."""


class BreakingStore:
    """Another store behind a network: calls get lost, and so do answers; it can be away for long."""

    def __init__(self, store: MemoryStore, chance: random.Random, share: float = 0.2) -> None:
        self._store = store
        self._chance = chance
        self.share = share
        self.away = False
        self.answers_to_lose = 0

    def reserve(
        self, month: str, token: str, amounts: Amounts, limits: Mapping[str, int]
    ) -> str | None:
        return self._lossy(lambda: self._store.reserve(month, token, amounts, limits))

    def settle(self, month: str, token: str, change: Amounts, others: Sequence[str]) -> None:
        self._lossy(lambda: self._store.settle(month, token, change, others))

    def close(self) -> None:
        """Nothing to give up."""

    def _lossy(self, call: Callable[[], T]) -> T:
        if self.away or self._chance.random() < self.share:
            raise StoreAway("the call was lost")
        answer = call()
        self.answers_to_lose -= 1
        if self.answers_to_lose >= 0 or self._chance.random() < self.share:
            raise StoreAway("the answer was lost")
        return answer
