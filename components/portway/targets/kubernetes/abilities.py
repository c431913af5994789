"""What a cluster must have before an option can be used: a release, or a kind of somebody's. Pure.

Whatever Kubernetes 1.34 itself does not serve is asked for only where the placement says that it is
there: the API answers ``no matches for kind`` otherwise, or drops a field that it does not know.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from portway.errors import Problem
from portway.targets.kubernetes.options import KubernetesOptions

GATEWAY: Final = "httproutes.gateway.networking.k8s.io"
GRANTS: Final = "referencegrants.gateway.networking.k8s.io"
POOLS: Final = "inferencepools.inference.networking.k8s.io"
LEADERS: Final = "leaderworkersets.leaderworkerset.x-k8s.io"
QUEUES: Final = "localqueues.kueue.x-k8s.io"
KEDA: Final = "scaledobjects.keda.sh"
INTERCEPTOR: Final = "interceptorroutes.http.keda.sh"
POD_MONITORS: Final = "podmonitors.monitoring.coreos.com"
SERVICE_MONITORS: Final = "servicemonitors.monitoring.coreos.com"
RULES: Final = "prometheusrules.monitoring.coreos.com"
METRICS: Final = "custom.metrics.k8s.io"

_IMAGE_VOLUME: Final = (1, 36)


@dataclass(frozen=True)
class _Need:
    option: str
    kind: str
    instead: str


def is_served(options: KubernetesOptions, kind: str) -> bool:
    """Whether the placement says that the cluster serves ``kind``, alone or with its whole group."""
    declared = options.crds or ()
    return kind in declared or kind.partition(".")[2] in declared


def release(options: KubernetesOptions) -> tuple[int, int]:
    """The cluster's release as numbers, such as (1, 34)."""
    major, minor = options.cluster_version.split(".")
    return int(major), int(minor)


def has_image_volumes(options: KubernetesOptions) -> bool:
    """Whether a volume may be an image: stable since 1.36, and before it where it was turned on."""
    return release(options) >= _IMAGE_VOLUME or "ImageVolume" in options.feature_gates


def missing_abilities(options: KubernetesOptions) -> Iterator[Problem]:
    """Options that need what the cluster is not said to have."""
    for need in _needs(options):
        if not is_served(options, need.kind):
            group = need.kind.partition(".")[2] if need.kind != METRICS else METRICS
            yield Problem(
                f"placement.options.{need.option}",
                f"needs {need.kind}, which placement.options.crds does not name; install it and add "
                f"{group} to crds, or {need.instead}",
            )
    if options.weights_image is not None and not has_image_volumes(options):
        yield Problem(
            "placement.options.weights_image",
            f"needs volumes that are images, and cluster_version is {options.cluster_version}; raise it to "
            "1.36 if the cluster is that new, set feature_gates: [ImageVolume] if they are turned on, or use "
            "weights_volume",
        )


def _needs(options: KubernetesOptions) -> Iterator[_Need]:
    if options.gateway is not None:
        yield _Need("gateway", GATEWAY, "remove gateway, and clients call the load balancer")
        if options.scale_to_zero:
            yield _Need("gateway", GRANTS, "remove gateway, and name a hostname")
    if options.inference_pool is not None:
        yield _Need("inference_pool", POOLS, "remove it, and the Service takes any pod")
    if options.nodes > 1:
        yield _Need("nodes", LEADERS, "leave nodes at 1 and choose a node with more GPUs")
    if options.kueue is not None:
        yield _Need("kueue", QUEUES, "remove it, and pods start when the scheduler finds room")
    if options.monitor is not None and not is_served(options, SERVICE_MONITORS):
        yield _Need("monitor", POD_MONITORS, "remove monitor")
    if options.autoscale is not None and options.autoscale.by == "keda":
        yield _Need("autoscale.by", KEDA, "use by: hpa")
    if options.autoscale is not None and options.autoscale.by == "hpa":
        yield _Need(
            "autoscale.by", METRICS, "remove autoscale, and CPU says how many pods there are"
        )
    yield from _spoken_for(options)


def _spoken_for(options: KubernetesOptions) -> Iterator[_Need]:
    """Options that say themselves what is there, unless a list says otherwise."""
    if options.crds is None:
        return
    if options.scale_to_zero is not None:
        yield _Need("scale_to_zero", KEDA, "raise scaling.min to 1 and remove scale_to_zero")
        yield _Need("scale_to_zero", INTERCEPTOR, "raise scaling.min to 1 and remove scale_to_zero")
    if options.prometheus_rules is not None:
        yield _Need("prometheus_rules", RULES, "remove prometheus_rules")
