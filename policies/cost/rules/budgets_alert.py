"""A budget in a cloud is of use: it has an amount, no higher than declared, and somebody is told."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from portway.gate.context import CostContext
from portway.gate.judged_cost import number
from portway.gate.links import beside
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Missing, Unknown, shown

_AWS: Final = "aws:budgets/budget:Budget"
_ACTION: Final = ("aws:budgets/budgetAction:BudgetAction",)
_GCP: Final = "gcp:billing/budget:Budget"
_SUBSCRIBERS: Final = ("subscriberEmailAddresses", "subscriberSnsTopicArns")
_RULE: Final = "allUpdatesRule"
_OWN: Final = {_AWS: ("costFilters", "filterExpression"), _GCP: ("budgetFilter.labels",)}
"""What narrows a budget to less than the whole account or project."""
_AMOUNTS: Final = {
    _AWS: ("limitAmount", "plannedLimits[].amount"),
    _GCP: ("amount.specifiedAmount.units",),
}
_PERIOD: Final = {_AWS: "timeUnit", _GCP: "budgetFilter.calendarPeriod"}
_LONG: Final = frozenset({"quarterly", "annually", "quarter", "year"})


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse a budget that watches nothing or tells nobody; a service may still declare a lower one.

    So the amount is compared when the whole stack is known.
    """
    if resource.type == _AWS:
        kind = resource.properties.get("budgetType")
        if not isinstance(kind, Known) or str(kind.value).upper() == "COST":
            yield from _amounts(resource, context, stack)
            yield from _of_aws(resource, stack)
    elif resource.type == _GCP:
        yield from _amounts(resource, context, stack)
        yield from _of_google(resource)


