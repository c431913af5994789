"""What each target would cost with other traffic, and where one becomes cheaper than another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from portway.advice.candidate import Candidate
from portway.advice.curve import Curve, crossings, curve_of, spaced, steps_for
from portway.pricing.rate import RateTable
from portway.spec.traffic import Traffic

_LEAST_PER_DAY = 1.0


@dataclass(frozen=True)
class Line:
    """One target at its best region: the cheapest of the scalings that were compared.

    Attributes:
        points: (requests a day, USD a month), ascending, as far as a scaling serves them.
    """

    target: str
    region: str
    curves: tuple[Curve, ...]
    points: tuple[tuple[float, float], ...]

    @property
    def most_per_day(self) -> float:
        """The traffic that its largest scaling serves."""
        return max(curve.most_per_day for curve in self.curves)

    def usd(self, per_day: float) -> float:
        """The cheapest scaling that serves so much."""
        return min(one.usd(per_day) for one in self.curves if per_day <= one.most_per_day)


@dataclass(frozen=True)
class Crossing:
    """Two targets cost the same: ``cheaper`` is so with less traffic, ``dearer`` with more."""

    requests_per_day: float
    usd: float
    cheaper: str
    dearer: str


def lines(
    considered: Iterable[Candidate], traffic: Traffic, rates: Mapping[str, RateTable]
) -> tuple[Line, ...]:
    """A line for each target.

    Args:
        considered: every priced way, cheapest first.
        traffic: what the spec declares; only its requests a day are varied.
        rates: by target.
    """
    best: dict[str, list[Candidate]] = {}
    for one in considered:
        of_target = best.setdefault(one.target, [one])
        if one is not of_target[0] and one.region == of_target[0].region:
            of_target.append(one)
    return tuple(_line(of_target, traffic, rates) for of_target in best.values())


def all_crossings(drawn: Iterable[Line], traffic: Traffic) -> tuple[Crossing, ...]:
    """Every crossing of two lines, by traffic."""
    found: list[Crossing] = []
    for left, right in combinations(drawn, 2):
        high = min(left.most_per_day, right.most_per_day)

        @cache
        def difference(per_day: float, left: Line = left, right: Line = right) -> float:
            return left.usd(per_day) - right.usd(per_day)

        for at in crossings(difference, min(_LEAST_PER_DAY, high / 2), high, steps_for(traffic)):
            is_left = difference(at / 2) <= 0
            cheaper, dearer = (left, right) if is_left else (right, left)
            found.append(Crossing(at, left.usd(at), cheaper.target, dearer.target))
    return tuple(sorted(found, key=lambda one: one.requests_per_day))


def _line(of_target: list[Candidate], traffic: Traffic, rates: Mapping[str, RateTable]) -> Line:
    first = of_target[0]
    curves = tuple(curve_of(one, traffic, rates[one.target]) for one in of_target)
    made = Line(first.target, first.region, curves, ())
    high = made.most_per_day
    low = min(_LEAST_PER_DAY, high / 2)
    drawn = ((at, made.usd(at)) for at in spaced(low, high * (1 - 1e-9), 3 * steps_for(traffic)))
    return Line(first.target, first.region, curves, tuple(drawn))
