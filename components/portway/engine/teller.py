"""Progress on stderr: one line rewritten on a terminal, else a line every ten seconds."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

import click

_EVERY_SECONDS = 10.0


class Teller:
    """Prints what ``about`` is doing and for how long; a ``Progress``."""

    def __init__(self, about: str, *, terminal: bool) -> None:
        """``terminal``: whether stderr can rewrite a line."""
        self._about = about
        self._terminal = terminal
        self._told: tuple[str, float] | None = None

    def __call__(self, phase: str, elapsed_seconds: float) -> None:
        """Say it, unless it was said a moment ago."""
        line = f"{self._about}: {phase} … {elapsed_seconds:.0f} s"
        if self._terminal:
            click.echo(f"\r\033[K{line}", err=True, nl=False)
            return
        name = phase.partition(": ")[0]
        told = self._told
        if told is None or told[0] != name or elapsed_seconds - told[1] >= _EVERY_SECONDS:
            self._told = (name, elapsed_seconds)
            click.echo(line, err=True)

    def end(self) -> None:
        """Leave the rewritten line."""
        if self._terminal:
            click.echo("\r\033[K", err=True, nl=False)


@contextmanager
def telling(about: str) -> Generator[Teller]:
    """A teller on stderr, ended with the block."""
    teller = Teller(about, terminal=sys.stderr.isatty())
    try:
        yield teller
    finally:
        teller.end()
