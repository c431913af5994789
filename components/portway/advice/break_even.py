"""From how much traffic on one way of paying is cheaper than another, and how busy that makes it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from portway.advice.bill import bill_of, instance_hour, requests_at_equal_cost
from portway.advice.candidate import Candidate, Kind
from portway.advice.curve import Curve, crossings, curve_of, scaled, steps_for
from portway.pricing.charges import pool_of
from portway.pricing.meter import Held
from portway.pricing.money import DAYS_PER_MONTH
from portway.pricing.rate import RateTable
from portway.pricing.running import running
from portway.spec.traffic import Traffic

_PAIRS = (
    (Kind.FROM_ZERO, Kind.ALWAYS_ON),
    (Kind.TOKENS, Kind.ALWAYS_ON),
    (Kind.TOKENS, Kind.FROM_ZERO),
)
_LEAST_PER_DAY = 1.0
_DAYS = float(DAYS_PER_MONTH)


@dataclass(frozen=True)
class BreakEven:
    """Where two candidates cost the same.

    Attributes:
        left: what is cheaper with little traffic, where there is a break-even.
        requests_per_day: by bisection of both estimates; None where they never cost the same with
            traffic that both can serve.
        analytic_per_day: the same in closed form, whoever can serve it; None where there is none.
        utilisation: the part of the month that instances of ``left`` run at the break-even; None
            where it has none, or never breaks even.
        hourly_ratio: what an hour of an instance of ``right`` costs by what one of ``left`` costs:
            the utilisation at break-even if nothing but machines were paid for.
        most_per_day: requests a day that both can serve.
    """

    left: Candidate
    right: Candidate
    requests_per_day: float | None
    analytic_per_day: float | None
    utilisation: float | None
    hourly_ratio: float | None
    most_per_day: float
    is_left_cheaper: bool

    @property
    def sentence(self) -> str:
        """For a person."""
        left, right = (f"{one.kind} ({one.where})" for one in (self.left, self.right))
        if self.requests_per_day is None:
            cheaper, dearer = (left, right) if self.is_left_cheaper else (right, left)
            why = (
                f"at any traffic up to {self.most_per_day:,.0f} requests a day, the most both serve"
            )
            beyond = self.analytic_per_day
            if beyond is not None and beyond > self.most_per_day:
                why += f"; on paper they meet at {beyond:,.0f}"
            return f"{cheaper} is cheaper than {dearer} {why}"
        busy = ""
        if self.utilisation is not None:
            busy = f", where instances of the first run {self.utilisation:.0%} of the month"
        return f"{left} is cheaper than {right} below {self.requests_per_day:,.0f} requests a day{busy}"


def break_evens(
    considered: Iterable[Candidate], traffic: Traffic, rates: Mapping[str, RateTable]
) -> tuple[BreakEven, ...]:
    """The break-even of each two of: instances from zero, tokens, and instances always on.

    Args:
        considered: every priced way, cheapest first.
        traffic: what the spec declares; only its requests a day are varied.
        rates: by target.
    """
    standing = _representatives(considered)
    return tuple(
        break_even(standing[left], standing[right], traffic, rates)
        for left, right in _PAIRS
        if left in standing and right in standing
    )


def break_even(
    left: Candidate, right: Candidate, traffic: Traffic, rates: Mapping[str, RateTable]
) -> BreakEven:
    """Where ``left`` and ``right`` cost the same, if anywhere."""
    ours = curve_of(left, traffic, rates[left.target])
    theirs = curve_of(right, traffic, rates[right.target])
    high = min(ours.most_per_day, theirs.most_per_day)
    low = min(_LEAST_PER_DAY, high / 2)

    @cache
    def difference(per_day: float) -> float:
        return ours.usd(per_day) - theirs.usd(per_day)

    met = next(crossings(difference, low, high, steps_for(traffic)), None)
    is_left_cheaper = difference(low) <= 0
    if met is not None and not is_left_cheaper:
        left, right, ours, is_left_cheaper = right, left, theirs, True
    return BreakEven(
        left=left,
        right=right,
        requests_per_day=met,
        analytic_per_day=_analytic(left, right, traffic, rates),
        utilisation=None if met is None else _running_part(ours, met),
        hourly_ratio=_hourly_ratio(left, right, rates),
        most_per_day=high,
        is_left_cheaper=is_left_cheaper,
    )


def _representatives(considered: Iterable[Candidate]) -> dict[Kind, Candidate]:
    """For each kind the one that stands for it: from zero what costs least at rest, else what is cheapest."""
    found: dict[Kind, Candidate] = {}
    worth: dict[Kind, Callable[[Candidate], tuple[Decimal, ...]]] = {
        Kind.FROM_ZERO: lambda one: (one.monthly.floor, one.monthly.ceiling, one.monthly.expected),
        Kind.TOKENS: lambda one: (Decimal(one.scaling.min), one.monthly.expected),
        Kind.ALWAYS_ON: lambda one: (one.monthly.expected, one.monthly.ceiling),
    }
    listed = tuple(considered)
    for kind, key in worth.items():
        of_kind = [one for one in listed if one.kind is kind]
        if of_kind:
            found[kind] = min(of_kind, key=key)
    return found


def _running_part(curve: Curve, per_day: float) -> float | None:
    work = scaled(curve.candidate.work, curve.unit, per_day)
    pools = [pool_of(one, work) for one in curve.candidate.meters if isinstance(one, Held)]
    most = sum(pool.most for pool in pools)
    hours = sum(running(work.demand, pool).instance_hours for pool in pools)
    return hours / (most * 730) if most else None


def _hourly_ratio(
    left: Candidate, right: Candidate, rates: Mapping[str, RateTable]
) -> float | None:
    ours, theirs = (
        sum(instance_hour(m, rates[one.target]) for m in one.meters if isinstance(m, Held))
        for one in (left, right)
    )
    return theirs / ours if ours and theirs else None


def _analytic(
    left: Candidate, right: Candidate, traffic: Traffic, rates: Mapping[str, RateTable]
) -> float | None:
    """In closed form: known for a constant rate, or where nothing stops."""
    ours, theirs = bill_of(left, rates[left.target]), bill_of(right, rates[right.target])
    if ours is None or theirs is None:
        return None
    if traffic.shape != "spread" and (ours.instances or theirs.instances):
        return None
    found = requests_at_equal_cost(ours, theirs)
    return None if found is None else found / _DAYS
