"""A move as data: what is moved, every step forward and back, in words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

SHIFTS = (5, 25, 50, 100)
"""Percent of the new requests that the destination gets, one step after the other."""


class Act(StrEnum):
    """What a step does; the executor knows one way to do each."""

    PREFLIGHT = "preflight"
    DEPLOY = "deploy"
    PROBE = "probe"
    REPLAY = "replay"
    SHIFT = "shift"
    DRAIN = "drain"
    KEEP = "keep"
    RETIRE = "retire"
    VERIFY = "verify"
    RESTORE = "restore"
    RETURN = "return"
    EMPTY = "empty"
    SPARE = "spare"
    REMOVE = "remove"
    CONFIRM = "confirm"


class Costs(StrEnum):
    """Which of the two ends is paid for while a step stands."""

    SOURCE = "source"
    BOTH = "both"
    DESTINATION = "destination"


@dataclass(frozen=True)
class Move:
    """What is moved where, and how; the first record of a journal.

    Attributes:
        source: the stack that is left; ``destination`` the one that is moved to.
        door: the stack that owns the name which clients use.
        keep_source: whether the source still runs in the end.
        is_same_model: whether both ends are known to serve the same weights and precision.
        timeout_seconds: the longest that a request may last; the spec's.
        shifts: percent of new requests for the destination, rising to 100.
    """

    service: str
    environment: str
    source: str
    destination: str
    door: str
    keep_source: bool = True
    is_same_model: bool = True
    timeout_seconds: int = 300
    shifts: tuple[int, ...] = SHIFTS

    def as_data(self) -> dict[str, Any]:
        """As a journal keeps it."""
        return {**vars(self), "shifts": list(self.shifts)}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> "Move":
        """Raises: KeyError, TypeError: the data are not those of a move."""
        known: dict[str, Any] = {name: data[name] for name in cls.__dataclass_fields__}
        known["shifts"] = tuple(data["shifts"])
        return cls(**known)

    def weights(self, percent: int) -> dict[str, int]:
        """What the door is told: ``percent`` to the destination, the rest to the source."""
        return {self.source: 100 - percent, self.destination: percent}


@dataclass(frozen=True)
class Step:
    """One step, for people, for programs and for the executor.

    Attributes:
        id: stable, such as ``shift-25``.
        does: what is done, in words.
        changes: what of the world it changes; "" where it only looks.
        undone: how that is undone.
        guard: what must hold for it to succeed.
        costs: which ends are paid for while it stands.
        percent: of new requests that go to the destination once it is done.
    """

    id: str
    act: Act
    does: str
    changes: str
    undone: str
    guard: str
    costs: Costs
    percent: int = 0

    def as_document(self) -> dict[str, Any]:
        """As programs read it."""
        return {**vars(self), "act": self.act.value, "costs": self.costs.value}


@cache
def steps_forward(move: Move) -> tuple[Step, ...]:
    """Every step of ``move``, in order."""
    from_, to = move.source, move.destination
    last = _retire(move) if not move.keep_source else _keep(move)
    return (
        Step(
            Act.PREFLIGHT.value, Act.PREFLIGHT,
            f"look: both packs on {from_}, {to} and {move.door}; compare both ends; nothing may be "
            f"unfinished; {from_} answers and has all traffic",
            "", "nothing to undo", "every one of them holds", Costs.SOURCE,
        ),
        Step(
            Act.DEPLOY.value, Act.DEPLOY,
            f"pulumi up {to}, both packs on",
            f"creates the resources of {to}, with a secret of its own for its API keys",
            f"pulumi destroy {to}, if it was not there before",
            "the packs refuse nothing, and every resource is ready", Costs.BOTH,
        ),
        Step(
            Act.PROBE.value, Act.PROBE,
            f"ask {to} everything that OpenAI's clients rely on", "", "nothing to undo",
            "no claim is broken", Costs.BOTH,
        ),
        Step(
            Act.REPLAY.value, Act.REPLAY,
            "ask both ends the same prompts, without the clients noticing", "", "nothing to undo",
            _alike(move), Costs.BOTH,
        ),
        *(_shift(move, percent) for percent in move.shifts),
        Step(
            Act.DRAIN.value, Act.DRAIN,
            f"wait until {from_} has answered what it was asked, at most {move.timeout_seconds} s",
            "", "nothing to undo", "no request is open there", Costs.BOTH,
        ),
        last,
        Step(
            Act.VERIFY.value, Act.VERIFY,
            "look once more: both packs, nothing unfinished, all traffic at the destination, "
            f"{move.door} answers", "", "nothing to undo", "every one of them holds",
            Costs.BOTH if move.keep_source else Costs.DESTINATION,
        ),
    )  # fmt: skip


def steps_back(
    move: Move, touched: frozenset[str], *, moved_traffic: bool, made_destination: bool
) -> tuple[Step, ...]:
    """Every step that undoes what was done, in order: the traffic first.

    Args:
        move: what is undone.
        touched: the ids of the steps that were ever begun.
        moved_traffic: whether a request may have gone to the destination.
        made_destination: whether the destination was not there before.
    """
    steps: list[Step] = []
    if Act.RETIRE.value in touched:
        steps.append(_restore(move))
    if moved_traffic:
        steps += [_return(move), _empty(move)]
    if made_destination:
        steps.append(_remove(move))
    elif Act.DEPLOY.value in touched:
        steps.append(_spare(move))
    return (*steps, _confirm(move))


def every_step_back(move: Move) -> tuple[Step, ...]:
    """The steps of a rollback from the end, for a plan."""
    touched = frozenset(step.id for step in steps_forward(move))
    return steps_back(move, touched, moved_traffic=True, made_destination=True)


def _alike(move: Move) -> str:
    answers = "the same answers" if move.is_same_model else "answers alike enough"
    return f"{answers}, about as many tokens, not slower than allowed"


def _shift(move: Move, percent: int) -> Step:
    return Step(
        f"shift-{percent}", Act.SHIFT,
        f"send {percent} % of new requests to {move.destination}",
        f"the weights of {move.door}: pulumi up, both packs on",
        f"send all new requests to {move.source} again",
        "the error rate and the time to first token, through the door and at the destination",
        Costs.BOTH, percent,
    )  # fmt: skip


def _keep(move: Move) -> Step:
    return Step(
        Act.KEEP.value, Act.KEEP,
        f"keep {move.source}: it runs on and gets no requests; --resume --retire-source ends it",
        "", "nothing to undo", f"{move.source} gets no new request", Costs.BOTH, 100,
    )  # fmt: skip


def _retire(move: Move) -> Step:
    return Step(
        Act.RETIRE.value, Act.RETIRE,
        f"pulumi destroy {move.source}",
        f"deletes every resource of {move.source}; its stack and its history stay",
        f"pulumi up {move.source}, before any traffic goes back",
        f"{move.source} gets no new request and has none open", Costs.DESTINATION, 100,
    )  # fmt: skip


def _restore(move: Move) -> Step:
    return Step(
        Act.RESTORE.value, Act.RESTORE,
        f"pulumi up {move.source}, both packs on: it was, or may have been, taken down",
        f"creates what {move.source} lacks", "", "it answers, and no claim is broken", Costs.BOTH,
    )  # fmt: skip


def _return(move: Move) -> Step:
    return Step(
        Act.RETURN.value, Act.RETURN,
        f"send all new requests to {move.source}",
        f"the weights of {move.door}: pulumi up, both packs on", "",
        f"{move.source} answers, before and after", Costs.BOTH,
    )  # fmt: skip


def _empty(move: Move) -> Step:
    return Step(
        Act.EMPTY.value, Act.EMPTY,
        f"wait until {move.destination} has answered what it was asked, at most "
        f"{move.timeout_seconds} s", "", "", "no request is open there", Costs.BOTH,
    )  # fmt: skip


def _remove(move: Move) -> Step:
    return Step(
        Act.REMOVE.value, Act.REMOVE,
        f"pulumi destroy {move.destination}: this migration made it",
        f"deletes every resource of {move.destination}", "",
        f"{move.destination} gets no new request and has none open", Costs.SOURCE,
    )  # fmt: skip


def _spare(move: Move) -> Step:
    return Step(
        Act.SPARE.value, Act.SPARE,
        f"leave {move.destination} as it is: it was there before", "", "", "", Costs.BOTH,
    )  # fmt: skip


def _confirm(move: Move) -> Step:
    return Step(
        Act.CONFIRM.value, Act.CONFIRM,
        f"look once more: nothing unfinished, all traffic at {move.source}, {move.door} answers",
        "", "", "every one of them holds", Costs.SOURCE,
    )  # fmt: skip
