"""What is billed because of Kubernetes objects: nodes for pods with GPUs, balancers and volumes.

Pods without a GPU are billed with the nodes that they share, which another resource pays for.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from portway.gate.billing import serving
from portway.gate.billing.cannot import CannotPrice
from portway.gate.billing.cluster import FLAVOUR, MACHINE_LABELS, Cluster, cluster_of, labelled
from portway.gate.billing.packing import group_size, labels_of, packed_on
from portway.gate.billing.values import GIB, known, quantity
from portway.gate.capacity import at_most, gpus, reading, scalers
from portway.gate.counts import Count, Uncounted
from portway.gate.machines import is_accelerated
from portway.gate.resource import Resource, Stack
from portway.gate.rollouts import surge
from portway.gate.tables import table
from portway.gate.values import Known, Missing, Unknown
from portway.pricing.meter import Fixed, Held, Meter, NoCharge, Part, PerUse
from portway.pricing.money import HOURS_PER_MONTH, SECONDS_PER_MONTH
from portway.pricing.rate import Grade, Rate, Tier

DECLARED: Final = 'metadata.annotations["portway.dev/node-usd-per-hour"]'
_SHARED: Final = "its pods run on nodes that are billed with their pool"
_MONTH: Final = int(SECONDS_PER_MONTH)
_ACCELERATORS: Final = frozenset({"cloud.google.com/gke-accelerator"})
_SPOT: Final = {
    "cloud.google.com/gke-spot": "true",
    "eks.amazonaws.com/capacityType": "SPOT",
    "karpenter.sh/capacity-type": "spot",
}


def workload(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """A workload: the nodes that its GPUs need, where the stack holds no nodes itself."""
    yield from _volumes(resource, stack, given)
    facts = reading(resource).facts
    each = gpus(resource, facts, stack)
    if isinstance(each, Uncounted):
        raise CannotPrice(each.path, each.why)
    if not each.value:
        yield NoCharge(resource.name, "pods", _SHARED)
        yield from _passed_on(resource, stack, given)
        return
    where = cluster_of(resource, stack)
    if where is not None and where.is_here:
        yield NoCharge(resource.name, "pods", f"{_SHARED}, which this stack holds")
        return
    if where is None or stack is None:
        raise CannotPrice("", "nothing says in which region its cluster is")
    yield from _nodes(resource, stack, where, each.value, given)
    yield from _fee(resource, stack, where, given)
    yield from _answers(resource, stack, where, given)


def service(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """A Service: a load balancer of the vendor, where it is of that type."""
    if known(resource, "spec.type") != "LoadBalancer":
        yield NoCharge(resource.name, "address", "reached inside the cluster, or on its nodes")
        return
    yield from _balancer(resource, stack, given, _selected(resource, stack))


def ingress(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """An Ingress: a load balancer where a vendor's controller serves it."""
    annotation = 'metadata.annotations["kubernetes.io/ingress.class"]'
    kind = known(resource, "spec.ingressClassName") or known(resource, annotation)
    where = cluster_of(resource, stack)
    is_vendors = kind in given["vendor_classes"] or (
        kind is None and where is not None and where.vendor == "gke"
    )
    if not is_vendors:
        yield NoCharge(resource.name, "ingress", "served by a controller that runs in the cluster")
        return
    yield from _balancer(resource, stack, given, None)


def volume_claim(
    resource: Resource, stack: Stack | None, given: Mapping[str, Any]
) -> Iterator[Meter]:
    """A claim: a disk of the size that it asks for."""
    path = "spec.resources.requests.storage"
    size = quantity(known(resource, path) or "0", path) / GIB
    kind = known(resource, "spec.storageClassName")
    yield _disk(resource, _placed(resource, stack), size, str(kind or ""), given)


