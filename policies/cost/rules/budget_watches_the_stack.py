"""Somewhere a budget watches what the stack spends, and tells before the month is over."""

from collections.abc import Iterator
from typing import Final

from portway.gate.absence import cost_absence, named
from portway.gate.capacity import Kind, reading
from portway.gate.context import CostContext
from portway.gate.links import of_types
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known

_ID: Final = "cost-budget-watches-the-stack"
_BUDGETS: Final = {"aws": "aws:budgets/budget:Budget", "gcp": "gcp:billing/budget:Budget"}
_OTHERS: Final = frozenset(
    {
        "usage",
        "ri_utilization",
        "ri_coverage",
        "savings_plans_utilization",
        "savings_plans_coverage",
    }
)
"""Kinds of Amazon's budgets that watch no money."""


def lacks(stack: Stack, context: CostContext) -> Iterator[Violation]:
    """Each cloud in which the stack runs something, and in which it has no budget."""
    del context
    for package, token in _BUDGETS.items():
        running = [one for one in stack.resources if one.package == package and _runs(one)]
        budgets = [one for one in of_types(stack, (token,)) if _watches_money(one)]
        if running and not budgets:
            message = (
                f"no budget in this stack watches what {named(running)} may cost; create one "
                f"({token}), or say under elsewhere in the configuration where one is kept"
            )
            yield Violation(message, None, token)


def _runs(resource: Resource) -> bool:
    return resource.provider is not None and reading(resource).kind is Kind.RUNS


def _watches_money(budget: Resource) -> bool:
    kind = budget.properties.get("budgetType")
    return not (isinstance(kind, Known) and str(kind.value).lower() in _OTHERS)


RULE = Rule(
    id=_ID,
    severity=Severity.MEDIUM,
    description="A budget watches what the stack spends.",
    remediation="Create a budget, or say where one is kept.",
    controls=(
        "FinOps Framework: Budgeting",
        "AWS Well-Architected COST03-BP05",
        "Google Cloud Well-Architected, cost optimization: Foster a culture of cost awareness",
    ),
    judge_stack=cost_absence(_ID, lacks),
    advises=True,
)
