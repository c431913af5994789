"""All checks, in the order in which a person would ask."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from portway.conformance import access, chat, client, errors, models, streams, tools
from portway.conformance.check import Check
from portway.errors import BadInput, Problem

CHECKS: tuple[Check, ...] = tuple(
    check
    for room in (models, chat, streams, tools, errors, access, client)
    for check in room.CHECKS
)


def chosen(patterns: tuple[str, ...]) -> tuple[Check, ...]:
    """The checks whose id meets one of ``patterns`` (globs); all of them where there is none.

    Raises:
        BadInput: a pattern meets no check.
    """
    wrong = [one for one in patterns if not any(_meets((one,)))]
    if wrong:
        groups = ", ".join(dict.fromkeys(f"{check.group}-*" for check in CHECKS))
        message = f"no check is called that; choose among {groups}"
        raise BadInput([Problem("--only", f"{one!r}: {message}") for one in wrong])
    return tuple(_meets(patterns or ("*",)))


def _meets(patterns: tuple[str, ...]) -> Iterator[Check]:
    return (check for check in CHECKS if any(fnmatchcase(check.id, one) for one in patterns))