def _volumes(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    path = "spec.volumeClaimTemplates[].spec.resources.requests.storage"
    for seen in resource.properties.every(path):
        if isinstance(seen, Unknown):
            raise CannotPrice(seen.path, f"{seen.path} is known only after deployment")
        size = quantity(seen.value, seen.path) / GIB * _counts(resource, stack)[1]
        yield _disk(resource, _placed(resource, stack), size, "", given)


def _disk(
    resource: Resource, where: Cluster, size: Decimal, kind: str, given: Mapping[str, Any]
) -> Meter:
    if where.vendor == "plain":
        return NoCharge(resource.name, "disk", "a cluster of yours; its disks are yours too")
    usual: str = given["usual_class"][where.vendor]
    is_usual = where.vendor == "gke" and kind in ("", usual)
    sku = "node-disk" if is_usual else f"{where.vendor}:disk:{kind or usual}"
    said = f"{resource.name}: a disk of the cluster's usual class" if not kind else ""
    rated = f"{given['rates']}{sku}"
    return Fixed(resource.name, "disk", rated, where.region, size, assumed=said)


def _placed(resource: Resource, stack: Stack | None) -> Cluster:
    where = cluster_of(resource, stack)
    if where is None or not where.region:
        raise CannotPrice("", "nothing says in which region its cluster is")
    return where


def _nodes(
    resource: Resource, stack: Stack, where: Cluster, each: int, given: Mapping[str, Any]
) -> Iterator[Meter]:
    least, highest = _counts(resource, stack)
    machine = labelled(resource, MACHINE_LABELS).lower()
    spot = any(labelled(resource, frozenset({key})) == value for key, value in _SPOT.items())
    term = "spot" if spot else "on-demand"
    rate = _declared(resource, where)
    if not machine and rate is None:
        why = "no node label says which machine its pods run on"
        raise CannotPrice("", f"{why}; select node.kubernetes.io/instance-type")
    packed, machines = packed_on(resource), group_size(resource)
    fit = packed or (max(_gpus_of(machine) // each, 1) if machines == 1 else 1)
    sku = f"node:{machine or 'unknown'}:{term}"
    parts = [Part("node", sku, Decimal(machines), per_seconds=3600, declared=rate)]
    if where.vendor == "gke":
        size = Decimal(given["node_disk_gib"]) * machines
        parts.append(Part("node disk", f"{given['rates']}node-disk", size, per_seconds=_MONTH))
    fewest, largest = -(-least // fit), -(-highest // fit)
    more = surge(resource, highest)
    if isinstance(more, Uncounted):
        raise CannotPrice(more.path, more.why)
    yield Held(
        resource=resource.name,
        region=where.region,
        parts=tuple(parts),
        least=fewest,
        most=largest,
        concurrency=max(serving.at_once(resource), 1) * max(packed, 1),
        hold_seconds=given["idle_seconds"],
        start_seconds=given["start_seconds"],
        served_by=labelled(resource, _ACCELERATORS) or given["gpus"].get(machine, ""),
        shape=f"{fewest * machines} to {largest * machines} nodes of {machine or 'an unnamed type'}, {term}",
        beside=-(-(highest + more.value) // fit) - largest,
    )


def _declared(resource: Resource, where: Cluster) -> Rate | None:
    """What the workload itself says that one of its nodes costs an hour."""
    seen = resource.properties.get(DECLARED)
    if isinstance(seen, Missing):
        return None
    if isinstance(seen, Unknown):
        raise CannotPrice(seen.path, f"{seen.path} is known only after deployment")
    usd = quantity(seen.value, seen.path)
    tiers, source = (Tier(None, usd),), f"{seen.path}, in USD"
    return Rate("node", where.region, "hour", tiers, source, None, Grade.DECLARED)


def _gpus_of(machine: str) -> int:
    if not is_accelerated(machine):
        return 1
    return int(table("capacity.json")["machines"]["gpus"].get(machine, 1))


def _counts(resource: Resource, stack: Stack | None) -> tuple[int, int]:
    """The fewest and the most replicas, by itself and by what scales it."""
    facts = reading(resource).facts
    found = Count(1) if stack is None else at_most(resource, facts, stack)
    if isinstance(found, Uncounted):
        if found.is_missing:
            found = Count(1)  # the documented default of replicas
        else:
            raise CannotPrice(found.path, found.why)
    least = [
        _least(scaler) for scaler, _, _ in (scalers(resource, stack) if stack is not None else ())
    ]
    return min((*least, found.value)), found.value


def _least(scaler: Resource) -> int:
    """The fewest replicas that a scaler keeps; KEDA's default is 0, the others' is 1."""
    default = 0 if ":keda.sh" in scaler.type or ":http.keda.sh" in scaler.type else 1
    for path in ("spec.minReplicas", "spec.minReplicaCount", "spec.replicas.min"):
        value = known(scaler, path)
        if value is not None:
            return int(quantity(value, path))
    return default


def _fee(
    resource: Resource, stack: Stack, where: Cluster, given: Mapping[str, Any]
) -> Iterator[Meter]:
    """The fee of its cluster, once for each cluster: with the first workload that needs GPUs."""
    if where.vendor == "plain":
        yield NoCharge(resource.name, "control plane", "a cluster of yours")
        return
    first = next(
        (
            one
            for one in stack.resources
            if one.type in given["workloads"]
            and (one.provider and one.provider.urn) == (resource.provider and resource.provider.urn)
            and _has_gpus(one, stack)
        ),
        resource,
    )
    if first is resource:
        yield Fixed(
            resource.name, "control plane", f"{given['rates']}{where.vendor}:cluster",
            where.region, HOURS_PER_MONTH,
            assumed="the whole fee of the cluster is counted, whatever else runs in it",
        )  # fmt: skip


def _has_gpus(resource: Resource, stack: Stack) -> bool:
    each = gpus(resource, reading(resource).facts, stack)
    return isinstance(each, Count) and each.value > 0


def _answers(
    resource: Resource, stack: Stack, where: Cluster, given: Mapping[str, Any]
) -> Iterator[Meter]:
    """What its answers cause, where it says how many it gives at once."""
    slots = serving.at_once(resource)
    if not slots or where.vendor == "plain":
        return
    at_once = slots * _counts(resource, stack)[1]
    yield PerUse(
        resource.name, "egress", f"{given['rates']}{where.vendor}:egress", where.region,
        given["answer_bytes"] / GIB, at_once, units_per_output_token=given["token_bytes"] / GIB,
        assumed=f"an answer leaves the cloud's network with {given['answer_bytes']} bytes, and "
        f"{given['token_bytes']} for each output token",
    )  # fmt: skip
    if where.vendor == "gke":
        yield PerUse(
            resource.name, "logs", f"{given['rates']}gke:logs", where.region,
            given["log_bytes"] / GIB, at_once,
            assumed=f"one line of {given['log_bytes']} bytes is logged for each request",
        )  # fmt: skip


def _passed_on(
    resource: Resource, stack: Stack | None, given: Mapping[str, Any]
) -> Iterator[Meter]:
    """What the answers cause that it has from others: a front door needs no GPU to send them out."""
    if not serving.is_door(resource):
        return
    slots = serving.at_once(resource)
    if not slots:
        raise CannotPrice("", "nothing says how many requests the front door passes on at once")
    where = cluster_of(resource, stack)
    if where is None or stack is None:
        raise CannotPrice("", "nothing says in which region its cluster is")
    most = _counts(resource, stack)[1]
    yield Held(
        resource.name, where.region, (), 0, most, slots, hold_seconds=0, start_seconds=1,
        served_by="door", shape=f"at most {most} without a GPU; {_SHARED}",
    )  # fmt: skip
    yield from _answers(resource, stack, where, given)


def _selected(resource: Resource, stack: Stack | None) -> int | None:
    """Requests at once of the workload that a Service leads to; None where nobody says."""
    wanted = resource.properties.get("spec.selector")
    if stack is None or not isinstance(wanted, Known):
        return None
    for one in stack.resources:
        if _covers(wanted.value, labels_of(one)) and serving.at_once(one):
            return serving.at_once(one) * _counts(one, stack)[1]
    return None


def _covers(wanted: object, labels: object) -> bool:
    if not isinstance(wanted, Mapping) or not isinstance(labels, Mapping):
        return False
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType]


def _balancer(
    resource: Resource, stack: Stack | None, given: Mapping[str, Any], at_once: int | None
) -> Iterator[Meter]:
    where, rates, called = _placed(resource, stack), given["rates"], resource.name
    if where.vendor == "plain":
        yield NoCharge(called, "load balancer", "a cluster of yours; its balancer is yours too")
        return
    month = HOURS_PER_MONTH
    if where.vendor == "eks":
        yield Fixed(called, "load balancer", f"{rates}eks:load-balancer", where.region, month)
        yield Fixed(
            called, "balancer units", f"{rates}eks:balancer-units", where.region, month,
            assumed="the load balancer uses one capacity unit all month",
        )  # fmt: skip
        return
    yield Fixed(called, "forwarding rule", f"{rates}gke:forwarding-rule", where.region, month)
    sku = f"{rates}gke:balanced-traffic"
    if at_once is None:
        gib = Decimal(given["balanced_gib"])
        said = f"{called}: {gib} GiB a month pass it"
        yield Fixed(called, "balanced traffic", sku, where.region, gib, assumed=said)
    else:
        yield PerUse(
            called, "balanced traffic", sku, where.region, given["answer_bytes"] / GIB, at_once,
            units_per_output_token=given["token_bytes"] / GIB,
        )  # fmt: skip


__all__ = ["FLAVOUR", "ingress", "service", "volume_claim", "workload"]
