"""What a stack costs with no traffic at all is no more than the organisation allows."""

from collections.abc import Iterator

from portway.gate.billing import stack_estimate
from portway.gate.billing.words import behind_floor, unpriced
from portway.gate.context import CostContext
from portway.gate.resource import Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.pricing.money import money_shown

_PATH = "monthly_floor_usd"


def judge_stack(stack: Stack, context: CostContext) -> Iterator[Violation]:
    """Refuse a floor above the limit, and one that cannot be told."""
    limit = context.monthly_floor_usd
    if limit is None:
        return
    found = stack_estimate(stack, context.declared_usd)
    floor = found.totals.floor
    if floor > limit:
        yield Violation(
            f"{money_shown(floor)} a month are spent with no traffic at all, more than the "
            f"{money_shown(limit)} that monthly_floor_usd allows; keep fewer instances warm "
            f"(scaling.min), or have monthly_floor_usd raised{behind_floor(found.resources)}",
            None,
            _PATH,
        )
        return
    first = next(unpriced(found.resources), None)
    if first is not None:
        message = (
            f"the {money_shown(limit)} of monthly_floor_usd cannot be judged: {first[0]} cannot be "
            f"priced: {first[1].why}"
        )
        yield Violation(message, first[0].urn, _PATH, undetermined=True)


RULE = Rule(
    id="cost-floor-within-limit",
    severity=Severity.MEDIUM,
    description="What a month costs with no traffic at all is within the limit.",
    remediation="Keep fewer instances warm, or have monthly_floor_usd raised.",
    judge_stack=judge_stack,
)
