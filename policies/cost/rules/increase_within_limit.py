"""A stack becomes no dearer at once than the organisation allows."""

from collections.abc import Iterator
from decimal import Decimal

from portway.gate.baseline import Earlier, earlier
from portway.gate.billing import StackEstimate, stack_estimate
from portway.gate.billing.words import behind, behind_floor, untold
from portway.gate.context import CostContext
from portway.gate.resource import Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.sums import IncreaseLimits
from portway.pricing.money import cents, money_shown

_USD = "max_increase_usd"
_PERCENT = "max_increase_percent"


def judge_stack(stack: Stack, context: CostContext) -> Iterator[Violation]:
    """Refuse a ceiling or a floor that rises too far, and a rise that cannot be told."""
    limits = context.increase
    if limits.max_increase_usd is None and limits.max_increase_percent is None:
        return
    asked = _USD if limits.max_increase_usd is not None else _PERCENT
    before = earlier(stack, limits, context.declared_usd)
    if isinstance(before, str):
        message = f"what {asked} allows cannot be judged: {before}"
        yield Violation(message, None, asked, undetermined=True)
        return
    now = stack_estimate(stack, context.declared_usd)
    yield from _risen(before, now, limits)
    for urn, why in untold(now.resources):
        message = (
            f"what {asked} allows cannot be judged: the ceiling is now "
            f"{money_shown(now.totals.ceiling)} and {why}"
        )
        yield Violation(message, urn, asked, undetermined=True)
    if before.untold:
        message = (
            f"what {asked} allows cannot be judged: {before.source} says "
            f"{money_shown(before.ceiling)} and {before.untold}"
        )
        yield Violation(message, None, "baseline", undetermined=True)


def _risen(before: Earlier, now: StackEstimate, limits: IncreaseLimits) -> Iterator[Violation]:
    ceiling = (before.ceiling, now.totals.ceiling)
    for key, allowed in _exceeded(ceiling, limits):
        yield Violation(
            f"ceiling rises by {_by(ceiling)}, more than the {allowed} that {key} allows since "
            f"{before.source}; lower scaling.max, or have {key} raised{behind(now.resources)}",
            None,
            f"ceiling {key}",
        )
    floor = (before.floor, now.totals.floor)
    for key, allowed in _exceeded(floor, limits):
        yield Violation(
            f"floor rises by {_by(floor)}, more than the {allowed} that {key} allows since "
            f"{before.source}; keep fewer instances warm (scaling.min), or have {key} raised"
            f"{behind_floor(now.resources)}",
            None,
            f"floor {key}",
        )


def _by(rise: tuple[Decimal, Decimal]) -> str:
    then, now = rise
    return f"{money_shown(now - then)} (from {money_shown(then)} to {money_shown(now)})"


def _exceeded(rise: tuple[Decimal, Decimal], limits: IncreaseLimits) -> Iterator[tuple[str, str]]:
    """Every limit that the rise is above, with what it allows.

    A part of nothing is nothing: what cost nothing before is held to the amount alone, where there is one.
    """
    then, now = rise
    usd, percent = limits.max_increase_usd, limits.max_increase_percent
    if usd is not None and now - then > usd:
        yield _USD, money_shown(usd)
    if percent is None or (then == 0 and usd is not None):
        return
    allowed = cents(then * percent / 100)
    if now - then > allowed:
        yield _PERCENT, f"{percent.normalize():f} % ({money_shown(allowed)})"


RULE = Rule(
    id="cost-increase-within-limit",
    severity=Severity.HIGH,
    description="A month becomes no dearer at once than the organisation allows.",
    remediation="Lower what has risen, or have max_increase_usd or max_increase_percent raised.",
    judge_stack=judge_stack,
)
