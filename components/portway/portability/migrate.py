"""Carries a move out, step by step: the journal first, then the side effect, then the journal again.

Thin: what comes next is decided by ``migration``, what is good enough by ``guards``, and what is done by
``steps``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from portway.engine.recover import Unresolved
from portway.errors import BadInput, Findings, Missing, Problem
from portway.portability.journal import Journal, NotWritten
from portway.portability.lease import Busy, Fenced
from portway.portability.migration import (
    Kind,
    Outcome,
    Reaction,
    Story,
    after_failure,
    fold,
    next_step,
    outcome_of,
    told,
)
from portway.portability.move import Act, Move, Step
from portway.portability.steps import Found, Steps
from portway.portability.world import Tools

_NOT_OF_THE_STEP = (Fenced, Busy, Unresolved, NotWritten)
"""What says nothing about a step: nothing is undone for it."""


@dataclass(frozen=True)
class Told:
    """One thing that happened, for people and programs.

    Attributes:
        step: its id; ``migration`` for the whole.
        state: ``begun``, ``done``, ``failed``, ``turned``, ``held`` or ``ended``.
        detail: a sentence; never a secret.
    """

    step: str
    state: str
    detail: str


Tell = Callable[[Told], object]


class Holding(Findings):
    """The migration stands still, and a person decides: ``--resume`` or ``--rollback``."""


def begin(journal: Journal, move: Move, token: int) -> None:
    """Write the first record: from here on there is a migration."""
    journal.append(Kind.BEGIN, token, data=move.as_data())


def resume(
    journal: Journal, token: int, *, keep_source: bool | None = None, evacuate: bool = False
) -> None:
    """Go on with what was begun, in the direction it had.

    Args:
        journal: of a migration.
        token: of the lease.
        keep_source: when given, changes what happens to the source in the end.
        evacuate: leave out what needs the source.
    """
    data: dict[str, bool] = {"evacuate": True} if evacuate else {}
    if keep_source is not None:
        data["keep_source"] = keep_source
    journal.append(Kind.RESUME, token, data=data)


def turn(journal: Journal, token: int, why: str) -> None:
    """Undo everything from here on. Doing it again changes nothing.

    Raises:
        BadInput: the migration was stopped before it changed anything.
    """
    story = fold(journal.records)
    if story.outcome is Outcome.STOPPED:
        raise BadInput([_nothing_to_undo(story)])
    if not story.going_back:
        journal.append(Kind.TURN, token, data={"why": why})


def run(journal: Journal, tools: Tools, tell: Tell = lambda _: None) -> Outcome:
    """Do what is left of the journal's move; returns how it ended.

    Raises:
        Holding: a step failed in a way that neither going on nor undoing mends by itself.
        Fenced: somebody else has taken over.
        PortwayError: a tool is missing or broken, or the disk is full; the journal stays open.
    """
    executor = _Executor(journal, tools, tell)
    while (outcome := executor.story.outcome) is None:
        executor.do_next()
    return outcome


class _Executor:
    """One controller at work on one journal."""

    def __init__(self, journal: Journal, tools: Tools, tell: Tell) -> None:
        self._journal = journal
        self._tools = tools
        self._tell = tell
        self._steps = Steps(tools)
        self.story = fold(journal.records)

    def do_next(self) -> None:
        """The next step, or the end."""
        story = self.story
        step = next_step(story)
        if step is None:
            outcome = outcome_of(story)
            self._write(Kind.END, data={"outcome": outcome.value})
            self._tell(Told("migration", "ended", _ended(story, outcome)))
            return
        self._write(Kind.INTENT, step.id)
        self._tell(Told(step.id, "begun", step.does))
        try:
            found = self._steps.do(step, story)
        except _NOT_OF_THE_STEP:
            raise
        except (Findings, BadInput, Missing) as error:
            # what is missing says nothing against an end, but for a move that has not begun
            if isinstance(error, Missing) and step.act is not Act.PREFLIGHT:
                raise
            self._failed(step, str(error), story)
            return
        self._write(Kind.DONE, step.id, found)
        self._tell(Told(step.id, "done", _shown(found)))

    def _failed(self, step: Step, why: str, story: Story) -> None:
        move, reaction = story.move, self._reaction(step, story.move)
        self._write(Kind.FAILED, step.id, {"why": why, "evacuate": reaction is Reaction.EVACUATE})
        self._tell(Told(step.id, "failed", why))
        match reaction:
            case Reaction.STOP:
                self._write(Kind.END, data={"outcome": Outcome.STOPPED.value})
                self._tell(Told("migration", "ended", f"stopped at {step.id}: nothing was changed"))
            case Reaction.TURN:
                self._write(Kind.TURN, data={"why": f"{step.id}: {why}"})
                text = f"everything is undone, because {step.id} failed"
                self._tell(Told("migration", "turned", text))
            case Reaction.EVACUATE:
                text = f"{move.source} answers no more: {move.destination} gets everything at once"
                self._tell(Told("migration", "turned", text))
            case Reaction.HOLD:
                self._tell(Told("migration", "held", f"stands at {step.id}"))
                raise Holding(f"the migration stands at {step.id}: {why}\n{_ways(step, story)}")

    def _reaction(self, step: Step, move: Move) -> Reaction:
        asks = step.act in {Act.DEPLOY, Act.PROBE, Act.REPLAY, Act.SHIFT}
        shifts = step.act is Act.SHIFT
        return after_failure(
            step,
            source_answers=asks and self._steps.answers(move.source),
            destination_answers=shifts and self._steps.answers(move.destination),
        )

    def _write(self, kind: Kind, step: str = "", data: Found | None = None) -> None:
        self._tools.lease.check()
        record = self._journal.append(kind, self._tools.lease.token, step, data)
        self.story = told(self.story, record)


def _ways(step: Step, story: Story) -> str:
    words = f"portway migrate {story.move.source} {story.move.destination}"
    if story.going_back:
        return f"Mend that, then: {words} --rollback"
    ways = f"Mend that, then: {words} --resume, or undo everything: {words} --rollback"
    if step.act in {Act.DEPLOY, Act.PROBE, Act.REPLAY}:
        ways += (
            f"\n{story.move.source} does not answer, so nothing was undone. To send everything to "
            f"{story.move.destination} as soon as it keeps the wire contract: {words} --resume --evacuate"
        )
    return ways


def _ended(story: Story, outcome: Outcome) -> str:
    if outcome is Outcome.MOVED:
        return f"{story.move.destination} has all traffic"
    return f"{story.move.source} has all traffic again"


def _nothing_to_undo(story: Story) -> Problem:
    ended = f"the migration to {story.move.destination} was stopped before it changed anything"
    return Problem("--rollback", f"{ended}; there is nothing to undo")


def _shown(found: Found) -> str:
    """What a step found out, as a person reads it."""
    parts: list[str] = []
    for name, value in found.items():
        if isinstance(value, dict):
            one = cast("dict[str, float]", value)
            milliseconds = one["first_token_seconds"] * 1000
            said = (
                f"{one['asked']} asked, {one['failed']} failed, first token {milliseconds:.0f} ms"
            )
            parts.append(f"{name.replace('_', ' ')}: {said}")
        elif isinstance(value, list):
            parts += map(str, cast("list[object]", value))
        else:
            parts.append(f"{name.replace('_', ' ')}: {value}")
    return ", ".join(parts)
