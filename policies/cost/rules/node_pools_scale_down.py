"""Machines with GPUs stop when nothing needs them, and no pool grows without a limit."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from portway.gate.billing import amount
from portway.gate.context import CostContext
from portway.gate.counts import Count, Uncounted
from portway.gate.environments import Trial, trial
from portway.gate.machines import is_accelerated
from portway.gate.pools import GKE, SHAPES, Floor, Shape, floor, gpus_of_one, has_maximum, says
from portway.gate.resource import Resource, Stack
from portway.gate.rows import is_refused
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Missing, Unknown

_CLUSTER: Final = "gcp:container/cluster:Cluster"
_KARPENTER: Final = ("kubernetes:karpenter.sh/", "NodePool", "Provisioner")
_LATER: Final = "is known only after deployment; make it a literal"


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse a pool that never shrinks, that multiplies its least by zones, or that has no end."""
    shape = SHAPES.get(resource.type)
    if shape is not None:
        yield from _of_pool(resource, shape, context, stack)
    elif resource.type == _CLUSTER:
        yield from _of_cluster(resource)
    elif resource.type.startswith(_KARPENTER[0]):
        yield from _of_karpenter(resource)


def _of_pool(
    resource: Resource, shape: Shape, context: CostContext, stack: Stack | None
) -> Iterator[Violation]:
    scales = not shape.scaling or not isinstance(resource.properties.get(shape.scaling), Missing)
    if scales and not has_maximum(resource, shape):
        path = shape.most[0]
        message = f"{resource} grows without a limit: {path} is not set; set it"
        yield Violation(message, resource.urn, path)
    each = gpus_of_one(resource, stack)
    if isinstance(each, Count) and not each.value:
        return
    if not says(resource, shape.prepaid):
        yield from _of_floor(resource, shape, each, stack)
    yield from _of_taints(resource, shape, each)
    if trial(resource, context, stack) is Trial.NO:
        return
    if shape.spot and not says(resource, shape.spot):
        message = (
            f"{resource} runs machines with GPUs at the full price in an environment for trials; "
            "spare ones (spot) cost far less where a stop now and then does no harm"
        )
        yield Violation(message, resource.urn, next(iter(shape.spot)), advice=True)


def _of_floor(
    resource: Resource, shape: Shape, each: Count | Uncounted, stack: Stack | None
) -> Iterator[Violation]:
    least = floor(resource, shape)
    if isinstance(least, Uncounted):
        message = f"{resource} may run machines with GPUs day and night: {least.why}"
        way_out = f"; set {shape.scaling or shape.least[0]} so that it can scale to nothing"
        yield Violation(message + way_out, resource.urn, least.path, undetermined=True)
        return
    if not least.machines:
        return
    cost = amount(resource, stack)
    said = _held(resource, least, each) + (f", {cost}" if cost else "")
    unknown = isinstance(each, Uncounted)
    if least.is_fixed:
        way_out = f"let it scale, with {shape.least[-1]} 0"
        message = f"{said}, and nothing ever stops one of them; {way_out}"
        yield Violation(message, resource.urn, least.path, unknown)
    elif least.places > 1:
        message = (
            f"{said}: {least.path} counts in each of {least.places} zones; "
            f"set {shape.least[-1]} instead, 0 where a cold start is bearable"
        )
        yield Violation(message, resource.urn, least.path, unknown)
    else:
        message = (
            f"{said}, with no traffic at all; set {least.path} to 0 where a cold start is bearable"
        )
        yield Violation(message, resource.urn, least.path, advice=True)


def _held(resource: Resource, least: Floor, each: Count | Uncounted) -> str:
    machines = f"{least.machines} machine{'s' if least.machines > 1 else ''}"
    gpus = f"{each.value} GPUs" if isinstance(each, Count) and each.value > 1 else "a GPU"
    each_of = f"{gpus}{' each' if least.machines > 1 else ''}"
    maybe = " (as far as can be told)" if isinstance(each, Uncounted) else ""
    return f"{resource} always keeps {machines} with {each_of}{maybe} ({least.path})"


def _of_taints(resource: Resource, shape: Shape, each: Count | Uncounted) -> Iterator[Violation]:
    """Google taints machines with GPUs by itself in a cluster that has others; Amazon never does."""
    if not shape.taints or not isinstance(each, Count):
        return
    if not isinstance(resource.properties.get(shape.taints), Missing):
        return
    by_itself = resource.type == GKE
    template = not isinstance(resource.properties.get("launchTemplate"), Missing)
    message = (
        f"{resource} has GPUs and no taint ({shape.taints}), so pods that need none may land on its "
        "machines and keep them from stopping; taint them, for example nvidia.com/gpu:NoSchedule"
    )
    if by_itself:
        message += " (Google does so by itself in a cluster that had other machines before)"
    elif template:
        message += " (unless its launch template does)"
    yield Violation(message, resource.urn, shape.taints, advice=by_itself or template)


