"""An upstream call in a thread of its own, so that waiting for it can be given up.

Whoever waits is woken by whichever comes first: a piece of the answer, the client hanging up, the
deadline, or being idle long enough for a heartbeat.
"""

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

from .errors import deadline_exceeded

T = TypeVar("T")

_BACKLOG = 256
_PUT_SECONDS = 0.25
_GIVE_WAY_SECONDS = 0.0005
"""The first piece goes on to its client before the next are read: both threads need the interpreter."""


class Cancelled(Exception):
    """The client hung up."""


class Cancellation:
    """Says once, to everybody who listens, that a request's work must stop. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._done = False

    @property
    def done(self) -> bool:
        """Whether the work must stop."""
        return self._done

    def cancel(self) -> None:
        """Stop the work. Calling it again changes nothing."""
        with self._lock:
            if self._done:
                return
            self._done = True
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the work must stop, at once if it already must."""
        with self._lock:
            if not self._done:
                self._listeners.append(listener)
                return
        listener()

    def forget(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)


class _End(Generic[T]):
    """What the producing thread says last: why it stopped."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Producer(Generic[T]):
    """Runs the work and hands over what it makes, at most `_BACKLOG` pieces ahead."""

    def __init__(self, work: Callable[[], Iterator[T]], cancellation: Cancellation) -> None:
        self._work = work
        self._cancellation = cancellation
        self.items: queue.Queue[T | _End[T] | None] = queue.Queue(_BACKLOG)

    def run(self) -> None:
        try:
            for number, item in enumerate(self._work()):
                if not self._put(item):
                    return
                if number == 0:
                    time.sleep(_GIVE_WAY_SECONDS)
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
            self._put(_End(error))
        else:
            self._put(_End())

    def _put(self, item: T | _End[T]) -> bool:
        while not self._cancellation.done:
            try:
                self.items.put(item, timeout=_PUT_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def wake(self) -> None:
        """Let the waiting thread look at the cancellation."""
        try:
            self.items.put_nowait(None)
        except queue.Full:
            return


def pump(
    work: Callable[[], Iterator[T]],
    cancellation: Cancellation,
    deadline: float,
    idle_seconds: float,
) -> Generator[T | None, None, None]:
    """Yield what `work` yields, and None after each `idle_seconds` without anything.

    Closing the generator, or leaving it for any reason, cancels the work.

    Raises:
        Cancelled: `cancellation` was cancelled by somebody else.
        WireError: 504 when `deadline` (a `time.monotonic` instant) passed, or what `work` raised.
    """
    producer = _Producer(work, cancellation)
    cancellation.listen(producer.wake)
    threading.Thread(target=producer.run, name="upstream", daemon=True).start()
    try:
        while True:
            remaining = deadline - time.monotonic()
            if cancellation.done:
                raise Cancelled
            if remaining <= 0:
                raise deadline_exceeded("The answer took longer than this service allows.")
            try:
                item = producer.items.get(timeout=min(remaining, idle_seconds))
            except queue.Empty:
                yield None
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            if item is not None:
                yield item
    finally:
        cancellation.cancel()
