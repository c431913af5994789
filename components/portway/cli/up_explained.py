"""What went wrong in ``portway up``, in our words beside the cloud's."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from portway.cli.output import say
from portway.engine.failures import failures_of
from portway.sayings import explain

if TYPE_CHECKING:
    from portway.engine.command import Event


def print_explained(stack: str, events: Iterable["Event"], *, no_color: bool) -> None:
    """Say on standard error what the errors among ``events`` mean and what to do, where that is known."""
    failures = failures_of(events)
    found = explain(failures, stack) if failures else ()
    if found:
        say("\nIn other words:", no_color=no_color, err=True, bold=True)
    for one in found:
        say(f"- {one}", no_color=no_color, err=True)
