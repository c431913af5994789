"""Whoever may call from outside may call only so often: a rate, a quota, or a concurrency bounds it."""

from collections.abc import Iterator
from typing import Final

from portway.gate.context import CostContext
from portway.gate.judged_cost import judge_family, number
from portway.gate.links import beside, meant
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Missing, Unknown

_URL: Final = "aws:lambda/functionUrl:FunctionUrl"
_FUNCTION: Final = frozenset({"aws:lambda/function:Function"})
_STAGE: Final = "aws:apigateway/stage:Stage"
_SETTINGS: Final = ("aws:apigateway/methodSettings:MethodSettings",)
_PLANS: Final = ("aws:apigateway/usagePlan:UsagePlan",)
_RATE: Final = "settings.throttlingRateLimit"
_CONCURRENCY: Final = "reservedConcurrentExecutions"
_METER: Final = "environment.variables.PORTWAY_METER"
_BY_TABLE = judge_family("throttles")


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse a way in that lets in as much as comes; what is beside it is known at the end."""
    yield from _BY_TABLE(resource, context, stack)
    if stack is not None and resource.type == _STAGE:
        yield from _of_stage(resource, stack)
    elif stack is not None and resource.type == _URL:
        yield from _of_url(resource, stack)


def _of_stage(stage: Resource, stack: Stack) -> Iterator[Violation]:
    """The stages of REST APIs are throttled by resources of their own."""
    has_rate = any(_has_rate(one) for one in beside(stage, stack, _SETTINGS))
    if not has_rate and not any(beside(stage, stack, _PLANS)):
        message = (
            f"{stage} lets in as many requests as the account may get, 10,000 a second as a rule, and "
            f"every one is billed; give it an aws:apigateway.MethodSettings with {_RATE}"
        )
        yield Violation(message, stage.urn, "throttling")


def _has_rate(settings: Resource) -> bool:
    """Whether there is a rate, known or not; -1 stands for none."""
    seen = settings.properties.get(_RATE)
    if isinstance(seen, Known):
        return (number(seen.value) or 0) > 0
    return isinstance(seen, Unknown)


def _of_url(url: Resource, stack: Stack) -> Iterator[Violation]:
    """Nothing throttles a function's URL but the function itself."""
    kind = url.properties.get("authorizationType")
    if isinstance(kind, Known) and kind.value == "AWS_IAM":
        return
    functions = meant(url, "functionName", stack, _FUNCTION)
    way_out = f"set {_CONCURRENCY} on the function, or let only callers that sign in (AWS_IAM)"
    if not functions:
        message = (
            f"{url} lets anybody call a function that is not in this stack, and nobody can tell how "
            f"often; {way_out}"
        )
        yield Violation(message, url.urn, "functionName", undetermined=True)
    for function in functions:
        if not _is_bounded(function):
            message = (
                f"{url} lets anybody call {function.name} as often as the account can run it, and a "
                f"URL has no throttle of its own; {way_out}"
            )
            yield Violation(message, url.urn, "functionName")


def _is_bounded(function: Resource) -> bool:
    """By its concurrency (one that is not known yet is refused by another rule), or by a meter."""
    seen = function.properties.get(_CONCURRENCY)
    if isinstance(seen, Known) and (given := number(seen.value)) is not None and given >= 0:
        return True
    return isinstance(seen, Unknown) or not isinstance(function.properties.get(_METER), Missing)


RULE = Rule(
    id="cost-callers-are-throttled",
    severity=Severity.HIGH,
    description="Whoever may call from outside may call only so often.",
    remediation="Set a rate, a quota or a concurrency on every way in.",
    controls=(
        "FinOps Framework: Policy & Governance",
        "AWS Well-Architected COST09-BP02",
        "Google Cloud Well-Architected, cost optimization: Optimize resource usage",
    ),
    judge=judge,
)
