"""One run of a job ends, and costs no more than an instance that never stops would."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from portway.gate.amounts import at_maximum
from portway.gate.context import CostContext
from portway.gate.judged_cost import judge_family, number
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Missing, Unknown, shown

_JOB: Final = "gcp:cloudrunv2/job:Job"
_TASKS: Final = "template.taskCount"
_RETRIES: Final = "template.template.maxRetries"
_TIMEOUT: Final = "template.template.timeout"
_GPUS: Final = 'template.template.containers[].resources.limits["nvidia.com/gpu"]'
_OMITTED: Final = {_TASKS: Decimal(1), _RETRIES: Decimal(3), _TIMEOUT: Decimal(600)}
"""What Google takes for what is left out (docs.cloud.google.com/run/docs: tasks, retries, timeout)."""
_HOURS_OF_A_MONTH: Final = 730
_SECONDS: Final = re.compile(r"(\d+(?:\.\d+)?)s")
_BY_TABLE = judge_family("jobs")


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse a job whose tasks, tried as often and as long as they may be, come to over a month."""
    yield from _BY_TABLE(resource, context, stack)
    if resource.type != _JOB:
        return
    if resource.properties.every(_GPUS) and not resource.properties.every(_RETRIES):
        message = (
            f"{resource} does not set {_RETRIES}: Google then tries each task up to four times, each "
            "time with its GPU; set how often a task that fails is worth another try"
        )
        yield Violation(message, resource.urn, _RETRIES)
    read = [_value(resource, path) for path in _OMITTED]
    yield from (one for one in read if isinstance(one, Violation))
    known = [one for one in read if isinstance(one, Decimal)]
    if len(known) == len(read):
        yield from _too_much(resource, at_maximum(resource, stack), *known)


def _too_much(
    resource: Resource, cost: str, tasks: Decimal, retries: Decimal, timeout_seconds: Decimal
) -> Iterator[Violation]:
    hours = tasks * (1 + retries) * timeout_seconds / 3600
    if hours > _HOURS_OF_A_MONTH:
        message = (
            f"{resource} may bill {hours:,.0f} task-hours in one run ({tasks} tasks, each tried "
            f"{1 + retries} times for {timeout_seconds} seconds), more than the {_HOURS_OF_A_MONTH} "
            f"of a month{cost}; lower {_TIMEOUT}, {_RETRIES} or {_TASKS}"
        )
        yield Violation(message, resource.urn, _TIMEOUT)


def _value(resource: Resource, path: str) -> Decimal | Violation:
    """The number at ``path``, in seconds for the timeout, or why there is none."""
    seen = resource.properties.get(path)
    if isinstance(seen, Missing):
        return _OMITTED[path]
    if isinstance(seen, Unknown):
        why = f"{path} is known only after deployment; make it a literal"
        message = f"{resource} cannot be judged: {why}"
        return Violation(message, resource.urn, path, undetermined=True)
    given = _seconds(seen) if path == _TIMEOUT else number(seen.value)
    if given is None or given < 0:
        what = "a duration such as 600s" if path == _TIMEOUT else "a number of at least 0"
        message = f"{resource} cannot be judged: {path} is {shown(seen.value)}, and not {what}"
        return Violation(message, resource.urn, path, undetermined=True)
    return given


def _seconds(seen: Known) -> Decimal | None:
    match = _SECONDS.fullmatch(str(seen.value).strip())
    return Decimal(match[1]) if match else None


RULE = Rule(
    id="cost-jobs-are-bounded",
    severity=Severity.HIGH,
    description="One run of a job ends, and costs no more than an instance that never stops.",
    remediation="Lower how long, how often and how many times a task may run.",
    controls=(
        "FinOps Framework: Workload Optimization",
        "AWS Well-Architected COST09-BP03",
        "Google Cloud Well-Architected, cost optimization: Optimize resource usage",
    ),
    judge=judge,
)
