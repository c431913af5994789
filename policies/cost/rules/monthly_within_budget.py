"""What services and the stack cost at their maximum is no more than anybody agreed to."""

from collections.abc import Iterator

from portway.gate.billing import ServiceEstimate, StackEstimate, stack_estimate
from portway.gate.billing.words import behind, untold
from portway.gate.context import CostContext, declared
from portway.gate.resource import Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.pricing.money import money_shown

_BUDGET = "monthlyBudgetUsd"
_STACK = "monthly_ceiling_usd"
_NO_LIMIT = (
    "the stack cannot be judged: no budget is declared and no limit is configured; set "
    "budget.monthly_usd in the spec, or monthly_ceiling_usd in the configuration of the cost pack"
)


def judge_stack(stack: Stack, context: CostContext) -> Iterator[Violation]:
    """Refuse a ceiling above its limit, one that cannot be told, and a stack without any limit."""
    found = stack_estimate(stack, context.declared_usd)
    for service in found.services:
        yield from _of_service(service)
    if context.monthly_ceiling_usd is not None:
        yield from _of_stack(found, context)
    elif not context.budgets and context.max_gpus is None:
        yield Violation(_NO_LIMIT, None, "limit")


def _of_service(service: ServiceEstimate) -> Iterator[Violation]:
    budget, urn = declared(service.resource).budget, service.resource.urn
    if budget is None:
        return
    if isinstance(budget, str):
        message = f"the budget of {service.name} cannot be judged: {budget}"
        yield Violation(message, urn, _BUDGET, undetermined=True)
        return
    ceiling = service.totals.ceiling
    if ceiling > budget:
        yield Violation(
            f"{money_shown(ceiling)} ceiling exceeds the {money_shown(budget)} budget of "
            f"{service.name}; lower scaling.max or raise budget.monthly_usd"
            f"{behind(service.resources)}",
            urn,
            _BUDGET,
        )
        return
    for _, why in untold(service.resources):
        message = (
            f"the {money_shown(budget)} budget of {service.name} cannot be judged: its ceiling is "
            f"{money_shown(ceiling)} and {why}"
        )
        yield Violation(message, urn, _BUDGET, undetermined=True)


def _of_stack(found: StackEstimate, context: CostContext) -> Iterator[Violation]:
    limit, ceiling = context.monthly_ceiling_usd, found.totals.ceiling
    if limit is None:
        return
    if ceiling > limit:
        yield Violation(
            f"{money_shown(ceiling)} ceiling of the stack exceeds the {money_shown(limit)} that "
            "monthly_ceiling_usd allows; lower the maxima or have monthly_ceiling_usd raised"
            f"{behind(found.resources)}",
            None,
            _STACK,
        )
        return
    for urn, why in untold(found.resources):
        message = (
            f"the {money_shown(limit)} of monthly_ceiling_usd cannot be judged: the ceiling of the "
            f"stack is {money_shown(ceiling)} and {why}"
        )
        yield Violation(message, urn, _STACK, undetermined=True)


RULE = Rule(
    id="cost-monthly-within-budget",
    severity=Severity.HIGH,
    description="What a month may cost at its maximum is within the budget.",
    remediation="Lower scaling.max, or raise budget.monthly_usd or monthly_ceiling_usd.",
    judge_stack=judge_stack,
)
