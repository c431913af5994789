"""What moving a service from one stack to another changes. Pure: it reads two plans and two estimates.

The spec of the stack that is left decides: whatever it asks for and the other stack does not give
breaks the move. Everything else is told, and breaks nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from enum import StrEnum

from portway.estimates import PlanEstimate
from portway.models import Model, known_equal
from portway.pricing.estimate import Monthly
from portway.pricing.money import HOURS_PER_MONTH, money_shown, money_text
from portway.residency.boundary import boundary
from portway.spec import InferenceServiceSpec
from portway.target import Plan, Target


class Weight(StrEnum):
    """What a difference means for the spec of the stack that is left."""

    BREAKS = "breaks"
    """The spec asks for what the other stack does not give."""
    UNKNOWN = "unknown"
    """Nobody publishes enough to tell."""
    CHANGES = "changes"
    """Something a client or an operator may notice; the spec does not ask for it."""


class Relation(StrEnum):
    """Whether two stacks serve the same model: weights, revision, precision."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "not knowable"


@dataclass(frozen=True)
class Side:
    """One stack, read: what it was declared as, what would be created, what that costs."""

    stack: str
    spec: InferenceServiceSpec
    model: Model
    target: Target
    plan: Plan
    estimate: PlanEstimate

    @property
    def monthly(self) -> Monthly | None:
        """USD a month; None while something has no rate."""
        return self.estimate.estimate.monthly


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same on both sides.

    Attributes:
        what: what is compared, as the spec or docs/endpoint.md call it.
        because: what it means, and what to do where something is to be done.
    """

    what: str
    before: str
    after: str
    weight: Weight
    because: str = ""

    def as_document(self) -> dict[str, str]:
        """As programs read it."""
        return {
            "what": self.what,
            "before": self.before,
            "after": self.after,
            "weight": self.weight.value,
            "because": self.because,
        }


@dataclass(frozen=True)
class BothRunning:
    """USD an hour while both stacks run: with the declared traffic on each, and at most."""

    expected: Decimal
    at_most: Decimal


@dataclass(frozen=True)
class Comparison:
    """Everything that moving from ``before`` to ``after`` changes.

    Attributes:
        both: None while something on either side has no rate.
    """

    before: Side
    after: Side
    model: Relation
    differences: tuple[Difference, ...]
    both: BothRunning | None

    @property
    def breaking(self) -> tuple[Difference, ...]:
        """What the spec asks for and would not get."""
        return tuple(one for one in self.differences if one.weight is Weight.BREAKS)

    def as_document(self) -> dict[str, object]:
        """As programs read it."""
        both = self.both
        return {
            "from": _side(self.before),
            "to": _side(self.after),
            "model": self.model.value,
            "breaks_the_spec": bool(self.breaking),
            "differences": [one.as_document() for one in self.differences],
            "both_running_usd_per_hour": None
            if both is None
            else {"expected": money_text(both.expected), "at_most": money_text(both.at_most)},
        }


def compare(before: Side, after: Side) -> Comparison:
    """What changes for a service that moves from ``before`` to ``after``."""
    relation = _relation(before, after)
    differences = (
        *_service(before, after),
        *_model(before, after, relation),
        *_spec(before, after),
        *_place(before, after),
        *_abilities(before, after),
        *_keys(before, after),
        *_money(before, after),
    )
    return Comparison(before, after, relation, differences, _both(before, after))


def _relation(before: Side, after: Side) -> Relation:
    same = known_equal(before.plan.model_identity, after.plan.model_identity)
    if same is None:
        return Relation.UNKNOWN
    return Relation.EQUAL if same else Relation.DIFFERENT


def _service(before: Side, after: Side) -> Iterator[Difference]:
    if before.plan.service != after.plan.service:
        why = "they are not one service; a move keeps the spec and changes the placement"
        yield Difference("service", before.plan.service, after.plan.service, Weight.BREAKS, why)
    if before.plan.environment != after.plan.environment:
        yield Difference(
            "environment", before.plan.environment, after.plan.environment, Weight.CHANGES
        )
    if before.plan.target != after.plan.target:
        yield Difference("target", before.plan.target, after.plan.target, Weight.CHANGES)


def _model(before: Side, after: Side, relation: Relation) -> Iterator[Difference]:
    ends = (before.plan.model_identity, after.plan.model_identity)
    if relation is Relation.DIFFERENT:
        why = "answers would come from another model; use the same one on both sides"
        yield Difference("model identity", *ends, Weight.BREAKS, why)
    elif relation is Relation.UNKNOWN:
        why = (
            "one end does not publish revision or precision, so answers may differ; "
            "a move needs --accept-identity unknown"
        )
        yield Difference("model identity", *ends, Weight.UNKNOWN, why)


def _spec(before: Side, after: Side) -> Iterator[Difference]:
    """Fields that two specs declare differently; nothing where both stacks share one."""
    if before.spec == after.spec:
        return
    left, right = (_fields(side.spec.model_dump(mode="json")) for side in (before, after))
    for name in dict.fromkeys((*left, *right)):
        one, other = left.get(name, ""), right.get(name, "")
        if one == other or name == "name":
            continue
        weight = Weight.CHANGES if _may_change(name, one, other) else Weight.BREAKS
        why = "" if weight is Weight.CHANGES else "the other stack's spec does not ask for as much"
        yield Difference(name, one, other, weight, why)


_MORE_IS_FINE = frozenset({"scaling.min", "scaling.max", "scaling.concurrency", "timeout_seconds"})
_NOT_PROMISED = ("traffic", "budget")


def _may_change(name: str, before: str, after: str) -> bool:
    """Whether clients of ``before`` get at least what they had."""
    if name.startswith(_NOT_PROMISED):
        return True
    return name in _MORE_IS_FINE and before.isdigit() and after.isdigit() and int(after) >= int(before)  # fmt: skip


def _fields(document: Mapping[str, object], above: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in document.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping):
            found |= _fields(dict(value), f"{path}.")  # pyright: ignore[reportUnknownArgumentType] - JSON
        elif value is not None:
            found[path] = str(value)
    return found


def _place(before: Side, after: Side) -> Iterator[Difference]:
    names = before.plan.boundary
    if names is not None and not boundary(names).contains(after.plan.region):
        why = f"{after.plan.region} is outside {', '.join(names)}; choose a region inside"
        yield Difference("region", before.plan.region, after.plan.region, Weight.BREAKS, why)
    elif before.plan.region != after.plan.region:
        yield Difference("region", before.plan.region, after.plan.region, Weight.CHANGES)


def _abilities(before: Side, after: Side) -> Iterator[Difference]:
    left, right = before.target.capabilities, after.target.capabilities
    if left.streams and not right.streams:
        why = "clients that stream would get one whole answer"
        yield Difference("streaming", "yes", "no", Weight.BREAKS, why)
    if left.scales_to_zero != right.scales_to_zero:
        weight = Weight.BREAKS if before.spec.scaling.min == 0 and left.scales_to_zero else Weight.CHANGES  # fmt: skip
        ends = ("yes" if left.scales_to_zero else "no", "yes" if right.scales_to_zero else "no")
        yield Difference("scales to zero", *ends, weight)
    for name in dict.fromkeys((*left.wire, *right.wire)):
        one, other = left.wire.get(name, "as published"), right.wire.get(name, "as published")
        if one != other:
            yield Difference(name, one, other, Weight.CHANGES)


def _keys(before: Side, after: Side) -> Iterator[Difference]:
    lost = [key for key in before.plan.keys if key not in after.plan.keys]
    if before.plan.auth == "api-key" and after.plan.auth == "api-key":
        why = "keys are made by each stack; a front door that holds both lets clients keep theirs"
        yield Difference("API keys", "its own", "its own", Weight.CHANGES, why)
    if lost:
        why = "clients that still use it need another; add the generation to portway:placement"
        yield Difference(
            "key generations", ", ".join(before.plan.keys), ", ".join(after.plan.keys), Weight.CHANGES, why
        )  # fmt: skip


def _money(before: Side, after: Side) -> Iterator[Difference]:
    was, now = before.monthly, after.monthly
    budget = before.plan.monthly_budget_usd
    if now is None:
        left = ", ".join(
            f"{one.item} of {one.resource}" for one in after.estimate.estimate.unpriced
        )
        why = f"no rate is known for {left}, so nobody knows what it would cost"
        yield Difference("price", _shown(was), "unpriced", Weight.UNKNOWN, why)
        return
    if budget is not None and now.ceiling > budget:
        why = (
            f"{money_shown(now.ceiling)} ceiling exceeds the {money_shown(budget)} budget of "
            f"{before.plan.service}; lower scaling.max or raise budget.monthly_usd"
        )
        yield Difference("budget", _shown(was), money_shown(now.ceiling), Weight.BREAKS, why)


def _shown(monthly: Monthly | None) -> str:
    return "unpriced" if monthly is None else money_shown(monthly.ceiling)


def _both(before: Side, after: Side) -> BothRunning | None:
    one, other = before.monthly, after.monthly
    if one is None or other is None:
        return None
    return BothRunning(
        (one.expected + other.expected) / HOURS_PER_MONTH,
        ((one.ceiling + other.ceiling) / HOURS_PER_MONTH).quantize(Decimal("0.01"), ROUND_UP),
    )


def _side(side: Side) -> dict[str, object]:
    document = side.estimate.as_document(side.stack)
    return {
        "stack": side.stack,
        "target": side.plan.target,
        "region": side.plan.region,
        "modelIdentity": side.plan.model_identity,
        "monthly": document["monthly"],
    }
