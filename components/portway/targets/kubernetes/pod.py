"""The pod of every replica: the runtime beside vLLM on the GPUs of one node. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from portway.observability import prometheus_variable
from portway.runtime_env import runtime_env
from portway.targets.kubernetes import claims, engine, weights
from portway.targets.kubernetes.containers import POD_SECURITY, probe
from portway.targets.kubernetes.engine import ENGINE_PORT
from portway.targets.kubernetes.runtime_container import (
    KEYS_FILE,
    KEYS_MOUNT,
    RUNTIME_PORT,
    code_and_keys,
    container,
)
from portway.targets.kubernetes.scheduling import (
    node_affinity,
    node_selector,
    priority_name,
    spread,
    tolerations,
)
from portway.targets.kubernetes.service import Service, selector
from portway.targets.kubernetes.shapes import Object
from portway.targets.kubernetes.timing import grace_seconds

METRICS_PORT: Final = 9464
"""Of scrapes alone (OpenTelemetry: the Prometheus exporter's default), which no Service leads to."""

PASSWORD_FILE: Final = "password"  # noqa: S105 - the file's name
PASSWORD_MOUNT: Final = "/var/run/portway-meter"  # noqa: S105 - where that file is


@dataclass(frozen=True)
class Counting:
    """What the runtime needs to count: its variable, and the Secret that holds the store's password."""

    variable: Mapping[str, str]
    secret: str


def pod_spec(service: Service, counting: Counting | None) -> Object:
    """The spec of the pod that answers."""
    return {
        **_placed(service),
        "containers": [_runtime(service, counting), engine.container(service)],
        "volumes": [
            *code_and_keys(service),
            *_password(counting),
            {"name": "runtime-tmp", "emptyDir": {"sizeLimit": "64Mi"}},
            *_scratch(service),
        ],
    }


def worker_spec(service: Service) -> Object:
    """The spec of a pod that computes for the one that answers, on another node of its replica."""
    return {
        **_placed(service),
        "containers": [engine.container(service, is_worker=True)],
        "volumes": _scratch(service),
    }


def _placed(service: Service) -> Object:
    """Who the pod is, where it may run, and how it ends."""
    options, claim = service.options, service.claim
    # the controller of a group labels its pods with another hash
    by_template = not service.is_group
    return {
        "serviceAccountName": service.name,
        "automountServiceAccountToken": False,
        # A Service called vllm would set VLLM_PORT, which vLLM reads as its own.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds(service.spec),
        "securityContext": POD_SECURITY,
        "affinity": {
            "nodeAffinity": node_affinity(
                service.region, service.flavour, service.node, spot=options.spot
            )
        },
        **node_selector(service.flavour, claim, spot=options.spot),
        **priority_name(options, service.name),
        "tolerations": tolerations(service.flavour, options.tolerations, spot=options.spot),
        "topologySpreadConstraints": [
            spread("topology.kubernetes.io/zone", selector(service), by_template=by_template),
            spread("kubernetes.io/hostname", selector(service), by_template=by_template),
        ],
        **claims.of_pod(service),
    }


def _scratch(service: Service) -> list[JsonValue]:
    shared = engine.shared_memory(service)
    return [
        {"name": "cache", "emptyDir": {"sizeLimit": f"{engine.cache_gib(service)}Gi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": shared}},
        *weights.volumes(service),
    ]


def _password(counting: Counting | None) -> list[JsonValue]:
    if counting is None:
        return []
    items: list[JsonValue] = [{"key": PASSWORD_FILE, "path": PASSWORD_FILE}]
    secret: Object = {"secretName": counting.secret, "defaultMode": 0o440, "items": items}
    return [{"name": "meter", "secret": secret}]


def _runtime(service: Service, counting: Counting | None) -> Object:
    env = runtime_env(
        service.spec,
        service.model,
        upstream=f"http://127.0.0.1:{ENGINE_PORT}",
        upstream_model=service.model.id,
        concurrency=service.spec.scaling.concurrency,
    )
    own = {
        "PORTWAY_API_KEYS_FILE": f"{KEYS_MOUNT}/{KEYS_FILE}",
        **({} if counting is None else counting.variable),
        **prometheus_variable(METRICS_PORT),
    }
    return container(
        "runtime",
        {**env, **own},
        memory="256Mi",
        startup=probe("/healthz", RUNTIME_PORT, period=2, timeout=2, failures=30),
        ports=({"name": "metrics", "containerPort": METRICS_PORT},),
        mounts=(
            *_password_mount(counting),
            {"name": "runtime-tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
        ),
    )


def _password_mount(counting: Counting | None) -> list[JsonValue]:
    mount: Object = {"name": "meter", "mountPath": PASSWORD_MOUNT, "readOnly": True}
    return [] if counting is None else [mount]
