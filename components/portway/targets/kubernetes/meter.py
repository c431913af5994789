"""The meter's store in the cluster: a small Valkey that keeps its counts on a disk. Pure."""

from typing import Final

from pydantic import JsonValue

from portway.images import image
from portway.metering import limits_of_use, meter_variable
from portway.target import MeterPlan
from portway.targets.kubernetes.containers import POD_SECURITY, RESTRICTED
from portway.targets.kubernetes.pod import PASSWORD_FILE, PASSWORD_MOUNT, Counting
from portway.targets.kubernetes.scheduling import beside_gpus
from portway.targets.kubernetes.service import Service, labels, named, selector
from portway.targets.kubernetes.shapes import Object

PORT: Final = 6379
CONFIG_FILE: Final = "valkey.conf"
CONFIG_MOUNT: Final = "/etc/valkey"
DATA_MOUNT: Final = "/data"

DISK_GIB: Final = 10
"""The smallest disk that Google sells (Persistent Disk: sizes from 10 GiB); the counts need a few MB."""

MEMORY: Final = "192Mi"
COUNTS: Final = "96mb"
"""What Valkey may hold: half of its memory, because rewriting its log takes as much again for a while."""

PROBE: Final[Object] = {"tcpSocket": {"port": PORT}}


def meter_of(service: Service) -> MeterPlan | None:
    """What is metered; None where the spec limits neither requests nor tokens."""
    return limits_of_use(service.spec)


def counting(service: Service) -> Counting | None:
    """What makes the runtime count; None where nothing is metered."""
    meter = meter_of(service)
    if meter is None:
        return None
    host = f"{service.meter}.{service.namespace}.svc.cluster.local"
    store: dict[str, str | int] = {
        "kind": "valkey",
        "host": host,
        "port": PORT,
        "password_file": f"{PASSWORD_MOUNT}/{PASSWORD_FILE}",
    }
    variable = meter_variable(
        meter,
        store,
        service=service.names.physical(),
        max_output_tokens=service.model.max_output_tokens,
    )
    return Counting(variable, service.meter)


def objects(service: Service) -> dict[str, Object]:
    """The store's objects by role; none where nothing is metered."""
    if meter_of(service) is None:
        return {}
    name = service.meter
    return {
        "meter-keys": named(service, "v1", "Secret", name=name, type="Opaque"),
        "meter-volume": _volume(service),
        "meter-traffic": _traffic(service),
        "meter": _deployment(service),
        "meter-service": named(
            service,
            "v1",
            "Service",
            name=name,
            spec={
                "type": "ClusterIP",
                "selector": selector_of(service),
                "ports": [
                    {"name": "valkey", "port": PORT, "targetPort": "valkey", "protocol": "TCP"}
                ],
            },
        ),
    }


def reach(service: Service) -> list[JsonValue]:
    """What the service's pods need of the network to count: a rule of egress, or none."""
    if meter_of(service) is None:
        return []
    peer: Object = {"podSelector": {"matchLabels": selector_of(service)}}
    return [{"to": [peer], "ports": [{"protocol": "TCP", "port": PORT}]}]


def selector_of(service: Service) -> Object:
    """The labels that tell the store's pod from the service's own."""
    return {
        "app.kubernetes.io/name": "valkey",
        "app.kubernetes.io/component": "meter",
        "app.kubernetes.io/instance": service.names.physical(),
    }


def _volume(service: Service) -> Object:
    chosen = service.options.storage_class
    return named(
        service,
        "v1",
        "PersistentVolumeClaim",
        name=service.meter,
        # Many classes make the disk only when a pod asks for it: waiting here would wait for ever.
        annotations={"pulumi.com/skipAwait": "true"},
        spec={
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{DISK_GIB}Gi"}},
            **({} if chosen is None else {"storageClassName": chosen}),
        },
    )


def _traffic(service: Service) -> Object:
    """In: the service's pods. Out: nothing."""
    pods: Object = {"podSelector": {"matchLabels": selector(service)}}
    return named(
        service,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        name=service.meter,
        spec={
            "podSelector": {"matchLabels": selector_of(service)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [pods], "ports": [{"protocol": "TCP", "port": PORT}]}],
            "egress": [],
        },
    )


def _deployment(service: Service) -> Object:
    own = selector_of(service)
    return named(
        service,
        "apps/v1",
        "Deployment",
        name=service.meter,
        spec={
            "replicas": 1,
            "selector": {"matchLabels": own},
            # The disk is one pod's: a second one would wait for it for ever.
            "strategy": {"type": "Recreate"},
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 600,
            "template": {
                "metadata": {"labels": {**labels(service), **own}},
                "spec": _pod(service),
            },
        },
    )


def _pod(service: Service) -> Object:
    files: list[JsonValue] = [{"key": CONFIG_FILE, "path": CONFIG_FILE}]
    return {
        "serviceAccountName": service.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": POD_SECURITY,
        "affinity": {"nodeAffinity": beside_gpus(service.region, service.node)},
        "containers": [_valkey()],
        "volumes": [
            {
                "name": "config",
                "secret": {"secretName": service.meter, "defaultMode": 0o440, "items": files},
            },
            {"name": "data", "persistentVolumeClaim": {"claimName": service.meter}},
        ],
    }


def _valkey() -> Object:
    return {
        "name": "valkey",
        "image": image("valkey").reference(),
        "imagePullPolicy": "IfNotPresent",
        "command": ["valkey-server"],
        "args": [
            f"{CONFIG_MOUNT}/{CONFIG_FILE}",
            *("--port", str(PORT)),
            *("--dir", DATA_MOUNT),
            # Every count is on the disk before it is answered: a crash forgets none of them.
            *("--appendonly", "yes"),
            *("--appendfsync", "always"),
            *("--save", ""),
            # A full store refuses to count, and so to serve; it never forgets a count.
            *("--maxmemory", COUNTS),
            *("--maxmemory-policy", "noeviction"),
        ],
        "ports": [{"name": "valkey", "containerPort": PORT}],
        "resources": {
            "requests": {"cpu": "50m", "memory": MEMORY, "ephemeral-storage": "16Mi"},
            "limits": {"memory": MEMORY, "ephemeral-storage": "64Mi"},
        },
        "startupProbe": {**PROBE, "periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": 60},
        "livenessProbe": {**PROBE, "periodSeconds": 20, "timeoutSeconds": 5, "failureThreshold": 6},
        "readinessProbe": {**PROBE, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 2},
        "securityContext": RESTRICTED,
        "volumeMounts": [
            {"name": "config", "mountPath": CONFIG_MOUNT, "readOnly": True},
            {"name": "data", "mountPath": DATA_MOUNT},
        ],
    }
