"""The advice a second time, without thought: everything that exists is priced, and the cheapest is taken.

It shares with the product what a plan is and what an estimate adds up to, and nothing of how places
and scalings are chosen, left out, ranked or explained.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from portway.errors import Refused
from portway.estimates import estimate_plan
from portway.models import Model
from portway.pricing.assume import work_of
from portway.residency.boundary import boundaries
from portway.spec import InferenceServiceSpec
from portway.spec.scaling import Scaling
from portway.target import Target


@dataclass(frozen=True)
class Offer:
    target: str
    region: str
    least: int
    most: int
    expected: Decimal
    ceiling: Decimal


def offers(spec: InferenceServiceSpec, model: Model, targets: Iterable[Target]) -> Iterator[Offer]:
    """Every scaling up to the declared one, everywhere inside, that serves the traffic at a price."""
    for target in targets:
        for region in target.regions():
            if _is_inside(region, spec.residency):
                yield from _in_region(spec, model, target, region)


def cheapest(found: list[Offer], budget: Decimal | None) -> Decimal | None:
    """The least that is expected, of what is within the budget where anything is."""
    within = [one for one in found if budget is None or one.ceiling <= budget]
    return min((one.expected for one in within or found), default=None)


def _in_region(
    spec: InferenceServiceSpec, model: Model, target: Target, region: str
) -> Iterator[Offer]:
    own = spec.scaling
    for most in range(1, own.max + 1):
        for least in range(most + 1):
            scaling = Scaling(min=least, max=most, concurrency=own.concurrency)
            scaled = spec.model_copy(update={"scaling": scaling})
            try:
                plan = target.plan(scaled, model, target.place(scaled, region))
            except Refused:
                continue
            work = work_of(spec.traffic, model, target.meters(plan))
            load = max(work.demand.per_second) * work.request_seconds
            if not _serves(load, own.max * own.concurrency):
                return
            if most < own.max and _finds_no_room(load, most * own.concurrency) > 0.01:
                continue
            monthly = estimate_plan(target, plan, scaled, model).estimate.monthly
            if monthly is not None:
                yield Offer(target.name, region, least, most, monthly.expected, monthly.ceiling)


def _is_inside(region: str, names: tuple[str, ...] | None) -> bool:
    return names is None or all(region in boundaries()[name] for name in names)


def _serves(load: float, room: int) -> bool:
    return load == 0 or load < room


def _finds_no_room(load: float, room: int) -> float:
    """P(N > room) of a Poisson number, term after term."""
    term = math.exp(-load)
    below = term
    for count in range(1, room + 1):
        term *= load / count
        below += term
    return 1 - below
