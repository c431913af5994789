"""What a rule is, and what it says when it refuses."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from portway.gate.resource import Resource, Stack

Config_contra = TypeVar("Config_contra", contravariant=True)


class Severity(StrEnum):
    """How much a violation matters; every level is refused unless configuration says advisory."""

    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Violation:
    """A rule's *no*.

    Attributes:
        message: which resource, what was given, why not, what to do. Without the rule id.
        urn: the resource, or None for the stack as a whole.
        path: the property, or "" where the resource as a whole is meant.
        undetermined: the rule could not know; refused all the same, unless configuration is lenient.
        advice: worth saying, refused by nobody.
    """

    message: str
    urn: str | None
    path: str = ""
    undetermined: bool = False
    advice: bool = False


@dataclass(frozen=True)
class Rule(Generic[Config_contra]):
    """One rule: metadata and pure functions. Ids are stable; never reused.

    Attributes:
        judge: one resource. Called when it is registered (``stack`` is None: leave to later what
            cannot be told yet) and once more with the whole stack; saying the same twice is harmless.
        judge_stack: what only the whole stack shows.
        controls: what of the law and of the standards the rule serves, as an auditor would cite it.
        advises: reported, not refused, unless configuration says mandatory: the absence of something
            that another stack may well hold.
    """

    id: str
    severity: Severity
    description: str
    remediation: str
    judge: Callable[[Resource, Config_contra, Stack | None], Iterable[Violation]] | None = None
    judge_stack: Callable[[Stack, Config_contra], Iterable[Violation]] | None = None
    controls: tuple[str, ...] = ()
    advises: bool = False
