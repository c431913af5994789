"""What a journal tells of a move, and which step comes next. Pure.

Nothing here asks, changes or waits for anything. ``migrate`` does what is decided here, and writes down
what it did; what is written down decides what comes next, whoever reads it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from portway.portability.move import SHIFTS, Act, Move, Step, steps_back, steps_forward


class Kind(StrEnum):
    """What one record of a journal says."""

    BEGIN = "begin"
    RESUME = "resume"
    INTENT = "intent"
    """A step is about to be tried: its side effects may have happened from here on."""
    DONE = "done"
    FAILED = "failed"
    TURN = "turn"
    """From here on everything is undone."""
    END = "end"


class Reaction(StrEnum):
    """What follows a step that did not succeed."""

    STOP = "stop"
    """Nothing was changed: the migration ends."""
    TURN = "turn"
    """Everything is undone, beginning with the traffic."""
    HOLD = "hold"
    """Nothing more is done until a person says ``--resume`` or ``--rollback``."""
    EVACUATE = "evacuate"
    """The source is gone and the destination proved itself: it gets everything at once."""


class Outcome(StrEnum):
    """How a migration ended."""

    MOVED = "moved"
    ROLLED_BACK = "rolled back"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Record:
    """One line of a journal.

    Attributes:
        number: from 1, without gaps.
        at: when it was written, RFC 3339.
        token: the lease under which it was written.
        step: the step's id; "" where the record is of none.
        data: JSON; never a secret.
    """

    number: int
    at: str
    token: int
    kind: Kind
    step: str = ""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Story:
    """What the records of a journal say, taken together.

    Attributes:
        move: as begun, with what later records changed.
        going_back: whether everything is being undone.
        why: why it turned.
        done: the steps that need not be done again.
        touched: every step that was ever begun.
        open: the step that was begun and did not end.
        found: what steps found out, by step.
        evacuating: the source is gone; what needs it is left out.
        outcome: None until it ended.
        failed: the newest step that failed, and why.
    """

    move: Move
    going_back: bool = False
    why: str = ""
    done: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    open: str = ""
    found: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    evacuating: bool = False
    outcome: Outcome | None = None
    failed: tuple[str, str] | None = None

    @property
    def made_destination(self) -> bool:
        """Whether this migration created what the destination has."""
        found = self.found.get(Act.PREFLIGHT.value, {})
        return Act.DEPLOY.value in self.touched and not found.get("destination_existed", True)

    @property
    def moved_traffic(self) -> bool:
        """Whether a request may have gone to the destination."""
        return any(step.startswith("shift-") for step in self.touched)


def fold(records: Iterable[Record]) -> Story:
    """The story of ``records``, the first of which is that of the beginning."""
    rest = iter(records)
    story = Story(Move.of_data(next(rest).data))
    for record in rest:
        story = told(story, record)
    return story


def told(story: Story, record: Record) -> Story:
    """``story`` with one record more."""
    data, step = record.data, record.step
    match record.kind:
        case Kind.BEGIN:
            return Story(Move.of_data(data))
        case Kind.RESUME:
            return _resumed(story, data)
        case Kind.INTENT:
            return replace(story, open=step, touched=story.touched | {step})
        case Kind.DONE:
            found = {**story.found, step: data}
            return replace(story, open="", done=story.done | {step}, found=found)
        case Kind.FAILED:
            evacuating = story.evacuating or bool(data.get("evacuate"))
            failed = (step, str(data.get("why", "")))
            return replace(story, open="", evacuating=evacuating, failed=failed)
        case Kind.TURN:
            why = story.why or str(data.get("why", ""))
            return replace(story, going_back=True, why=why, outcome=None)
        case Kind.END:
            return replace(story, outcome=Outcome(data["outcome"]))


def _resumed(story: Story, data: Mapping[str, Any]) -> Story:
    """A source that was kept may still be retired, also after the end of the move."""
    keep = bool(data.get("keep_source", story.move.keep_source))
    outcome = story.outcome
    if outcome is Outcome.MOVED and keep != story.move.keep_source:
        outcome = None
    return replace(
        story,
        move=replace(story.move, keep_source=keep),
        done=story.done - {Act.VERIFY.value},
        evacuating=story.evacuating or bool(data.get("evacuate")),
        outcome=outcome,
    )


def next_step(story: Story) -> Step | None:
    """The step that comes next; None when there is none and the migration ends."""
    if story.outcome is not None:
        return None
    steps = _behind(story) if story.going_back else _ahead(story)
    return next((step for step in steps if step.id not in story.done), None)


def outcome_of(story: Story) -> Outcome:
    """How a story ends that has no next step."""
    return Outcome.ROLLED_BACK if story.going_back else Outcome.MOVED


def after_failure(step: Step, *, source_answers: bool, destination_answers: bool) -> Reaction:
    """What follows ``step``, which did not succeed.

    Traffic is never given to an end that does not answer, and an end that may be the last one which
    does is never removed.
    """
    if step.act is Act.PREFLIGHT:
        return Reaction.STOP
    if step.act in {Act.DEPLOY, Act.PROBE, Act.REPLAY}:
        return Reaction.TURN if source_answers else Reaction.HOLD
    if step.act is not Act.SHIFT:
        return Reaction.HOLD
    if source_answers:
        return Reaction.TURN
    may_leave = destination_answers and step.percent < SHIFTS[-1]
    return Reaction.EVACUATE if may_leave else Reaction.HOLD


def _ahead(story: Story) -> Iterator[Step]:
    for step in steps_forward(story.move):
        needs_source = step.act is Act.REPLAY or (step.act is Act.SHIFT and step.percent < SHIFTS[-1])  # fmt: skip
        if not (story.evacuating and needs_source):
            yield step


def _behind(story: Story) -> tuple[Step, ...]:
    return steps_back(
        story.move, story.touched,
        moved_traffic=story.moved_traffic, made_destination=story.made_destination,
    )  # fmt: skip
