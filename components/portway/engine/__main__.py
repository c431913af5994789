"""``python -m portway.engine ensure``: get an engine, saying what is done and for how long."""

import sys

import click

from portway.engine.find import ensure_engine
from portway.engine.teller import telling
from portway.errors import PortwayError


@click.group()
def main() -> None:
    """Portway's Pulumi engine."""


@main.command()
def ensure() -> None:
    """Find the engine, or install or build one; print its path, version and origin."""
    try:
        with telling("engine") as teller:
            engine = ensure_engine(teller)
    except PortwayError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
    click.echo(f"engine: {engine.path} {engine.version} ({engine.origin.words})")


if __name__ == "__main__":
    main(prog_name="python -m portway.engine")
