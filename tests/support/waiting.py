"""Waiting for what comes true in its own time: as long as a busy machine may need, and no longer."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

PATIENCE_SECONDS = 120.0
_PAUSE_SECONDS = 0.05

T = TypeVar("T")


def first(
    ask: Callable[[], T], met: Callable[[T], object], what: str, seconds: float | None = None
) -> T:
    """The first value of ``ask`` that is ``met``; fails naming ``what`` when none comes in time.

    Args:
        ask: asked again and again.
        met: whether a value is the one that is waited for.
        what: is waited for, in words.
        seconds: how long; ``PATIENCE_SECONDS`` without.
    """
    deadline = time.monotonic() + (PATIENCE_SECONDS if seconds is None else seconds)
    while not met(value := ask()):
        assert time.monotonic() < deadline, f"waited in vain for {what}: {value}"
        time.sleep(_PAUSE_SECONDS)
    return value


def until(condition: Callable[[], object], what: str, seconds: float | None = None) -> None:
    """Wait until ``condition`` holds; fail naming ``what`` when it never does."""
    first(condition, bool, what, seconds)


def eventually(condition: Callable[[], object], seconds: float | None = None) -> bool:
    """Whether ``condition`` holds in time."""
    deadline = time.monotonic() + (PATIENCE_SECONDS if seconds is None else seconds)
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


def reached(ask: Callable[[], httpx.Response]) -> httpx.Response | None:
    """The answer of a server that may not be there yet; None while it is not."""
    try:
        return ask()
    except httpx.TransportError:
        return None
