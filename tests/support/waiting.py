"""Waiting for what comes true in its own time: as long as a busy machine may need, and no longer."""

import time
from collections.abc import Callable

import httpx

PATIENCE_SECONDS = 120.0
_PAUSE_SECONDS = 0.02


def eventually(condition: Callable[[], object], seconds: float | None = None) -> bool:
    """Whether ``condition`` holds within ``seconds``, or within ``PATIENCE_SECONDS``.

    A server that does not answer yet is waited for.
    """
    deadline = time.monotonic() + (PATIENCE_SECONDS if seconds is None else seconds)
    while not _holds(condition):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until ``condition`` holds; fail naming ``what`` when it never does."""
    assert eventually(condition), f"waited in vain for {what}"


def answered(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The first answer of a server that may not be there yet."""
    answers: list[httpx.Response] = []

    def has_come() -> bool:
        answers.append(ask())
        return True

    until(has_come, "an answer")
    return answers[0]


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except httpx.TransportError:
        return False
