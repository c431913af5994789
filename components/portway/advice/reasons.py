"""Why a candidate loses against the recommended one, and what it is better at."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from portway.advice.candidate import Candidate
from portway.pricing.money import money_shown

_TWICE = 2


def dominating(candidates: Iterable[Candidate]) -> Mapping[Candidate, Candidate]:
    """By candidate, the best of those that are better in something and worse in nothing.

    Compared are what is expected, the ceiling and the cold start. What is not known is not compared.

    Args:
        candidates: best first.
    """
    listed = tuple(candidates)
    return {
        one: better
        for one in listed
        if (better := next((other for other in listed if _dominates(other, one)), None)) is not None
    }


def reasons(one: Candidate, best: Candidate, dominated_by: Candidate | None) -> tuple[str, ...]:
    """Sentences on why ``best`` is recommended and ``one`` is not; none for ``best`` itself."""
    if one is best:
        return ()
    return tuple(_reasons(one, best, dominated_by))


def _reasons(one: Candidate, best: Candidate, dominated_by: Candidate | None) -> Iterator[str]:
    more = one.monthly.expected - best.monthly.expected
    if more > 0:
        times = _times(one.monthly.expected, best.monthly.expected)
        yield f"{money_shown(more)} a month dearer{times}"
    else:
        yield _why_not_at_one_price(one, best)
        return
    if dominated_by is not None:
        yield f"in nothing better than {_named(dominated_by, one)}"
    else:
        yield from _better(one, best)
    if _starts_later(one, best):
        yield f"a cold start takes {one.cold_start_seconds} s, not {best.cold_start_seconds} s"


def _why_not_at_one_price(one: Candidate, best: Candidate) -> str:
    more = one.monthly.ceiling - best.monthly.ceiling
    if more > 0:
        return f"the same price, and {money_shown(more)} more at its maximum"
    if one.scaling != best.scaling:
        return "the same price with another scaling"
    doubts = [note for note in one.plan.notes if note not in best.plan.notes]
    if len(one.plan.notes) > len(best.plan.notes) and doubts:
        return f"the same price, and less sure: {doubts[0]}"
    return "the same price; the first by name is taken"


def _better(one: Candidate, best: Candidate) -> Iterator[str]:
    less = best.monthly.ceiling - one.monthly.ceiling
    if less > 0:
        yield f"in its favour: {money_shown(less)} less at its maximum"
    if _starts_later(best, one):
        yield f"in its favour: a cold start takes {one.cold_start_seconds} s, not {best.cold_start_seconds} s"


def _dominates(one: Candidate, other: Candidate) -> bool:
    left, right = one.cold_start_seconds, other.cold_start_seconds
    if left is None or right is None:
        left = right = 0
    ours = (one.monthly.expected, one.monthly.ceiling, left)
    theirs = (other.monthly.expected, other.monthly.ceiling, right)
    return ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True))


def _starts_later(one: Candidate, other: Candidate) -> bool:
    left, right = one.cold_start_seconds, other.cold_start_seconds
    return left is not None and right is not None and left > right


def _named(other: Candidate, one: Candidate) -> str:
    """``other`` by what tells it from ``one``."""
    scaling = f"min {other.scaling.min}, max {other.scaling.max}"
    return scaling if other.where == one.where else f"{other.where} ({scaling})"


def _times(left: Decimal, right: Decimal) -> str:
    if right <= 0 or left / right < _TWICE:
        return ""
    return f", {left / right:,.0f} times as much"
