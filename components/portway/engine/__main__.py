"""``python -m portway.engine ensure``: get an engine, saying what is done and for how long."""

import sys

import click

from portway.engine.find import ensure_engine
from portway.errors import PortwayError

_EVERY_SECONDS = 10.0


class Teller:
    """Prints progress: one line rewritten on a terminal, else a line every ten seconds."""

    def __init__(self, *, terminal: bool) -> None:
        """``terminal``: whether stderr can rewrite a line."""
        self._terminal = terminal
        self._told: tuple[str, float] | None = None

    def __call__(self, phase: str, elapsed_seconds: float) -> None:
        """Say it, unless it was said a moment ago."""
        line = f"engine: {phase} … {elapsed_seconds:.0f} s"
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


@click.group()
def main() -> None:
    """Portway's Pulumi engine."""


@main.command()
def ensure() -> None:
    """Find the engine, or install or build one; print its path, version and origin."""
    teller = Teller(terminal=sys.stderr.isatty())
    try:
        engine = ensure_engine(teller)
    except PortwayError as error:
        teller.end()
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
    teller.end()
    click.echo(f"engine: {engine.path} {engine.version} ({engine.origin.words})")


if __name__ == "__main__":
    main(prog_name="python -m portway.engine")
