"""What the engine's own events say went wrong, and with which resource."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from portway.engine.command import Event

_COLOUR: Final = re.compile(r"<\{%[^%]*%\}>")
"""The engine's marks for colours."""


def failures_of(events: Iterable["Event"]) -> list[tuple[str, str]]:
    """Where ("" where it names no resource) and what each error event says, without colours."""
    told = (event["diagnosticEvent"] for event in events if "diagnosticEvent" in event)
    return [
        (_named(one.get("urn") or ""), _COLOUR.sub("", str(one["message"])).strip())
        for one in told
        if one.get("severity") == "error"
    ]


def _named(urn: str) -> str:
    """``chat-service (gcp:cloudrunv2/service:Service)`` of a URN."""
    if not urn:
        return ""
    _, _, kinds, name = urn.split("::", 3)
    return f"{name} ({kinds.rpartition('$')[2]})"
