"""Every error a user can meet, and the exit code it ends with.

Exit codes are fixed: 1 findings, 2 bad input or configuration, 3 something the tool needs is missing
or broken. A message says where, what was given, why not, and what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with what a user wrote.

    Attributes:
        path: dotted path in the document, such as ``scaling.max`` or ``placement.region``.
        message: what is wrong; what to do.
        where: ``file:line`` when it is known.
    """

    path: str
    message: str
    where: str | None = None

    def at(self, where: str | None) -> "Problem":
        """The same problem, found at ``where`` unless it already knows better."""
        return self if self.where is not None else replace(self, where=where)

    def __str__(self) -> str:
        """``file:line: path: message``; parts that are not known are left out."""
        return ": ".join(part for part in (self.where, self.path, self.message) if part)


class PortwayError(Exception):
    """Base of every error shown to a user: a sentence, never a traceback."""

    exit_code = 3


class Findings(PortwayError):
    """The tool worked and found something: a rule refused, a probe failed."""

    exit_code = 1


class BadInput(PortwayError):
    """What the user wrote cannot be used. Carries every problem found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep ``problems`` in the order given; there is at least one."""
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Refused(BadInput):
    """A target cannot honour what was asked. Lists every reason."""

    def __init__(self, target: str, reasons: Sequence[Problem]) -> None:
        """``reasons`` carry spec paths (``scaling.max``) or placement paths (``placement.region``)."""
        self.target = target
        super().__init__(reasons)


class Missing(PortwayError):
    """Something the tool needs is missing or broken; the message says what to install or start."""

    exit_code = 3
