"""The advice on one spec, whole: what was compared, what breaks even, what a person must know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from portway.advice.break_even import BreakEven, break_evens
from portway.advice.candidate import Candidate
from portway.advice.compare import Comparison, compare
from portway.advice.reasons import dominating, reasons
from portway.errors import BadInput, Problem
from portway.models import find
from portway.pricing.money import CURRENCY, money_shown
from portway.pricing.rate import RateTable
from portway.residency.boundary import boundary
from portway.spec import InferenceServiceSpec
from portway.spec.traffic import Traffic
from portway.target import Target

_NO_TRAFFIC = (
    "is missing, and without it nothing says which place is cheapest; add "
    "`traffic: {requests_per_day: 2000, input_tokens: 600, output_tokens: 200}` with your own figures"
)


@dataclass(frozen=True)
class Advice:
    """The comparison of every registered target, and what follows from it.

    Attributes:
        why_not: by candidate, why it is not the one; empty for the recommended.
        rates: of each target, by its name.
    """

    comparison: Comparison
    traffic: Traffic
    break_evens: tuple[BreakEven, ...]
    why_not: Mapping[Candidate, tuple[str, ...]]
    warnings: tuple[str, ...]
    rates: Mapping[str, RateTable]

    def as_document(self) -> dict[str, object]:
        """As programs read it."""
        spec = self.comparison.spec
        return {
            "service": spec.name,
            "model": spec.model,
            "boundary": None if spec.residency is None else list(spec.residency),
            "currency": CURRENCY,
            "budget_monthly_usd": None if spec.budget is None else f"{spec.budget.monthly_usd:.2f}",
            "traffic": self.traffic.model_dump(mode="json"),
            "candidates": [self._candidate(one) for one in self.comparison.candidates],
            "refused": [
                {
                    "target": one.target,
                    "region": one.region,
                    "reasons": [str(reason) for reason in one.reasons],
                }
                for one in self.comparison.refused
            ],
            "break_even": [_break_even(one) for one in self.break_evens],
            "warnings": list(self.warnings),
        }

    def _candidate(self, one: Candidate) -> dict[str, object]:
        return {
            "target": one.target,
            "region": one.region,
            "scaling": one.scaling.model_dump(),
            "monthly": one.monthly.as_document(),
            "recommended": one is self.comparison.recommended,
            "over_budget": self.comparison.is_over_budget,
            "paid_for": one.kind.value,
            "cold_start_seconds": one.cold_start_seconds,
            "utilisation": None if one.utilisation is None else round(one.utilisation, 4),
            "options": dict(one.placement.options),
            "why_not": list(self.why_not[one]),
        }


def advise(spec: InferenceServiceSpec, targets: Sequence[Target]) -> Advice:
    """Compare all ``targets`` for ``spec``.

    Raises:
        BadInput: the spec declares no traffic, or names a model or a boundary that nobody knows.
    """
    if spec.traffic is None:
        raise BadInput([Problem("traffic", _NO_TRAFFIC)])
    inside = None if spec.residency is None else boundary(spec.residency)
    compared = compare(spec, find(spec.model), targets, inside)
    rates = {target.name: target.rates() for target in targets}
    best = compared.recommended
    dominated = dominating(compared.candidates)
    return Advice(
        comparison=compared,
        traffic=spec.traffic,
        break_evens=break_evens(compared.considered, spec.traffic, rates),
        why_not={
            one: () if best is None else reasons(one, best, dominated.get(one))
            for one in compared.candidates
        },
        warnings=tuple(_warnings(compared)),
        rates=rates,
    )


def _warnings(compared: Comparison) -> list[str]:
    best, spec = compared.recommended, compared.spec
    if best is None:
        return ["nothing can be recommended: every place is refused"]
    found: list[str] = []
    if compared.is_over_budget and spec.budget is not None:
        over = best.monthly.ceiling - spec.budget.monthly_usd
        found.append(
            f"nothing fits the budget of {money_shown(spec.budget.monthly_usd)}: the ceiling of what is "
            f"recommended is {money_shown(over)} above it, and the gate would refuse it; raise "
            "budget.monthly_usd, or lower scaling.concurrency"
        )
    if best.scaling != spec.scaling:
        found.append(_as_declared(compared, best))
    limit = None if spec.budget is None else spec.budget.monthly_requests
    if limit is not None and best.work.requests_per_month > limit:
        found.append(
            f"traffic brings {best.work.requests_per_month:,.0f} requests a month and "
            f"budget.monthly_requests lets {limit:,} through: the others are refused, wherever it runs"
        )
    if best.work.request_seconds > spec.timeout_seconds:
        found.append(
            f"a request takes {best.work.request_seconds:.1f} s there and timeout_seconds is "
            f"{spec.timeout_seconds}: it would be cut off"
        )
    return found


def _as_declared(compared: Comparison, best: Candidate) -> str:
    own = compared.spec.scaling
    declared = next((one for one in compared.candidates if one.scaling == own), None)
    said = f"recommended is min {best.scaling.min}, max {best.scaling.max}"
    kept = f"scaling as declared (min {own.min}, max {own.max})"
    if declared is None:
        return f"{said}; with {kept} no place serves the traffic within the budget"
    return (
        f"{said}; with {kept} {declared.where} is cheapest, {money_shown(declared.monthly.expected)} "
        f"expected and {money_shown(declared.monthly.ceiling)} at most"
    )


def _break_even(one: BreakEven) -> dict[str, object]:
    return {
        "between": [
            {
                "paid_for": end.kind.value,
                "target": end.target,
                "region": end.region,
                "scaling": end.scaling.model_dump(),
            }
            for end in (one.left, one.right)
        ],
        "requests_per_day": _rounded(one.requests_per_day),
        "analytic_requests_per_day": _rounded(one.analytic_per_day),
        "utilisation": _rounded(one.utilisation),
        "hourly_ratio": _rounded(one.hourly_ratio),
        "most_requests_per_day": _rounded(one.most_per_day),
        "sentence": one.sentence,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
