"""Every lawful way to run a spec, best first, and every place that cannot be advised."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from portway.advice.candidate import (
    Candidate,
    Refusal,
    cold_start_seconds,
    kind_of,
    utilisation,
)
from portway.advice.curve import spent
from portway.advice.scalings import in_flight, instances_needed, scalings, serves
from portway.errors import BadInput, Problem, Refused
from portway.models import Model
from portway.pricing.assume import work_of
from portway.pricing.charges import charges
from portway.pricing.estimate import estimate
from portway.pricing.meter import Meter, Tokens
from portway.pricing.money import money_shown
from portway.pricing.work import Work
from portway.residency.boundary import Boundary
from portway.spec import InferenceServiceSpec
from portway.spec.scaling import Scaling
from portway.target import Placement, Plan, Target


@dataclass(frozen=True)
class Comparison:
    """All that was compared.

    Attributes:
        candidates: best first; the first is the one to recommend. None of them is over the budget,
            unless all are.
        refused: every other place, by target and region, with all of its reasons.
        considered: every priced way, also those whose ceiling is above the budget.
        is_over_budget: no candidate's ceiling is within the budget.
    """

    spec: InferenceServiceSpec
    model: Model
    candidates: tuple[Candidate, ...]
    refused: tuple[Refusal, ...]
    considered: tuple[Candidate, ...]
    is_over_budget: bool

    @property
    def recommended(self) -> Candidate | None:
        """The cheapest expected inside the boundary; None where nothing can be advised."""
        return self.candidates[0] if self.candidates else None


@dataclass(frozen=True)
class _Made:
    """A plan and what it meters, at one scaling."""

    spec: InferenceServiceSpec
    placement: Placement
    plan: Plan
    meters: tuple[Meter, ...]
    work: Work


def compare(
    spec: InferenceServiceSpec,
    model: Model,
    targets: Iterable[Target],
    boundary: Boundary | None,
) -> Comparison:
    """Compare every region of ``targets`` that is inside ``boundary`` (None: all of them).

    Args:
        spec: with traffic; its ``scaling`` is the most that is compared.
        model: the row of the catalogue that the spec names.
        targets: in the order people meet them.
        boundary: None where the spec declares none.
    """
    priced: list[Candidate] = []
    refused: list[Refusal] = []
    listed = tuple(targets)
    for target in listed:
        for region in target.regions():
            found = at(target, region, spec, model, boundary)
            if isinstance(found, Refusal):
                refused.append(found)
            else:
                priced += found
    order = {target.name: number for number, target in enumerate(listed)}
    ranked = sorted(priced, key=lambda one: _rank(one, spec.scaling, order))
    budget = None if spec.budget is None else spec.budget.monthly_usd
    within = [one for one in ranked if budget is None or one.monthly.ceiling <= budget]
    if within and budget is not None:
        refused += _over_budget(ranked, within, budget, spec.name)
    refused.sort(key=lambda one: (order[one.target], one.region))
    return Comparison(
        spec, model, tuple(within or ranked), tuple(refused), tuple(ranked), not within
    )


def at(
    target: Target,
    region: str,
    spec: InferenceServiceSpec,
    model: Model,
    boundary: Boundary | None,
) -> list[Candidate] | Refusal:
    """Every priced way in one region, or why there is none."""
    if boundary is not None and not boundary.contains(region):
        return _refusal(target, region, f"{region} is outside the boundary {boundary}")
    first = _first(target, region, spec, model)
    if isinstance(first, Refusal):
        return first
    if not serves(spec.scaling, first.work):
        return Refusal(target.name, region, (_too_small(spec.scaling, first.work),))
    found: list[Candidate] = []
    against: dict[Problem, None] = {}
    unpriced: set[bool] = set()
    for scaling in scalings(spec.scaling, first.work):
        # What is billed turns on whether anything is kept, not on how much: no need to ask again.
        if (scaling.min == 0) in unpriced:
            continue
        made = (
            first if scaling == first.spec.scaling else _made(target, region, spec, scaling, model)
        )
        if isinstance(made, Refused):
            continue
        candidate = _candidate(target, made)
        if isinstance(candidate, Candidate):
            found.append(candidate)
        else:
            against.update(dict.fromkeys(candidate))
            unpriced.add(scaling.min == 0)
    return found or Refusal(target.name, region, tuple(against))


def _first(
    target: Target, region: str, spec: InferenceServiceSpec, model: Model
) -> "_Made | Refusal":
    """The spec as it is written or, where only its scaling is refused, the smallest of it."""
    own = spec.scaling
    refusal: Refused | None = None
    for least, most in ((own.min, own.max), (0, 1), (1, 1)):
        scaling = Scaling(min=least, max=most, concurrency=own.concurrency)
        made = _made(target, region, spec, scaling, model)
        if isinstance(made, _Made):
            return made
        refusal = refusal or made
    assert refusal is not None
    return Refusal(target.name, region, refusal.problems)


def _made(
    target: Target, region: str, spec: InferenceServiceSpec, scaling: Scaling, model: Model
) -> "_Made | Refused":
    scaled = spec if scaling == spec.scaling else spec.model_copy(update={"scaling": scaling})
    placement = target.place(scaled, region)
    try:
        plan = target.plan(scaled, model, placement)
    except Refused as refusal:
        return refusal
    except BadInput as error:
        return Refused(target.name, error.problems)
    meters = target.meters(plan)
    return _Made(scaled, placement, plan, meters, work_of(spec.traffic, model, meters))


def _candidate(target: Target, made: _Made) -> "Candidate | tuple[Problem, ...]":
    """The candidate, or why it is none: what has no price, or a limit that the traffic would meet."""
    found = estimate(charges(made.meters, made.work), target.rates())
    if found.monthly is None:
        return tuple(Problem("", one.why) for one in found.unpriced)
    if met := _limit_met(made, target):
        return (met,)
    return Candidate(
        target=target.name,
        region=made.plan.region,
        scaling=made.spec.scaling,
        placement=made.placement,
        plan=made.plan,
        meters=made.meters,
        work=made.work,
        estimate=found,
        monthly=found.monthly,
        kind=kind_of(made.meters, made.spec.scaling),
        cold_start_seconds=cold_start_seconds(made.meters),
        utilisation=utilisation(made.meters, made.work),
    )


def _limit_met(made: _Made, target: Target) -> Problem | None:
    """An enforced budget that refuses part of the declared traffic: that costs less, and serves less."""
    for meter in made.meters:
        if isinstance(meter, Tokens) and meter.monthly_budget_usd is not None:
            cost = spent((replace(meter, monthly_budget_usd=None),), made.work, target.rates())
            if cost > meter.monthly_budget_usd:
                message = (
                    f"is {money_shown(meter.monthly_budget_usd)}, which is enforced here, and the tokens "
                    f"of the declared traffic cost {money_shown(cost)}: requests would be refused; "
                    "raise it, or lower traffic.requests_per_day"
                )
                return Problem("budget.monthly_usd", message)
    return None


def _rank(one: Candidate, own: Scaling, order: dict[str, int]) -> tuple[object, ...]:
    """Cheapest first; at one price what changes least, then what is surest, then what can cost least."""
    changed = ((one.scaling.max != own.max) + (one.scaling.min != own.min), len(one.plan.notes))
    tie = (one.monthly.ceiling, order[one.target], one.region, one.scaling.min, one.scaling.max)
    return (one.monthly.expected, *changed, *tie)


def _over_budget(
    ranked: list[Candidate], within: list[Candidate], budget: Decimal, name: str
) -> Iterator[Refusal]:
    """The places that no scaling brings within the budget."""
    kept = {(one.target, one.region) for one in within}
    least: dict[tuple[str, str], Candidate] = {}
    for one in ranked:
        place = (one.target, one.region)
        if place not in kept and (
            place not in least or one.monthly.ceiling < least[place].monthly.ceiling
        ):
            least[place] = one
    for (target, region), one in least.items():
        over = one.monthly.ceiling - budget
        message = (
            f"the ceiling is {money_shown(one.monthly.ceiling)} at least (min {one.scaling.min}, max "
            f"{one.scaling.max}), {money_shown(over)} above the {money_shown(budget)} budget of {name}; "
            "raise it, or lower scaling.concurrency"
        )
        yield Refusal(target, region, (Problem("budget.monthly_usd", message),))


def _too_small(own: Scaling, work: Work) -> Problem:
    needed = instances_needed(work, own.concurrency)
    return Problem(
        "scaling.max",
        f"is {own.max}, which has room for {own.max * own.concurrency} requests at once; the busiest "
        f"hour brings {in_flight(work):,.0f} of {work.request_seconds:.1f} s each here; raise it to "
        f"{needed}, or lower traffic.requests_per_day",
    )


def _refusal(target: Target, region: str, message: str) -> Refusal:
    return Refusal(target.name, region, (Problem("residency", message),))
