"""``python -m portway.sandbox.controlplane ensure``: build the real control plane for this user's cache."""

import sys
import time

import click

from portway.engine.go_tool import find_go
from portway.engine.teller import telling
from portway.errors import PortwayError
from portway.sandbox.controlplane.programs import ensure_programs, find_programs


@click.group()
def main() -> None:
    """The sandbox's real Kubernetes control plane."""


@main.command()
@click.option("--if-possible", is_flag=True, help="Do without where there is no Go.")
def ensure(*, if_possible: bool) -> None:
    """Build it when it is not built; print where it is and how long that took."""
    if if_possible and find_go() is None and find_programs() is None:
        click.echo("kubernetes: no Go on PATH, so no real control plane")
        return
    began_seconds = time.monotonic()
    try:
        with telling("kubernetes") as teller:
            programs = ensure_programs(teller)
    except PortwayError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
    took_seconds = time.monotonic() - began_seconds
    click.echo(f"kubernetes: {programs.controlplane.parent} ({took_seconds:.0f} s)")


if __name__ == "__main__":
    main(prog_name="python -m portway.sandbox.controlplane")
