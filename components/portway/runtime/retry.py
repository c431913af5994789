"""Trying a model again while nothing of the answer was said: with jitter, and never past the end.

Only what the model did no work for is tried again, so that nobody pays twice. The pause is drawn
evenly from zero to a bound that doubles (AWS Architecture Blog, "Exponential backoff and jitter").
"""

import os
import threading
from collections.abc import Callable, Iterator

from .errors import WireError
from .jsons import JsonObject
from .pump import Cancellation

MOST_TRIES = 3
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 2.0
_TRANSIENT = frozenset({429, 503})


def completed(cancellation: Cancellation, ask: Callable[[], JsonObject]) -> JsonObject:
    """What `ask` answers, tried again where it may be; raises its last `WireError`."""
    retry = _Retry(cancellation)
    while True:
        try:
            return ask()
        except WireError as error:
            if not retry.again(error):
                raise


def streamed(
    cancellation: Cancellation, ask: Callable[[], Iterator[JsonObject]]
) -> Iterator[JsonObject]:
    """What `ask` yields, begun again where it may be: never after its first piece.

    A throttle may arrive as the first event of a stream that began with 200.
    """
    retry = _Retry(cancellation)
    while True:
        begun = False
        try:
            for piece in ask():
                begun = True
                yield piece
        except WireError as error:
            if begun or not retry.again(error):
                raise
        else:
            return


class _Retry:
    """How often one request was tried. Waiting for it ends as soon as nobody waits any more."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation
        self._tried = 1

    def again(self, error: WireError) -> bool:
        """Whether to try again after `error`; returns after the pause that belongs before it."""
        if error.status not in _TRANSIENT or not error.unasked or self._tried >= MOST_TRIES:
            return False
        bound = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (self._tried - 1))
        self._tried += 1
        return not _cancelled_within(self._cancellation, bound * _fraction())


def _cancelled_within(cancellation: Cancellation, seconds: float) -> bool:
    ended = threading.Event()
    cancellation.listen(ended.set)
    try:
        return ended.wait(seconds)
    finally:
        cancellation.forget(ended.set)


def _fraction() -> float:
    """An even draw from 0 to 1; the `random` module costs a start more than it is worth here."""
    return int.from_bytes(os.urandom(4), "big") / 0xFFFFFFFF
