"""What went wrong in ``portway up``, in our words beside the cloud's."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from portway.cli.output import say
from portway.sayings import explain

if TYPE_CHECKING:
    from portway.engine.command import Event

_TAG: Final = re.compile(r"<\{%[^%]*%\}>")
"""The engine's marks for colours."""


def print_explained(stack: str, events: Iterable["Event"], *, no_color: bool) -> None:
    """Say on standard error what the errors among ``events`` mean and what to do, where that is known."""
    failures = failures_of(events)
    found = explain(failures, stack) if failures else ()
    if found:
        say("\nIn other words:", no_color=no_color, err=True, bold=True)
    for one in found:
        say(f"- {one}", no_color=no_color, err=True)


def failures_of(events: Iterable["Event"]) -> list[tuple[str, str]]:
    """Where and what each error event of the engine says."""
    told = (event["diagnosticEvent"] for event in events if "diagnosticEvent" in event)
    return [
        (_named(one.get("urn") or ""), _TAG.sub("", one["message"]))
        for one in told
        if one.get("severity") == "error"
    ]


def _named(urn: str) -> str:
    """``chat-service (gcp:cloudrunv2/service:Service)`` of a URN."""
    if not urn:
        return ""
    _, _, kinds, name = urn.split("::", 3)
    return f"{name} ({kinds.rpartition('$')[2]})"
