"""The rates behind an estimate are not older than the organisation trusts."""

from collections.abc import Iterator
from decimal import Decimal

from portway.gate.billing import StackEstimate, stack_estimate
from portway.gate.context import CostContext
from portway.gate.resource import Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.pricing.freshness import USUAL_DAYS, age_days
from portway.pricing.money import money_shown
from portway.pricing.rate import Rate


def judge_stack(stack: Stack, context: CostContext) -> Iterator[Violation]:
    """Refuse an estimate that rests on rates which are too old; name the oldest."""
    found = stack_estimate(stack, context.declared_usd)
    limit = context.rates_max_age_days or USUAL_DAYS
    old = [rate for rate in found.rates if age_days(rate, context.today) > limit]
    if not old:
        return
    oldest = max(old, key=lambda rate: (age_days(rate, context.today), rate.sku))
    share = money_shown(_resting_on(found, frozenset(old)))
    many = f"{len(old)} rates are" if len(old) > 1 else "a rate is"
    yield Violation(
        f"{many} older than {limit} days; the oldest, {oldest.sku} in {oldest.region}, is of "
        f"{oldest.as_of} ({oldest.source}); {share} of the "
        f"{money_shown(found.totals.ceiling)} ceiling rest on them; refresh the rates, or raise "
        "rates_max_age_days",
        None,
        "rates",
        advice=context.rates_max_age_days is None,
    )


def _resting_on(found: StackEstimate, old: frozenset[Rate]) -> Decimal:
    lines = (line for one in found.resources for line in one.lines if old & set(line.rates))
    return sum((line.monthly.ceiling for line in lines), start=Decimal(0))


RULE = Rule(
    id="cost-rates-are-fresh",
    severity=Severity.MEDIUM,
    description="The rates behind the estimate are not older than the organisation trusts.",
    remediation="Refresh the rates, or raise rates_max_age_days.",
    judge_stack=judge_stack,
)
