"""What runs on GPUs in a cluster ends, shrinks again, and takes no more devices than it says."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final

from portway.gate.absence import cost_absence
from portway.gate.capacity import gpus, reading, runs_pods
from portway.gate.context import CostContext
from portway.gate.counts import Count, Uncounted
from portway.gate.quantities import whole
from portway.gate.resource import Resource, Stack
from portway.gate.rows import is_refused
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.tables import table
from portway.gate.values import UNKNOWN, Known, Missing, Unknown, shown
from portway.gate.workloads import anatomy, kind_of, mapping, plain

_ID: Final = "cost-workloads-are-bounded"
_JOBS: Final = {"Job": "spec", "CronJob": "spec.jobTemplate.spec"}
_RETRIES: Final = 6
"""Where a Job says nothing, Kubernetes tries this often again (kubernetes.io: Jobs)."""

_HOUR_SECONDS: Final = 3600
_HOURLY_AT_MOST: Final = re.compile(
    r"@(?:hourly|daily|midnight|weekly|monthly|yearly|annually)|\d+\s.*"
)
_CLAIMS: Final = ("ResourceClaim", "ResourceClaimTemplate")
_SCALERS: Final = {
    "HorizontalPodAutoscaler": "spec.behavior.scaleDown.selectPolicy",
    "ScaledObject": ("spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.selectPolicy"),
}
_QUOTA: Final = "kubernetes:core/v1:ResourceQuota"
_LATER: Final = "is known only after deployment; make it a literal"


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse GPU jobs without an end, autoscalers that only grow, and claims of every device."""
    del context
    if not runs_pods(resource):
        return
    kind, group = kind_of(resource.type)
    if kind in _JOBS and group == "batch":
        yield from _of_job(resource, _JOBS[kind], stack)
    elif kind in _SCALERS:
        yield from _of_scaler(resource, _SCALERS[kind])
    elif kind in _CLAIMS:
        yield from _of_claims(resource)


def _of_job(resource: Resource, spec: str, stack: Stack | None) -> Iterator[Violation]:
    each = gpus(resource, reading(resource).facts, stack)
    if isinstance(each, Count) and not each.value:
        return
    held = f"{each.value} GPUs" if isinstance(each, Count) and each.value > 1 else "a GPU"
    undetermined = isinstance(each, Uncounted)
    deadline = f"{spec}.activeDeadlineSeconds"
    ends = _whole_at(resource, deadline)
    if isinstance(ends, Uncounted) and not ends.is_missing:
        message = f"{resource} may hold {held} without an end: {ends.why}"
        yield Violation(message, resource.urn, deadline, undetermined=True)
    elif isinstance(ends, Uncounted):
        yield from _of_pods(resource, spec, held, undetermined=undetermined)
    if resource.properties.every("spec.jobTemplate"):
        yield from _of_schedule(resource, held, ends, undetermined=undetermined)


def _of_pods(
    resource: Resource, spec: str, held: str, *, undetermined: bool
) -> Iterator[Violation]:
    """A job whose pods have a deadline each ends after so many pods, tried so often."""
    path = f"{spec}.template.spec.activeDeadlineSeconds"
    ends = _whole_at(resource, path)
    if isinstance(ends, Uncounted):
        message = (
            f"{resource} may hold {held} without an end, tried {_RETRIES + 1} times by default: "
            f"set {spec}.activeDeadlineSeconds, which counts for all tries together"
        )
        yield Violation(message, resource.urn, path, undetermined or not ends.is_missing)
        return
    for name in ("completions", "parallelism", "backoffLimit"):
        count = _whole_at(resource, f"{spec}.{name}")
        if isinstance(count, Uncounted) and not count.is_missing:
            message = f"{resource} may hold {held} nobody knows how often: {count.why}"
            yield Violation(message, resource.urn, count.path, undetermined=True)


def _of_schedule(
    resource: Resource, held: str, ends: Count | Uncounted, *, undetermined: bool
) -> Iterator[Violation]:
    """A job that starts again before it has ended is there many times."""
    path = "spec.concurrencyPolicy"
    policy = resource.properties.get(path)
    if isinstance(policy, Known) and is_refused(policy.value, ("Forbid", "Replace"), ()):
        return
    schedule = resource.properties.get("spec.schedule")
    if (
        isinstance(ends, Count)
        and ends.value <= _HOUR_SECONDS
        and isinstance(schedule, Known)
        and _HOURLY_AT_MOST.fullmatch(str(schedule.value).strip())
    ):
        return
    message = (
        f"{resource} may start again while it still holds {held}, without a limit; set {path} to "
        "Forbid or Replace"
    )
    yield Violation(message, resource.urn, path, undetermined or isinstance(policy, Unknown))


