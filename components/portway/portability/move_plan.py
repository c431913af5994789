"""The whole of a move before it begins: every step, what it costs, what moves with it and what cannot. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from enum import StrEnum
from typing import Any

from portway.portability.compare import Comparison, Relation, Side
from portway.portability.guards import Limits
from portway.portability.move import Costs, Move, Step, every_step_back, steps_forward
from portway.pricing.money import HOURS_PER_MONTH, money_text
from portway.target import Placement

UNKNOWN = "unknown"
"""What ``--accept-identity`` may accept."""


class Fate(StrEnum):
    """What becomes of something in a move."""

    STAYS = "unchanged"
    ANEW = "made anew"
    LEFT = "cannot move"


@dataclass(frozen=True)
class Named:
    """One thing beside the traffic that a move touches, or leaves."""

    what: str
    fate: Fate
    how: str

    def as_document(self) -> dict[str, str]:
        """As programs read it."""
        return {"what": self.what, "fate": self.fate.value, "how": self.how}


@dataclass(frozen=True)
class MovePlan:
    """A move, ready to be agreed to.

    Attributes:
        objections: why it must not begin, a sentence each.
        told: what is worth knowing before: differences, quota notes of the destination.
        usd_per_hour: what runs costs an hour with the declared traffic, by who runs; no key where
            something has no rate.
        at_most_usd_per_hour: while both run.
    """

    move: Move
    comparison: Comparison
    limits: Limits
    objections: tuple[str, ...]
    told: tuple[str, ...]
    named: tuple[Named, ...]
    usd_per_hour: Mapping[Costs, Decimal]
    at_most_usd_per_hour: Decimal | None

    @property
    def steps(self) -> tuple[Step, ...]:
        """Forward, in order."""
        return steps_forward(self.move)

    def cost_of(self, step: Step) -> Decimal | None:
        """USD an hour while ``step`` stands; None where something has no rate."""
        return self.usd_per_hour.get(step.costs)

    def as_document(self) -> dict[str, Any]:
        """As programs read it; money is decimal text."""
        return {
            "from": self.move.source,
            "to": self.move.destination,
            "door": self.move.door,
            "keep_source": self.move.keep_source,
            "model": self.comparison.model.value,
            "objections": list(self.objections),
            "limits": vars(self.limits),
            "steps": [self._step(step) for step in self.steps],
            "rollback": [self._step(step) for step in every_step_back(self.move)],
            "usd_per_hour": {
                **{who.value: _hourly(self.usd_per_hour.get(who)) for who in Costs},
                "both_at_most": _hourly(self.at_most_usd_per_hour),
            },
            "beside_the_traffic": [one.as_document() for one in self.named],
            "notes": list(self.told),
        }

    def _step(self, step: Step) -> dict[str, Any]:
        return {**step.as_document(), "usd_per_hour": _hourly(self.cost_of(step))}


def plan_move(
    comparison: Comparison,
    placements: tuple[Placement, Placement],
    *,
    keep_source: bool = True,
    accept_unknown: bool = False,
    limits: Limits | None = None,
) -> MovePlan:
    """The move from ``comparison.before`` to ``comparison.after``.

    Args:
        comparison: of both stacks.
        placements: of both, in the same order.
        keep_source: whether the source still runs in the end.
        accept_unknown: whether a move is fine where one end does not publish weights or precision.
        limits: how much worse the destination may be.
    """
    before, after = comparison.before, comparison.after
    move = Move(
        service=before.plan.service,
        environment=before.plan.environment,
        source=before.stack,
        destination=after.stack,
        door=f"{before.plan.service}.{before.plan.environment}.door",
        keep_source=keep_source,
        is_same_model=comparison.model is Relation.EQUAL,
        timeout_seconds=max(before.spec.timeout_seconds, after.spec.timeout_seconds),
    )
    both = comparison.both
    return MovePlan(
        move,
        comparison,
        limits or Limits(),
        tuple(_objections(comparison, accept_unknown=accept_unknown)),
        tuple(_told(comparison)),
        tuple(_named(comparison, *placements, keep_source=keep_source)),
        dict(_costs(comparison)),
        None if both is None else both.at_most,
    )


def _objections(made: Comparison, *, accept_unknown: bool) -> Iterator[str]:
    before, after = made.before, made.after
    if before.stack == after.stack:
        yield f"{before.stack} is both ends; name two stacks"
    for one in made.breaking:
        yield f"{one.what}: {one.before} now, {one.after} after{f': {one.because}' if one.because else ''}"
    if made.model is Relation.UNKNOWN and not accept_unknown:
        yield (
            "whether both ends serve the same weights at the same precision is not published; "
            f"--accept-identity {UNKNOWN} accepts that, and the answers are compared all the same"
        )
    if before.plan.environment != after.plan.environment:
        yield (
            f"{before.stack} is {before.plan.environment} and {after.stack} is "
            f"{after.plan.environment}: one door serves one environment"
        )
    for side in (before, after):
        if side.plan.auth != "api-key":
            yield (
                f"{side.stack} has access.auth: {side.plan.auth}; a move asks both ends with an API key, "
                "so it needs api-key"
            )


def _told(made: Comparison) -> Iterator[str]:
    for one in made.differences:
        if one not in made.breaking and one.what != "API keys":
            why = f": {one.because}" if one.because else ""
            yield f"{one.what}: {one.before or 'none'} now, {one.after or 'none'} after{why}"
    for note in made.after.plan.notes:
        yield f"{made.after.stack}: {note}"


def _costs(made: Comparison) -> Iterator[tuple[Costs, Decimal]]:
    for who, side in ((Costs.SOURCE, made.before), (Costs.DESTINATION, made.after)):
        if side.monthly is not None:
            yield who, side.monthly.expected / HOURS_PER_MONTH
    if made.both is not None:
        yield Costs.BOTH, made.both.expected


def _named(
    made: Comparison, here: Placement, there: Placement, *, keep_source: bool
) -> Iterator[Named]:
    before, after = made.before, made.after
    yield Named(
        "name and key of clients", Fate.STAYS, "the door keeps both; clients change nothing"
    )
    yield Named("DNS", Fate.STAYS, "the name is the door's; only the weights behind it change")
    yield Named(
        "secrets", Fate.ANEW,
        f"{after.stack} makes API keys of its own ({', '.join(after.plan.keys)}) and keeps them where "
        "its cloud keeps secrets; none is copied or printed",
    )  # fmt: skip
    yield from _watching(before, after)
    yield Named(
        "clients' allow-lists", Fate.LEFT,
        "clients that name the door need nothing; whoever allows the address of "
        f"{before.stack} itself must allow the door's",
    )  # fmt: skip
    lost = sorted(set(here.options) - set(there.options))
    if lost:
        yield Named(
            "options of the placement", Fate.LEFT,
            f"{', '.join(lost)} of {before.stack}: {after.plan.target} has options of its own",
        )  # fmt: skip
    kept = "they stay with it" if keep_source else "they go with it, but for what its cloud retains"
    yield Named("logs and metrics", Fate.LEFT, f"those of {before.stack} are in its cloud: {kept}")
    yield Named(
        "prefix caches and warm instances", Fate.LEFT,
        "the destination begins cold; the shift by steps is what warms it",
    )  # fmt: skip


def _watching(before: Side, after: Side) -> Iterator[Named]:
    who = ", ".join(after.plan.alert_emails) or "nobody: the spec names no alert_emails"
    yield Named("alarms", Fate.ANEW, f"made by {after.stack} in its own cloud; they tell {who}")
    budget = after.plan.monthly_budget_usd
    if budget is not None:
        yield Named("budget", Fate.ANEW, f"{budget:,.2f} USD a month, watched by {after.stack}")
    if before.plan.meter is not None or after.plan.meter is not None:
        yield Named(
            "what was used this month", Fate.LEFT,
            f"{after.stack} counts from zero: until the month ends, requests and tokens of both count "
            "apart, so that together they may be more than one budget",
        )  # fmt: skip


def _hourly(usd: Decimal | None) -> str | None:
    return None if usd is None else money_text(usd.quantize(Decimal("0.01"), ROUND_UP))
