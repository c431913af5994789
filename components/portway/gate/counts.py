"""Numbers read off properties: how many of something, or why nobody can tell."""

from dataclasses import dataclass

from portway.gate.quantities import whole
from portway.gate.values import Known, Missing, Unknown, shown

_ABSURD = 10**9
"""Nobody runs as many of anything; a number like that is a mistake."""


@dataclass(frozen=True)
class Count:
    """A number that was found."""

    value: int
    path: str = ""


@dataclass(frozen=True)
class Uncounted:
    """A number that could not be found: why. ``is_missing``: it was never set."""

    path: str
    why: str
    is_missing: bool = False


def number(seen: Known | Unknown | Missing) -> Count | Uncounted:
    """A count of at least 0, given as a number or as its text, also as Kubernetes writes amounts.

    -1 means no limit to the clouds.
    """
    if isinstance(seen, Missing):
        return Uncounted(seen.path, f"{seen.path} is not set", is_missing=True)
    if isinstance(seen, Unknown):
        return Uncounted(
            seen.path, f"{seen.path} is known only after deployment; make it a literal"
        )
    if isinstance(seen.value, str | int | float) and not isinstance(seen.value, bool):
        count = whole(seen.value)
        if count is not None and count < _ABSURD:
            return Count(count, seen.path)
        if str(seen.value) == "-1":
            return Uncounted(seen.path, f"{seen.path} is -1, which sets no limit", is_missing=True)
    return Uncounted(seen.path, f"{seen.path} is {shown(seen.value)}, which is no whole number")
