"""Saying what is being done and for how long."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

Progress = Callable[[str, float], None]
"""Called with what is being done and the seconds it has taken so far."""


def silent(phase: str, elapsed_seconds: float) -> None:
    """Report nothing."""


class Phase:
    """What is being done now; its ``detail`` may change while it runs."""

    def __init__(self, text: str, progress: Progress) -> None:
        """Begin at once; ``text`` is shown with the elapsed seconds."""
        self.detail = ""
        self._text = text
        self._progress = progress
        self._began_seconds = time.monotonic()

    def report(self) -> None:
        """Say the phase, its detail and the elapsed seconds."""
        text = f"{self._text}: {self.detail}" if self.detail else self._text
        self._progress(text, time.monotonic() - self._began_seconds)


@contextmanager
def phase(text: str, progress: Progress, every_seconds: float = 1.0) -> Generator[Phase]:
    """Report ``text`` now and every so often until the block ends."""
    current = Phase(text, progress)
    done = threading.Event()

    def beat() -> None:
        while not done.wait(every_seconds):
            current.report()

    current.report()
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield current
    finally:
        done.set()
        thread.join()
        current.report()
