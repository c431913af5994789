"""What a promise of a stack costs: its estimate against that of the same spec without the promise.

The promises are its boundary, and what its target lets one pay for beyond the plainest placement
(``Target.without``), such as a second zone for GPUs.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from portway.errors import BadInput, Problem, Refused
from portway.estimates import estimate_plan
from portway.models import find
from portway.pricing.estimate import Monthly
from portway.pricing.money import money_shown, money_text
from portway.residency.boundary import boundary
from portway.spec import InferenceServiceSpec
from portway.target import Placement, Target

RESIDENCY = "residency"


@dataclass(frozen=True)
class Place:
    """A placement of the same spec, and what it costs."""

    target: str
    region: str
    monthly: Monthly

    def as_document(self, here: Monthly) -> dict[str, object]:
        """As programs read it, with what ``here`` costs more."""
        return {
            "target": self.target,
            "region": self.region,
            "monthly": self.monthly.as_document(),
            "adds": {
                "expected": money_text(here.expected - self.monthly.expected),
                "ceiling": money_text(here.ceiling - self.monthly.ceiling),
            },
        }


@dataclass(frozen=True)
class PolicyPrice:
    """What one promise adds to a stack's month.

    Attributes:
        without: the promise: ``residency``, or a name that the target knows.
        here: what the stack costs.
        same_target: the cheapest without the promise, on the stack's own target; None where none
            has a price.
        all_targets: the cheapest of every target; the same as ``same_target`` where only the stack's
            own can do without.
        inside: the cheapest on the stack's own target that keeps the promise.
    """

    stack: str
    without: str
    promise: str
    here: Monthly
    same_target: Place | None
    all_targets: Place | None
    inside: Place | None

    @property
    def adds(self) -> Decimal | None:
        """USD a month that is expected, against the same target; None where that has no price."""
        if self.same_target is None:
            return None
        return self.here.expected - self.same_target.monthly.expected

    def as_document(self) -> dict[str, object]:
        """As programs read it."""
        places = {
            "same_target": self.same_target,
            "all_targets": self.all_targets,
            "cheapest_inside": self.inside,
        }
        return {
            "without": self.without,
            "promise": self.promise,
            **{
                name: None if place is None else place.as_document(self.here)
                for name, place in places.items()
            },
        }

    @property
    def sentence(self) -> str:
        """For a report on the stack."""
        if self.same_target is None:
            return f"what {self.promise} adds is not known: without it nothing has a price"
        cheapest = f"the same spec in {self.same_target.region}"
        more = self.here.expected - self.same_target.monthly.expected
        most = self.here.ceiling - self.same_target.monthly.ceiling
        if self.same_target.monthly == self.here:
            return f"{self.promise} adds nothing: no placement without it is cheaper"
        return (
            f"{self.promise} adds {money_shown(more)} a month as expected and {money_shown(most)} at "
            f"most, against {cheapest}, on {self.same_target.target}"
        )


def policy_price(
    stack: str,
    spec: InferenceServiceSpec,
    placement: Placement,
    here: Monthly,
    without: str,
    targets: Sequence[Target],
) -> PolicyPrice:
    """What the promise ``without`` adds to ``stack``, which costs ``here``; ``targets`` are all there are.

    Raises:
        BadInput: there is no such promise, or the stack does not make it, or its spec declares no
            traffic.
    """
    if spec.traffic is None:
        message = (
            "is missing, and without it nothing says what a promise adds; declare requests_per_day"
        )
        raise BadInput([Problem("traffic", message)])
    if without == RESIDENCY:
        return _boundary_price(stack, spec, placement, here, targets)
    target = _own(placement, targets)
    if without not in target.without:
        known = ", ".join((RESIDENCY, *target.without))
        message = f"{without!r} is nothing that a stack on {target.name} can do without; choose one of {known}"
        raise BadInput([Problem("--without", message)])
    given_up = placement.model_copy(
        update={"options": {**placement.options, **target.without[without]}}
    )
    there = _priced(target, spec, given_up)
    if there is not None and there.monthly == here:
        message = f"{stack} has no {without}, so there is nothing to do without"
        raise BadInput([Problem("--without", message)])
    promise = without.replace("-", " ")
    return PolicyPrice(stack, without, promise, here, there, there, None)


def promises(
    spec: InferenceServiceSpec, placement: Placement, targets: Sequence[Target]
) -> Iterator[str]:
    """The promises that a stack makes, by the names that ``policy_price`` takes."""
    if spec.residency is not None:
        yield RESIDENCY
    target = _own(placement, targets)
    for name, options in target.without.items():
        given_up = placement.model_copy(update={"options": {**placement.options, **options}})
        if _is_different(target, spec, placement, given_up):
            yield name


def _boundary_price(
    stack: str,
    spec: InferenceServiceSpec,
    placement: Placement,
    here: Monthly,
    targets: Sequence[Target],
) -> PolicyPrice:
    if spec.residency is None:
        message = f"{stack} declares no residency, so there is no boundary to do without"
        raise BadInput([Problem("--without", message)])
    inside = boundary(spec.residency)
    free = spec.model_copy(update={"residency": None})
    own = _own(placement, targets)
    anywhere = list(_everywhere(own, free, placement))
    others = [target for target in targets if target is not own]
    elsewhere = [place for target in others for place in _everywhere(target, free, None)]
    kept = [place for place in anywhere if inside.contains(place.region)]
    return PolicyPrice(
        stack,
        RESIDENCY,
        f"the boundary {inside}",
        here,
        _cheapest(anywhere, placement),
        _cheapest([*anywhere, *elsewhere], placement),
        _cheapest(kept, placement),
    )


def _own(placement: Placement, targets: Iterable[Target]) -> Target:
    return next(target for target in targets if target.name == placement.target)


def _everywhere(
    target: Target, spec: InferenceServiceSpec, like: Placement | None
) -> Iterator[Place]:
    """Every region of ``target`` that takes the spec at a price; with the options of ``like``."""
    for region in target.regions():
        placement = target.place(spec, region)
        if like is not None:
            placement = like if region == like.region else _moved(like, placement)
        found = _priced(target, spec, placement)
        if found is not None:
            yield found


def _moved(placement: Placement, plain: Placement) -> Placement:
    """``placement`` in the region of ``plain``: its options, and the settings that go with the region."""
    settings = {**placement.settings, **plain.settings}
    kept = {key: placement.settings[key] for key in plain.settings if key in placement.settings}
    moved = {
        key: plain.settings[key]
        for key, value in kept.items()
        if value == placement.region and plain.settings[key] == plain.region
    }
    return placement.model_copy(
        update={"region": plain.region, "settings": {**settings, **kept, **moved}}
    )


def _priced(target: Target, spec: InferenceServiceSpec, placement: Placement) -> Place | None:
    model = find(spec.model)
    try:
        plan = target.plan(spec, model, placement)
    except Refused:
        return None
    monthly = estimate_plan(target, plan, spec, model).estimate.monthly
    return None if monthly is None else Place(target.name, placement.region, monthly)


def _is_different(
    target: Target, spec: InferenceServiceSpec, ours: Placement, theirs: Placement
) -> bool:
    """Whether giving up an option changes the plan at all; not where the target refuses it."""
    try:
        plans = [target.plan(spec, find(spec.model), place) for place in (ours, theirs)]
    except Refused:
        return False
    return plans[0] != plans[1]


def _cheapest(places: Iterable[Place], here: Placement) -> Place | None:
    """At one price where the stack is, then the first by target and region."""

    def rank(one: Place) -> tuple[Decimal, Decimal, bool, str, str]:
        moves = (one.target, one.region) != (here.target, here.region)
        return (one.monthly.expected, one.monthly.ceiling, moves, one.target, one.region)

    return min(places, key=rank, default=None)
