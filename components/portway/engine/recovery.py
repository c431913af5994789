"""How a stack is brought to rest after an interruption, as data: what is left and what is done to it.

Decides only. ``engine.state`` reads what is judged here, and does what is decided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

from portway.engine.evidence import (
    ADOPT,
    CREATING,
    NEVER,
    Decisions,
    Evidence,
    Orphan,
    decided,
    known_id,
    pending,
)
from portway.engine.lookups import how_to_look
from portway.engine.recover import Lock


class Do(StrEnum):
    """What is done to one thing that was left; as JSON says it."""

    RELEASE = "release-lock"
    ADOPT = "adopt"
    NEVER = "never-happened"
    READ = "read-again"
    IMPORT = "import"


@dataclass(frozen=True)
class Step:
    """One thing that will be done, with consent.

    Attributes:
        what: what happened, and what was seen.
        does: what will be done, as a sentence.
        urn: the resource; "" for a lock.
        id: under which it is adopted, or the state knows it; "" elsewhere.
        command: for ``import``: the words after ``pulumi``.
    """

    do: Do
    what: str
    does: str
    urn: str = ""
    id: str = ""
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Left:
    """One thing that cannot be settled without the user.

    Attributes:
        what: what happened, and what was seen.
        ways: what the user can do, a sentence or a command each.
        urn: the resource; "" for a lock.
        decidable: whether ``--adopt`` or ``--never-happened`` settles it.
    """

    what: str
    ways: tuple[str, ...]
    urn: str = ""
    decidable: bool = False


@dataclass(frozen=True)
class Recovery:
    """The whole plan for one stack.

    Attributes:
        blocked: something else works on the stack, or may: no step is done.
    """

    stack: str
    steps: tuple[Step, ...] = ()
    left: tuple[Left, ...] = ()
    blocked: bool = False
    ids: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def at_rest(self) -> bool:
        """Whether nothing is left of earlier operations."""
        return not self.steps and not self.left

    @property
    def waits(self) -> bool:
        """Whether creates wait for one that is not decided: the engine forgets all of them at once."""
        return any(item.decidable for item in self.left) and (bool(self.ids) or bool(self.never))

    @property
    def never(self) -> frozenset[str]:
        """The creates that are taken for never happened."""
        return frozenset(step.urn for step in self.steps if step.do is Do.NEVER)

    @property
    def reads_again(self) -> bool:
        """Whether the resources must be read from their cloud: something was adopted or half done."""
        return any(step.do in {Do.ADOPT, Do.READ} or self._has_more(step) for step in self.steps)

    @staticmethod
    def _has_more(step: Step) -> bool:
        return step.do is Do.NEVER and bool(step.id)

    def has(self, do: Do) -> bool:
        """Whether there is a step of that kind."""
        return any(step.do is do for step in self.steps)


def plan_recovery(stack: str, seen: Evidence, said: Decisions) -> Recovery:
    """What is left on ``stack``, what is proposed for it, and what only the user can decide.

    Raises:
        BadInput: a decision names no interrupted create, contradicts another, or what was seen.
    """
    adopt, never = decided(seen, said)
    locks = [_lock(lock, may_release=said.release_lock) for lock in seen.locks]
    blocked = any(isinstance(each, Left) for each in locks)
    judged = locks + [_operation(each, seen, adopt, never) for each in pending(seen.deployment)]
    steps = [each for each in judged if isinstance(each, Step)]
    left = [each for each in judged if isinstance(each, Left)]
    steps.extend(map(_orphan, seen.orphans))
    ids = {step.urn: step.id for step in steps if step.do is Do.ADOPT}
    return Recovery(stack, tuple(steps), tuple(left), blocked, ids)


def _lock(lock: Lock, *, may_release: bool) -> Step | Left:
    what = f"A lock of process {lock.pid} on {lock.host}, taken {lock.since}, is on the stack"
    if lock.alive:
        return Left(
            f"{what}, and that process works on it now.",
            ("Wait until it ends: removing its lock would not stop it, and two operations at once "
             "overwrite each other's state.",),
        )  # fmt: skip
    if lock.alive is False:
        return Step(Do.RELEASE, f"{what}; that process is gone.", "The lock is removed.")
    if may_release:
        return Step(
            Do.RELEASE,
            f"{what}; whether that process still runs cannot be seen from here.",
            "The lock is removed, as you said.",
        )
    return Left(
        f"{what}; whether that process still runs cannot be seen from here.",
        (f"Look on {lock.host} whether process {lock.pid} runs; when it does not: --release-lock",),
    )


def _operation(
    operation: Mapping[str, Any], seen: Evidence, adopt: Mapping[str, str], never: frozenset[str]
) -> Step | Left:
    resource = cast("Mapping[str, Any]", operation["resource"])
    urn, kind = str(resource["urn"]), str(operation.get("type", "changing"))
    what = f"It was interrupted while {kind} {resource.get('type', 'a resource')} ({urn})"
    if kind != CREATING:
        does = "Every resource of the stack is read from its cloud again, and the state corrected."
        return Step(Do.READ, f"{what}: it may have been done or not.", does, urn)
    found = () if seen.found is None else tuple(seen.found.get(urn, ()))
    saw = f"{what}: {_saw(seen.found is not None, found)}."
    if urn in adopt:
        return _adopt(saw, urn, adopt[urn])
    known = known_id(seen.deployment, urn)
    if urn in never or (seen.found is not None and not found):
        return _forget(what, saw, urn, known, is_said=urn in never)
    if len(found) == 1:
        return _adopt(saw, urn, found[0])
    looks = () if found else tuple(how_to_look(resource))
    identity = "ID" if not found else f"({' | '.join(found)})"
    ways = (
        *looks,
        f"The cloud has it: {ADOPT} '{urn}={identity}'",
        *(() if found else (f"The cloud does not have it: {NEVER} '{urn}'",)),
    )
    return Left(saw, ways, urn, decidable=True)


def _forget(what: str, saw: str, urn: str, known: str, *, is_said: bool) -> Step:
    """A create that left nothing new.

    What the state knows under the same URN is what was to be replaced, or what a recovery adopted
    that was itself interrupted: either way it is read again.
    """
    if not known:
        return Step(
            Do.NEVER, saw, "The attempt is forgotten; the next `pulumi up` creates it.", urn
        )
    does = f"What the state knows, {known}, is read from its cloud; the attempt is forgotten."
    if is_said:
        return Step(Do.NEVER, saw, does, urn, known)
    nothing_new = f"{what}: the cloud has nothing that the state does not know."
    return Step(Do.ADOPT, nothing_new, does, urn, known)


def _saw(looked: bool, found: Sequence[str]) -> str:  # noqa: FBT001 - two facts, one sentence
    if not looked:
        return "whether the cloud has it is not known here"
    if not found:
        return "the cloud does not have it"
    if len(found) == 1:
        return f"the cloud has it, its ID is {found[0]}"
    return f"the cloud has {len(found)} that no state knows: {', '.join(found)}"


def _adopt(what: str, urn: str, identity: str) -> Step:
    return Step(
        Do.ADOPT, what, f"It is adopted under the ID {identity}, and read from its cloud.", urn,
        identity,
    )  # fmt: skip


def _orphan(orphan: Orphan) -> Step:
    return Step(
        Do.IMPORT,
        f"{orphan.type} {orphan.id} is in the cloud, but in no state: what made it ended in the "
        "middle.",
        f"It is imported into the state under the ID {orphan.id}.",
        orphan.urn,
        orphan.id,
        orphan.command,
    )