def _amounts(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    props = resource.properties
    grows = "autoAdjustData" if resource.type == _AWS else "amount.lastPeriodAmount"
    seen = props.first(_AMOUNTS[resource.type])
    if not seen:
        how = (
            f"{grows} makes it grow along with what it watches"
            if props.every(grows)
            else "it has none"
        )
        path = _AMOUNTS[resource.type][0]
        message = f"{resource} names no amount that could be exceeded: {how}; set {path}"
        yield Violation(message, resource.urn, path)
    for one in seen:
        given = number(one.value) if isinstance(one, Known) else None
        if isinstance(one, Unknown):
            message = f"{resource} cannot be judged: {one.path} is known only after deployment"
            yield Violation(
                f"{message}; make it a literal", resource.urn, one.path, undetermined=True
            )
        elif given is None or given <= 0:
            message = (
                f"{resource} watches {shown(one.value)}, which is no amount ({one.path}); give one"
            )
            yield Violation(message, resource.urn, one.path)
        elif stack is not None and context.budgets and given > sum(context.budgets):
            yield _too_high(resource, one.path, given, sum(context.budgets, Decimal(0)))
    yield from _units(resource)
    period = props.get(_PERIOD[resource.type])
    if isinstance(period, Known) and str(period.value).lower() in _LONG:
        message = (
            f"{resource} watches more than a month at a time ({period.path}), so what one month "
            "costs too much is told late; watch each month"
        )
        yield Violation(message, resource.urn, period.path, advice=True)


def _units(resource: Resource) -> Iterator[Violation]:
    """Google takes amounts in the currency of the billing account only; Amazon's are in USD."""
    for path in ("limitUnit", "plannedLimits[].unit", "amount.specifiedAmount.currencyCode"):
        for seen in resource.properties.every(path):
            if isinstance(seen, Known) and str(seen.value).upper() != "USD":
                message = f"{resource} counts in something else than USD ({seen.path})"
                is_google = resource.type == _GCP
                way_out = "what is declared is in USD and cannot be compared with it"
                message = (
                    f"{message}: {way_out}; use USD" if not is_google else f"{message}; {way_out}"
                )
                yield Violation(message, resource.urn, seen.path, advice=is_google)


def _too_high(resource: Resource, path: str, given: Decimal, declared: Decimal) -> Violation:
    """A budget of everything in an account may well be higher than what one service declares."""
    is_own = any(resource.properties.every(one) for one in _OWN[resource.type])
    message = (
        f"{resource} watches {given} USD ({path}), more than the {declared} USD that are declared, so "
        "it tells too late; lower it to that"
    )
    return Violation(message, resource.urn, path, advice=not is_own)


def _of_aws(resource: Resource, stack: Stack | None) -> Iterator[Violation]:
    heard: list[Known | Unknown] = []
    for one in resource.properties.every("notifications[]"):
        told = (resource.properties.every(f"{one.path}.{name}[]") for name in _SUBSCRIBERS)
        below = resource.properties.get(f"{one.path}.comparisonOperator")
        is_below = isinstance(below, Known) and below.value == "LESS_THAN"
        if any(told) and not is_below:
            heard.append(one)
    if not heard:
        acts = stack is None or any(beside(resource, stack, _ACTION))
        if not acts:
            message = (
                f"{resource} tells nobody when it is exceeded: no notification of it has a subscriber; "
                f"add one with {' or '.join(_SUBSCRIBERS)}"
            )
            yield Violation(message, resource.urn, "notifications")
        return
    kinds = [resource.properties.get(f"{one.path}.notificationType") for one in heard]
    yield from _missing(resource, kinds, ("ACTUAL", "FORECASTED"), "notifications")


def _of_google(resource: Resource) -> Iterator[Violation]:
    props = resource.properties
    rules = props.every("thresholdRules[]")
    topic = props.every(f"{_RULE}.pubsubTopic")
    if not rules and not topic:
        message = (
            f"{resource} tells nobody when it is exceeded: it has no thresholds; add thresholdRules"
        )
        yield Violation(message, resource.urn, "thresholdRules")
        return
    silent = props.get(f"{_RULE}.disableDefaultIamRecipients")
    others = (
        *topic,
        *props.every(f"{_RULE}.monitoringNotificationChannels[]"),
        *props.every(f"{_RULE}.enableProjectLevelRecipients"),
    )
    if isinstance(silent, Known) and str(silent.value).lower() == "true" and not others:
        message = (
            f"{resource} tells nobody when it is exceeded: {silent.path} silences the usual mail, and "
            f"{_RULE} names nobody else; add monitoringNotificationChannels or pubsubTopic"
        )
        yield Violation(message, resource.urn, silent.path)
    elif isinstance(props.get(_RULE), Missing):
        message = (
            f"{resource} tells only who administers the billing account, as {_RULE} is not set; add "
            "monitoringNotificationChannels of those who run the service"
        )
        yield Violation(message, resource.urn, _RULE, advice=True)
    kinds = [_basis(resource, rule.path) for rule in rules]
    if kinds:
        yield from _missing(
            resource, kinds, ("CURRENT_SPEND", "FORECASTED_SPEND"), "thresholdRules"
        )


def _basis(resource: Resource, rule: str) -> Known | Unknown | Missing:
    seen = resource.properties.get(f"{rule}.spendBasis")
    return Known(seen.path, "CURRENT_SPEND") if isinstance(seen, Missing) else seen


def _missing(
    resource: Resource,
    kinds: list[Known | Unknown | Missing],
    wanted: tuple[str, ...],
    path: str,
) -> Iterator[Violation]:
    known = {str(one.value) for one in kinds if isinstance(one, Known)}
    if any(isinstance(one, Unknown) for one in kinds):
        return
    for kind in wanted:
        if kind not in known:
            what = "is about to happen" if kind.startswith("FORECASTED") else "has happened"
            message = f"{resource} tells nobody what {what}: none of {path} is {kind}; add one"
            yield Violation(message, resource.urn, path, advice=True)


RULE = Rule(
    id="cost-budgets-alert",
    severity=Severity.HIGH,
    description="A budget has an amount no higher than declared, and somebody is told.",
    remediation="Give the budget an amount in USD, thresholds and somebody to tell.",
    controls=(
        "FinOps Framework: Budgeting",
        "AWS Well-Architected COST02-BP05",
        "Google Cloud Well-Architected, cost optimization: Foster a culture of cost awareness",
    ),
    judge=judge,
)