def _of_cluster(resource: Resource) -> Iterator[Violation]:
    """Node auto-provisioning needs limits; machines with GPUs need a pool that can be judged."""
    enabled = resource.properties.get("clusterAutoscaling.enabled")
    if isinstance(enabled, Unknown) or (
        isinstance(enabled, Known) and is_refused(enabled.value, (True,), ())
    ):
        yield from _of_limits(resource)
    for path in ("nodePools[].nodeConfig.guestAccelerators", "nodePools[].nodeConfig.machineType"):
        for seen in resource.properties.every(path):
            if _may_be_gpus(seen):
                message = (
                    f"{resource} holds machines with GPUs in a pool of its own ({seen.path}), whose "
                    "size cannot be judged; make a gcp:container/nodePool:NodePool of it"
                )
                yield Violation(message, resource.urn, seen.path, isinstance(seen, Unknown))


def _of_limits(resource: Resource) -> Iterator[Violation]:
    """The limits of node auto-provisioning: a largest number for every kind of resource."""
    limits = "clusterAutoscaling.resourceLimits"
    seen = resource.properties.every(f"{limits}[]")
    if not seen:
        message = f"{resource} makes machines by itself without a limit: {limits} is not set"
        yield Violation(f"{message}; set the most cpu and memory", resource.urn, limits)
    for one in seen:
        if isinstance(one, Unknown):
            yield Violation(
                f"{resource}: {one.path} {_LATER}", resource.urn, one.path, undetermined=True
            )
            continue
        given = one.value
        most = (
            cast("Mapping[str, object]", given).get("maximum")
            if isinstance(given, Mapping)
            else None
        )
        if most is None:
            path = f"{one.path}.maximum"
            message = (
                f"{resource} makes machines by itself without a limit: {path} is not set; set it"
            )
            yield Violation(message, resource.urn, path)


def _may_be_gpus(seen: Known | Unknown) -> bool:
    if isinstance(seen, Unknown) or not isinstance(seen.value, str):
        return isinstance(seen, Unknown) or bool(seen.value)
    return is_accelerated(seen.value.strip().lower())


def _of_karpenter(resource: Resource) -> Iterator[Violation]:
    """Karpenter makes machines for whatever waits: up to its limits, and until it consolidates."""
    kind = resource.type.rpartition(":")[2].removesuffix("Patch")
    if kind not in _KARPENTER[1:]:
        return
    view = resource.properties
    limits = view.get("spec.limits.resources" if kind == "Provisioner" else "spec.limits")
    if isinstance(limits, Unknown):
        yield Violation(
            f"{resource}: {limits.path} {_LATER}", resource.urn, limits.path, undetermined=True
        )
    elif isinstance(limits, Missing) or not limits.value:
        message = (
            f"{resource} makes machines for whatever waits, without a limit: {limits.path} is not "
            "set; limit cpu, memory and nvidia.com/gpu"
        )
        yield Violation(message, resource.urn, limits.path)
    yield from _of_old_provisioner(resource) if kind == "Provisioner" else _of_disruption(resource)


def _of_disruption(resource: Resource) -> Iterator[Violation]:
    """Left out, machines are consolidated; ``Never``, and a budget of none at all times, forbid it."""
    after = "spec.disruption.consolidateAfter"
    budgets = "spec.disruption.budgets"
    for seen in resource.properties.every(after):
        if isinstance(seen, Unknown):
            yield Violation(
                f"{resource}: {seen.path} {_LATER}", resource.urn, after, undetermined=True
            )
        elif is_refused(seen.value, ("never",), ()):
            message = f"{resource} never stops a machine that nothing needs ({after} is Never)"
            yield Violation(f"{message}; set a time, such as 5m", resource.urn, after)
    for seen in resource.properties.every(f"{budgets}[]"):
        if isinstance(seen, Known) and _forbids_always(seen.value):
            message = (
                f"{resource} never stops a machine that nothing needs ({seen.path} allows none)"
            )
            way_out = (
                "give that budget a schedule, or reasons that leave out Empty and Underutilized"
            )
            yield Violation(f"{message}; {way_out}", resource.urn, seen.path)


def _forbids_always(budget: object) -> bool:
    """Whether a disruption budget allows no empty machine to stop, at any time."""
    if not isinstance(budget, Mapping):
        return False
    said = cast("Mapping[str, object]", budget)
    if not is_refused(said.get("nodes"), ("0", "0%", 0), ()) or said.get("schedule") is not None:
        return False
    reasons = said.get("reasons")
    return not isinstance(reasons, Sequence) or not reasons or "Empty" in reasons


def _of_old_provisioner(resource: Resource) -> Iterator[Violation]:
    """A Provisioner keeps empty machines unless one of two properties says otherwise."""
    view = resource.properties
    ways = ("spec.consolidation.enabled", "spec.ttlSecondsAfterEmpty")
    said = [view.get(way) for way in ways]
    if isinstance(said[1], Known) or (
        isinstance(said[0], Known) and is_refused(said[0].value, (True,), ())
    ):
        return
    undetermined = any(isinstance(one, Unknown) for one in said)
    message = f"{resource} never stops a machine that nothing needs; set {ways[0]}"
    yield Violation(message, resource.urn, ways[0], undetermined)


RULE = Rule(
    id="cost-node-pools-scale-down",
    severity=Severity.HIGH,
    description="Machines with GPUs stop when nothing needs them, and no pool grows without a limit.",
    remediation="Let the pool scale to zero, set its maximum, and taint machines with GPUs.",
    judge=judge,
    controls=("ISO/IEC 27001:2022 A.8.6", "NIST SP 800-53 r5 SC-5"),
)
