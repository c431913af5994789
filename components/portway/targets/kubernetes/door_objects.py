"""The objects of a front door: the runtime as a reverse proxy, without a GPU. Pure."""

from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from portway.runtime_env import END_GRACE_SECONDS, ROUTES_FILE, door_env
from portway.target import End
from portway.targets.kubernetes import gateway
from portway.targets.kubernetes.containers import POD_SECURITY, probe
from portway.targets.kubernetes.door_options import KubernetesDoorOptions
from portway.targets.kubernetes.network import (
    callers,
    default_deny,
    load_balanced,
    names,
    policy,
    tcp,
)
from portway.targets.kubernetes.objects import account, disruption, namespace
from portway.targets.kubernetes.runtime_container import (
    KEYS_FILE,
    KEYS_MOUNT,
    MEMORY,
    RUNTIME_PORT,
    code_and_keys,
    container,
)
from portway.targets.kubernetes.scheduling import beside_gpus, spread
from portway.targets.kubernetes.service import Service, labels, named, selector
from portway.targets.kubernetes.shapes import Object
from portway.targets.kubernetes.timing import DRAIN_SECONDS, EXIT_SECONDS
from portway.targets.kubernetes.weights import HTTPS_PORT, PRIVATE_NETWORKS

ROUTES_MOUNT: Final = "/var/run/portway-routes"
READY_WITHIN_SECONDS: Final = 600
"""A new node without a GPU, and the image of Python."""

ROLE: Final = "door"


def objects(
    service: Service, options: KubernetesDoorOptions, ends: tuple[End, ...], concurrency: int
) -> dict[str, Object]:
    """The objects by role, in the order they are created.

    Args:
        service: how objects are named here, where they are, and how clients come.
        options: of the door.
        ends: what it leads to.
        concurrency: requests that one pod passes on at once.
    """
    return {
        "namespace": namespace(service),
        "account": account(service),
        "default-deny": default_deny(service),
        "traffic": _traffic(service, options, ends),
        "runtime": named(service, "v1", "ConfigMap", name=service.code, immutable=True),
        "keys": named(service, "v1", "Secret", name=service.secret, type="Opaque"),
        "routes": named(service, "v1", "Secret", name=routes(service), type="Opaque"),
        "deployment": _deployment(service, options, concurrency),
        "service": load_balanced(service),
        "disruption": disruption(service),
        **gateway.objects(service),
    }


def routes(service: Service) -> str:
    """The name of the Secret with the weights, and with address and key of every end that has one."""
    return service.names.physical("routes")


def _traffic(service: Service, options: KubernetesDoorOptions, ends: tuple[End, ...]) -> Object:
    """In: requests. Out: names, and the ends."""
    here: Object = {**callers(service), "ports": tcp(RUNTIME_PORT)}
    return policy(service, [here], [names(), *_to_ends(options, ends)])


def _to_ends(options: KubernetesDoorOptions, ends: tuple[End, ...]) -> Iterator[JsonValue]:
    """Ends by https, and by the port of our own load balancers where one is in a cluster."""
    anywhere: Object = {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(PRIVATE_NETWORKS)}}
    ranges: list[JsonValue] = [{"ipBlock": {"cidr": one}} for one in options.networks]
    peers = ranges or [anywhere]
    yield {"to": peers, "ports": tcp(HTTPS_PORT)}
    if leads_to_clusters(ends):
        # Of its own cluster too: some networks see a pod where a load balancer's address was called.
        yield {"to": [*peers, {"namespaceSelector": {}}], "ports": tcp(RUNTIME_PORT)}


def leads_to_clusters(ends: tuple[End, ...]) -> bool:
    """Whether an end may answer at a load balancer of a cluster, by http."""
    return any(end.target == "kubernetes" for end in ends)


def _deployment(service: Service, options: KubernetesDoorOptions, concurrency: int) -> Object:
    flavour: Object = {"portway.dev/flavour": "plain"} if service.flavour == "plain" else {}
    return named(
        service,
        "apps/v1",
        "Deployment",
        annotations=flavour,
        spec={
            "replicas": options.replicas,
            "selector": {"matchLabels": selector(service)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": READY_WITHIN_SECONDS,
            "template": {
                "metadata": {
                    "labels": labels(service),
                    "annotations": {"portway.dev/runtime-sha256": service.code_sha256},
                },
                "spec": _pod(service, options, concurrency),
            },
        },
    )


def _pod(service: Service, options: KubernetesDoorOptions, concurrency: int) -> Object:
    longest = service.spec.timeout_seconds + END_GRACE_SECONDS
    weights: Object = {"secretName": routes(service), "defaultMode": 0o440}
    return {
        "serviceAccountName": service.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": DRAIN_SECONDS + longest + EXIT_SECONDS,
        "securityContext": POD_SECURITY,
        "affinity": {"nodeAffinity": beside_gpus(service.region, None)},
        "topologySpreadConstraints": [
            spread("topology.kubernetes.io/zone", selector(service), by_template=True),
            spread("kubernetes.io/hostname", selector(service), by_template=True),
        ],
        "containers": [_container(service, options, concurrency)],
        "volumes": [
            *code_and_keys(service),
            {"name": "routes", "secret": weights},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }


def _container(service: Service, options: KubernetesDoorOptions, concurrency: int) -> Object:
    env = door_env(
        service.spec,
        concurrency=concurrency,
        max_instances=options.replicas,
        keys_file=f"{KEYS_MOUNT}/{KEYS_FILE}",
        routes_file=f"{ROUTES_MOUNT}/{ROUTES_FILE}",
    )
    mounts: tuple[JsonValue, ...] = (
        {"name": "routes", "mountPath": ROUTES_MOUNT, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
    )
    startup = probe("/readyz", RUNTIME_PORT, period=1, timeout=1, failures=60)
    return container(ROLE, env, memory=MEMORY, startup=startup, mounts=mounts)
