"""Every object of a service, as the Kubernetes API takes it. Pure.

Names are fixed, because other systems refer to them; the ConfigMap's carries a hash of its content,
so that new code is a new ConfigMap and rolls the pods. The Secret is changed in place: the runtime
reads it again, so that a rotated key needs no new pod.
"""

from portway.targets.kubernetes import (
    claims,
    dashboards,
    gateway,
    meter,
    monitoring,
    scaling,
    weights,
    workload,
)
from portway.targets.kubernetes.alerts import alerts
from portway.targets.kubernetes.network import (
    default_deny,
    load_balanced,
    loader_traffic,
    traffic,
)
from portway.targets.kubernetes.service import Service, answering, labels, named
from portway.targets.kubernetes.shapes import Object


def objects(service: Service) -> dict[str, Object]:
    """The objects by role, in the order they are created."""
    return {
        "namespace": namespace(service),
        "account": account(service),
        "default-deny": default_deny(service),
        "traffic": traffic(service),
        "runtime": named(service, "v1", "ConfigMap", name=service.code, immutable=True),
        "keys": named(service, "v1", "Secret", name=service.secret, type="Opaque"),
        **meter.objects(service),
        **loader_traffic(service),
        **weights.objects(service),
        **_priority(service),
        **claims.objects(service),
        **workload.objects(service),
        "service": load_balanced(service),
        "disruption": disruption(service),
        **scaling.objects(service),
        **gateway.objects(service),
        **monitoring.objects(service),
        **dashboards.objects(service),
        **alerts(service),
    }


def namespace(service: Service) -> Object:
    """The namespace, in which no pod may be more than restricted."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}  # fmt: skip
    versions = {f"{key}-version": "latest" for key in levels}
    metadata: Object = {
        "name": service.namespace,
        "labels": {**labels(service), **levels, **versions},
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def account(service: Service) -> Object:
    """Who its pods run as."""
    identity = service.options.cloud_identity
    known: Object = {} if identity is None else {"iam.gke.io/gcp-service-account": identity}
    return named(
        service, "v1", "ServiceAccount", annotations=known, automountServiceAccountToken=False
    )


def _priority(service: Service) -> dict[str, Object]:
    """A class for this service alone: its value can never change, so that its name carries it."""
    value = service.options.priority
    if value is None:
        return {}
    metadata: Object = {"name": f"{service.name}-{value}", "labels": labels(service)}
    made: Object = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": metadata,
        "value": value,
        "globalDefault": False,
        "preemptionPolicy": "PreemptLowerPriority",
        "description": f"pods of {service.names.physical()}",
    }
    return {"priority": made}


def disruption(service: Service) -> Object:
    """How many pods an eviction may take at once."""
    # With one replica this admits a drain and a gap: a budget that forbids it blocks every node upgrade.
    rule: Object = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": answering(service)},
    }
    return named(service, "policy/v1", "PodDisruptionBudget", spec=rule)
