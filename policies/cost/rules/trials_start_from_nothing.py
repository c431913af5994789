"""Where people only try things, no GPU runs while nobody asks."""

from collections.abc import Iterator
from typing import Final

from portway.gate.billing import amount
from portway.gate.capacity import gpus, maximum, reading, runs_pods, scalers
from portway.gate.context import CostContext
from portway.gate.counts import Count, Uncounted
from portway.gate.environments import Trial, trial
from portway.gate.pools import SHAPES, floor, says
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.target import ResourceFacts

_WHERE: Final = {
    Trial.YES: "an environment for trials",
    Trial.PERHAPS: "what may be an environment for trials, by the name of its stack",
}
_RUN: Final = {
    "gcp:cloudrunv2/service:Service": (
        "template.scaling.minInstanceCount", "scaling.minInstanceCount", "scaling.manualInstanceCount",
    ),
    "gcp:cloudrunv2/workerPool:WorkerPool": (
        "scaling.minInstanceCount", "scaling.manualInstanceCount",
    ),
}  # fmt: skip
_WORKLOADS: Final = frozenset(
    {
        "kubernetes:apps/v1:Deployment", "kubernetes:apps/v1:StatefulSet",
        "kubernetes:apps/v1:ReplicaSet",
    }
)  # fmt: skip
_SCALERS: Final = {
    "kubernetes:autoscaling/v2:HorizontalPodAutoscaler": ("spec.minReplicas", 1),
    "kubernetes:autoscaling/v1:HorizontalPodAutoscaler": ("spec.minReplicas", 1),
    "kubernetes:keda.sh/v1alpha1:ScaledObject": ("spec.minReplicaCount", 0),
    "kubernetes:http.keda.sh/v1alpha1:HTTPScaledObject": ("spec.replicas.min", 0),
}
"""By type, where an autoscaler says its least, and what it takes where it says nothing."""


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse GPUs that always run in an environment for trials."""
    if not _is_about(resource) or (stack is None and runs_pods(resource)):
        return
    each = gpus(resource, reading(resource).facts, stack)
    where = trial(resource, context, stack)
    if (isinstance(each, Count) and not each.value) or where is Trial.NO:
        return
    for least in _least(resource, stack):
        if isinstance(least, Count) and not least.value:
            continue
        undetermined = isinstance(least, Uncounted) or isinstance(each, Uncounted)
        given = f"{least.path} {least.value}" if isinstance(least, Count) else least.why
        cost = amount(resource, stack)
        message = (
            f"{resource} always keeps GPUs in {_WHERE[where]} ({given})"
            f"{f', {cost}' if cost else ''}; let it start from 0, or tag it environment=production "
            "where it is none"
        )
        advice = where is Trial.PERHAPS
        yield Violation(message, resource.urn, least.path, undetermined, advice)


def _is_about(resource: Resource) -> bool:
    return resource.type in _RUN or resource.type in _WORKLOADS or resource.type in SHAPES


def _least(resource: Resource, stack: Stack | None) -> Iterator[Count | Uncounted]:
    """Each number that keeps instances of ``resource`` whatever the traffic."""
    shape = SHAPES.get(resource.type)
    if shape is not None:
        if not says(resource, shape.prepaid):
            least = floor(resource, shape)
            yield Count(least.machines, least.path) if not isinstance(least, Uncounted) else least
    elif resource.type in _RUN:
        for path in _RUN[resource.type]:
            yield _number(resource, path, 0)
    elif stack is not None:
        yield from _of_workload(resource, stack)


def _of_workload(resource: Resource, stack: Stack) -> Iterator[Count | Uncounted]:
    """The least of its autoscaler where it has one, else its replicas."""
    found = [one for one, _, is_certain in scalers(resource, stack) if is_certain]
    for scaler in found:
        if scaler.type in _SCALERS:
            yield _number(scaler, *_SCALERS[scaler.type])
    if not found:
        yield _number(resource, "spec.replicas", 1)


def _number(resource: Resource, path: str, absent: int) -> Count | Uncounted:
    """The number at ``path``; ``absent`` where there is none, or one that another mode needs."""
    count = maximum(resource, ResourceFacts(maximum=path))
    if isinstance(count, Uncounted) and count.is_missing:
        return Count(0 if resource.properties.every(path) else absent, path)
    return count


RULE = Rule(
    id="cost-trials-start-from-nothing",
    severity=Severity.MEDIUM,
    description="Where people only try things, no GPU runs while nobody asks.",
    remediation="Scale GPUs of development and staging from zero.",
    judge=judge,
    controls=(
        "FinOps Framework: Workload Optimization",
        "AWS Well-Architected COST09-BP03",
        "Google Cloud Well-Architected, cost optimization: Optimize resource usage",
    ),
)
