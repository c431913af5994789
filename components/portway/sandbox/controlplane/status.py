"""What the cluster's controllers would report of an object. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from portway.sandbox.controlplane.objects import Object, dig, object_at

LOOPBACK = "127.0.0.1"
ROLLED_OUT = "NewReplicaSetAvailable"


@dataclass(frozen=True)
class Progress:
    """How far a workload's pods are.

    Attributes:
        generation: of the object as it stands now.
        ready: whether every pod of that generation serves.
        failed: whether the data plane gave that generation up.
        message: what the data plane last said, for people.
        refused: why no pod can be created at all, each as the ReplicaSet would be told.
        waiting: why pods that exist cannot start.
    """

    generation: int
    ready: bool
    failed: bool = False
    message: str = ""
    refused: Sequence[str] = ()
    waiting: Sequence[str] = ()


def deployment_status(obj: Object, progress: Progress) -> Object:
    """The status of a Deployment."""
    wanted = int(dig(obj, "spec", "replicas") or 0)
    status: Object = {"observedGeneration": progress.generation}
    conditions: list[Object] = []
    if progress.refused:
        conditions.append(_unavailable("Deployment does not have minimum availability."))
        conditions.append(_condition("ReplicaFailure", "True", "FailedCreate", progress.refused[0]))
        conditions.append(
            _progressing(obj, "False", "ProgressDeadlineExceeded", "has timed out progressing.")
        )
        return {**status, "unavailableReplicas": wanted, "conditions": conditions}
    if wanted and (progress.waiting or not progress.ready):
        detail = progress.waiting[0] if progress.waiting else progress.message
        text = "Deployment does not have minimum availability."
        conditions.append(_unavailable(f"{text} {detail}".rstrip()))
        conditions.append(
            _progressing(obj, "False", "ProgressDeadlineExceeded", "has timed out progressing.")
            if progress.failed
            else _progressing(obj, "True", "ReplicaSetUpdated", "is progressing.")
        )
        counts = {"replicas": wanted, "updatedReplicas": wanted, "unavailableReplicas": wanted}
        return {**status, **counts, "conditions": conditions}
    conditions.append(
        _condition(
            "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."
        )
    )
    conditions.append(_progressing(obj, "True", ROLLED_OUT, "has successfully progressed."))
    reported = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    counts: Object = dict.fromkeys(reported if wanted else (), wanted)
    return {**status, **counts, "conditions": conditions}


def group_status(obj: Object, progress: Progress) -> Object:
    """The status of a LeaderWorkerSet: available once every group's leader serves."""
    wanted = int(dig(obj, "spec", "replicas") or 0)
    reasons = [*progress.refused, *progress.waiting, progress.message]
    if progress.refused or progress.waiting or not progress.ready:
        conditions = [_unavailable(f"Replicas are progressing. {reasons[0]}".rstrip())]
        if progress.failed or progress.refused:
            conditions.append(_progressing(obj, "False", "Failed", "has timed out progressing."))
        return {"replicas": wanted, "readyReplicas": 0, "conditions": conditions}
    available = _condition("Available", "True", "AllGroupsReady", "All replicas are ready")
    return {"replicas": wanted, "readyReplicas": wanted, "conditions": [available]}


def is_available(deployment: Object) -> bool:
    """Whether a live Deployment says that its newest generation serves.

    While pods of an earlier one still do, it is available too; that the rollout is over is said by the
    reason of its progress alone.
    """
    status = object_at(deployment, "status")
    if status.get("observedGeneration", 0) < (dig(deployment, "metadata", "generation") or 0):
        return False
    conditions = {c["type"]: c for c in status.get("conditions", ())}
    progress = conditions.get("Progressing", {})
    is_over = (progress.get("status"), progress.get("reason")) == ("True", ROLLED_OUT)
    return is_over and conditions.get("Available", {}).get("status") == "True"


def service_status(obj: Object, port: int | None) -> Object:
    """The status of a Service; ``port`` is the loopback port of a load balancer."""
    if dig(obj, "spec", "type") != "LoadBalancer" or port is None:
        return {"loadBalancer": {}}
    address = {"ip": LOOPBACK, "ipMode": "Proxy", "ports": [{"port": port, "protocol": "TCP"}]}
    return {"loadBalancer": {"ingress": [address]}}


def endpoints(service: Object, workloads: Sequence[tuple[Object, bool]]) -> Object:
    """The Endpoints of a Service; ``workloads`` are Deployments of its namespace and whether each serves."""
    selector = object_at(service, "spec", "selector")
    subset: dict[str, list[Object]] = {"addresses": [], "notReadyAddresses": []}
    for workload, serves in workloads:
        labels = object_at(workload, "spec", "template", "metadata", "labels")
        if not selector or any(labels.get(key) != value for key, value in selector.items()):
            continue
        pods = int(dig(workload, "spec", "replicas") or 0)
        subset["addresses" if serves else "notReadyAddresses"] += [{"ip": LOOPBACK}] * pods
    found = {key: addresses for key, addresses in subset.items() if addresses}
    metadata = {key: dig(service, "metadata", key) for key in ("name", "namespace")}
    about = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
    return {**about, "subsets": [found] if found else []}


def custom_status(obj: Object) -> Object:
    """The Ready condition that a CRD's controller would set."""
    reason = f"{obj.get('kind')}Ready"
    return {"conditions": [_condition("Ready", "True", reason, "reconciled")]}


def _condition(kind: str, status: str, reason: str, message: str) -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def _unavailable(message: str) -> Object:
    return _condition("Available", "False", "MinimumReplicasUnavailable", message)


def _progressing(obj: Object, status: str, reason: str, what: str) -> Object:
    name = dig(obj, "metadata", "name")
    return _condition("Progressing", status, reason, f'ReplicaSet of "{name}" {what}')
