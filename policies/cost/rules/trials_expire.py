"""GPUs that people try something with have a day on which they may be deleted."""

import re
from collections.abc import Iterator
from typing import Final

from portway.gate.capacity import Kind, gpus, reading
from portway.gate.context import CostContext
from portway.gate.counts import Count
from portway.gate.environments import Trial, labels, trial
from portway.gate.links import of_types
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Missing, Unknown
from portway.gate.workloads import mapping

_ENDS: Final = re.compile(
    r"(?i)(?:.*[/:._-])?(?:ttl|expir(?:y|es|ation)|lease|(?:expires?|delete|destroy|terminate|remove|shutdown)"
    r"[-_]?(?:on|at|after|by|date|time))"
)
_RUNS_FOR: Final = (
    "nodeConfig.maxRunDuration",
    "scheduling.maxRunDuration",
    "spec.template.spec.expireAfter",
)
_SCHEDULES: Final = {
    "aws:autoscaling/schedule:Schedule": "desiredCapacity",
    "aws:appautoscaling/scheduledAction:ScheduledAction": "scalableTargetAction.maxCapacity",
}
"""Types that stop machines at a time of day, and where they say how many are left."""


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Report a resource with GPUs in an environment for trials that nothing ever ends."""
    how = reading(resource)
    if stack is None or how.kind is not Kind.RUNS or how.facts.scales is not None:
        return
    each = gpus(resource, how.facts, stack)
    if (isinstance(each, Count) and not each.value) or trial(resource, context, stack) is Trial.NO:
        return
    if _ends(resource) or _is_stopped(stack):
        return
    message = (
        f"{resource} holds GPUs in an environment for trials, and nothing says until when; label it, "
        "or everything of its provider, with expires-on and a day, or stop it on a schedule"
    )
    yield Violation(message, resource.urn, "expires-on")


def _ends(resource: Resource) -> bool:
    """Whether a label, an annotation or a limit of its time says when it ends."""
    names = [name for name, value in labels(resource) if value is not None]
    seen = resource.properties.get("metadata.annotations")
    if isinstance(seen, Known):
        names += mapping(seen.value)
    if any(_ENDS.fullmatch(name) for name in names):
        return True
    return any(not isinstance(resource.properties.get(path), Missing) for path in _RUNS_FOR)


def _is_stopped(stack: Stack) -> bool:
    """Whether a schedule of the stack leaves no machine running, or may."""
    return any(
        isinstance(seen, Unknown) or str(seen.value) == "0"
        for one in of_types(stack, _SCHEDULES)
        for seen in one.properties.every(_SCHEDULES[one.type])
    )


RULE = Rule(
    id="cost-trials-expire",
    severity=Severity.MEDIUM,
    description="GPUs that people try something with have a day on which they may be deleted.",
    remediation="Label them with expires-on and a day, or stop them on a schedule.",
    judge=judge,
    controls=(
        "FinOps Framework: Workload Optimization",
        "AWS Well-Architected COST04-BP03",
        "Google Cloud Well-Architected, cost optimization: Optimize resource usage",
    ),
    advises=True,
)