def _of_scaler(resource: Resource, path: str) -> Iterator[Violation]:
    for seen in resource.properties.every(path):
        if isinstance(seen, Unknown):
            message = f"{resource} may never scale down: {seen.path} {_LATER}"
            yield Violation(message, resource.urn, seen.path, undetermined=True)
        elif is_refused(seen.value, ("Disabled",), ()):
            message = (
                f"{resource} only ever grows: {seen.path} is Disabled, so what one peak started runs "
                "for good; choose Max or Min"
            )
            yield Violation(message, resource.urn, seen.path)


def _of_claims(resource: Resource) -> Iterator[Violation]:
    """Requests of devices: how many is said, unless they only watch (``adminAccess``)."""
    for block in anatomy(resource).blocks:
        if ".requests[" not in block.path or plain(block.value.get("adminAccess")) is True:
            continue
        mode, count = plain(block.value.get("allocationMode")), plain(block.value.get("count"))
        if mode == "All":
            message = (
                f"{resource} takes every device of a machine that it lands on "
                f"({block.at('allocationMode')} is All); use ExactCount, and say how many"
            )
            yield Violation(message, resource.urn, block.at("allocationMode"))
        for name, value in (("allocationMode", mode), ("count", count)):
            if value is UNKNOWN:
                message = (
                    f"{resource} takes nobody knows how many devices: {block.at(name)} {_LATER}"
                )
                yield Violation(message, resource.urn, block.at(name), undetermined=True)


def _lacks(stack: Stack, context: CostContext) -> Iterator[Violation]:
    """Advise a quota for every namespace that runs pods with GPUs and has none of them."""
    del context
    said: set[str] = set()
    limited = _limited(stack)
    for resource in stack.resources:
        if not runs_pods(resource) or reading(resource).facts.scales is not None:
            continue
        each = gpus(resource, reading(resource).facts)
        if isinstance(each, Uncounted) or not each.value:
            continue
        places = _namespaces(resource)
        if not places or places & (limited | said):
            continue
        said |= places
        message = (
            f"{resource} runs pods with GPUs in a namespace that no quota of this stack limits; a "
            "ResourceQuota with requests.nvidia.com/gpu caps whatever else may start there, or say under elsewhere where it is"
        )
        yield Violation(message, resource.urn, "metadata.namespace", advice=True)


def _limited(stack: Stack) -> set[str]:
    """The namespaces in which a quota limits GPUs."""
    found: set[str] = set()
    for resource in stack.resources:
        if resource.type == _QUOTA and any(_is_of_gpus(name) for name in _hard(resource)):
            found |= _namespaces(resource)
    return found


def _hard(resource: Resource) -> Mapping[str, object]:
    seen = resource.properties.get("spec.hard")
    return mapping(seen.value) if isinstance(seen, Known) else {}


def _is_of_gpus(name: str) -> bool:
    patterns: list[str] = table("capacity.json")["pods"]["gpu_names"]
    device = name.removeprefix("requests.")
    return device != name and any(fnmatchcase(device, pattern) for pattern in patterns)


def _namespaces(resource: Resource) -> set[str]:
    """What its namespace is known by: its name, or the resources that its metadata comes from."""
    found: set[str] = set()
    for manifest in anatomy(resource).manifests:
        name = manifest.namespace
        if isinstance(name, str):
            found.add(name)
        elif name is UNKNOWN:
            found |= set(manifest.sources)
    return found


def _whole_at(resource: Resource, path: str) -> Count | Uncounted:
    """The whole number at ``path``; why there is none, where there is none."""
    seen = resource.properties.get(path)
    if isinstance(seen, Missing):
        return Uncounted(path, f"{path} is not set", is_missing=True)
    if isinstance(seen, Unknown):
        return Uncounted(path, f"{seen.path} {_LATER}")
    count = whole(seen.value)
    if count is None:
        return Uncounted(path, f"{path} is {shown(seen.value)}, which is no whole number")
    return Count(count, path)


RULE = Rule(
    id=_ID,
    severity=Severity.HIGH,
    description="What runs on GPUs in a cluster ends, shrinks again, and takes what it says.",
    remediation="Give jobs a deadline, let autoscalers scale down, and count devices exactly.",
    judge=judge,
    judge_stack=cost_absence(_ID, _lacks),
    controls=("ISO/IEC 27001:2022 A.8.6", "NIST SP 800-53 r5 SC-6"),
)
