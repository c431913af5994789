"""Members that come and go with demand: Cloud Run's instances and Lambda's execution environments."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from portway.sandbox.dataplane.context import Context, Signal
from portway.sandbox.dataplane.instance import StartFailed

TICK_SECONDS = 0.25
RETRY_SECONDS = 2.0


class Member(Protocol):
    """What a pool needs to know of its members."""

    @property
    def alive(self) -> bool:
        """Whether it may still be used."""
        ...

    async def start(self) -> None:
        """Make it ready, or raise ``StartFailed``."""
        ...

    async def stop(self) -> None:
        """End it."""
        ...


class Exhausted(Exception):
    """Every member is busy, and there may not be another."""


M = TypeVar("M", bound=Member)


@dataclass
class _Slot(Generic[M]):
    member: M
    started: bool = False
    active: int = 0
    idle_since: float = 0.0


@dataclass(frozen=True)
class Limits:
    """What a pool may do.

    Attributes:
        least: members kept although nobody uses them.
        most: members there may be.
        concurrency: uses of one member at once.
        idle_seconds: how long an unused member is kept.
        queue_seconds: how long a use waits when there may not be another member.
    """

    least: int
    most: int
    concurrency: int
    idle_seconds: float
    queue_seconds: float


class Pool(Generic[M]):
    """Members made on demand, shared up to a concurrency, and ended when idle."""

    def __init__(self, context: Context, make: Callable[[], M], limits: Limits) -> None:
        self._context = context
        self._make = make
        self.limits = limits
        self._slots: list[_Slot[M]] = []
        self._changed = Signal()
        self._waiting = 0
        self._failures = 0
        self._failure: StartFailed | None = None
        self._retry_at = 0.0
        self._closing = False
        self._keeper = context.spawn(self._keep())

    @property
    def size(self) -> int:
        """Members there are, also those that start."""
        return len(self._slots)

    @property
    def members(self) -> list[M]:
        """Members that have started."""
        return [slot.member for slot in self._slots if slot.started]

    @property
    def in_use(self) -> int:
        """Uses going on and waiting."""
        return self._waiting + sum(slot.active for slot in self._slots)

    @asynccontextmanager
    async def use(self, prefer: Callable[[M], bool] | None = None) -> AsyncGenerator[M]:
        """A member for one use, made if there is none to spare; one that is preferred, if it has room.

        Raises:
            Exhausted: none became free in time.
            StartFailed: the one that was made for this use did not start.
        """
        slot = await self._acquire(prefer)
        try:
            yield slot.member
        finally:
            slot.active -= 1
            slot.idle_since = time.monotonic()
            self._changed.fire()

    async def verify(self) -> None:
        """Make one member if there is none and wait until one has started.

        Raises:
            StartFailed: it did not start.
        """
        async with self.use():
            return

    async def close(self, drain_seconds: float = 0) -> None:
        """End every member; uses going on may finish within ``drain_seconds``."""
        deadline = time.monotonic() + drain_seconds
        while self.in_use and time.monotonic() < deadline:
            await self._changed.wait(min(TICK_SECONDS, drain_seconds))
        self._closing = True
        self._keeper.cancel()
        slots, self._slots = self._slots, []
        self._changed.fire()
        await asyncio.gather(*(slot.member.stop() for slot in slots))

    async def _acquire(self, prefer: Callable[[M], bool] | None) -> _Slot[M]:
        failures = self._failures
        deadline = time.monotonic() + self.limits.queue_seconds
        self._waiting += 1
        try:
            while not self._closing:
                slot = self._free(prefer)
                if slot is not None:
                    slot.active += 1
                    return slot
                if self._failure is not None and self._failures > failures and not self._slots:
                    raise self._failure
                self._grow()
                starting = any(not slot.started for slot in self._slots)
                left = deadline - time.monotonic()
                if left <= 0 and not starting:
                    raise Exhausted
                await self._changed.wait(TICK_SECONDS if starting else min(left, TICK_SECONDS))
            raise Exhausted
        finally:
            self._waiting -= 1

    def _free(self, prefer: Callable[[M], bool] | None) -> _Slot[M] | None:
        usable = [
            slot for slot in self._slots
            if slot.started and slot.member.alive and slot.active < self.limits.concurrency
        ]  # fmt: skip
        preferred = [slot for slot in usable if prefer is not None and prefer(slot.member)]
        return max(preferred or usable, key=lambda slot: slot.active, default=None)

    def _grow(self) -> None:
        starting = sum(not slot.started for slot in self._slots)
        if (
            starting * self.limits.concurrency < self._waiting
            and len(self._slots) < self.limits.most
        ):
            self._add()

    def _add(self) -> None:
        slot = _Slot(self._make())
        self._slots.append(slot)
        self._context.spawn(self._bring_up(slot))

    async def _bring_up(self, slot: _Slot[M]) -> None:
        try:
            await slot.member.start()
        except StartFailed as error:
            self._failures += 1
            self._failure = error
            self._retry_at = time.monotonic() + RETRY_SECONDS
            await self._remove(slot)
        else:
            slot.idle_since = time.monotonic()
            slot.started = True
        self._changed.fire()

    async def _remove(self, slot: _Slot[M]) -> None:
        if slot in self._slots:
            self._slots.remove(slot)
        await slot.member.stop()

    async def _keep(self) -> None:
        while True:
            for slot in [s for s in self._slots if s.started and not s.member.alive]:
                await self._remove(slot)
            now = time.monotonic()
            if now >= self._retry_at:
                for _ in range(self.limits.least - len(self._slots)):
                    self._add()
            idle = [
                s for s in self._slots
                if s.started and not s.active and now - s.idle_since > self.limits.idle_seconds
            ]  # fmt: skip
            for slot in idle[: max(0, len(self._slots) - self.limits.least)]:
                await self._remove(slot)
            with contextlib.suppress(TimeoutError):
                await self._changed.wait(TICK_SECONDS)
