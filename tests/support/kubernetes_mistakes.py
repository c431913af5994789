"""Mistakes that people make with Kubernetes, what the API server says of each, and where it is answered."""

from collections.abc import Callable, Mapping
from typing import Any, cast

Json = dict[str, Any]

MISTAKES: Mapping[str, str] = {
    "gpu request differs from its limit": "must be equal to nvidia.com/gpu limit of",
    "gpu without a limit": "Limit must be set for non overcommitable resources",
    "part of a gpu": "must be an integer",
    "selector does not match": "`selector` does not match template `labels`",
    "selector changes": "field is immutable",
    "nothing may be unavailable": "may not be 0 when `maxSurge` is 0",
    "recreate with a rolling update": "may not be specified when strategy `type` is 'Recreate'",
    "sleeps longer than it may": "must be non-negative and less than terminationGracePeriodSeconds",
    "liveness needs several successes": "must be 1",
    "autoscaler from zero": "must be greater than or equal to 1",
    "two sides of a disruption budget": "minAvailable and maxUnavailable cannot be both set",
    "two forms of a peer": "may not specify both ipBlock and another peer",
    "no peer": "must specify a peer",
    "bits beyond a prefix": "must be a valid CIDR value",
    "domains that nobody must keep": "can only use minDomains if whenUnsatisfiable=DoNotSchedule",
    "pod security": "violates PodSecurity",
    "quota": "exceeded quota",
    "priority class that is not there": "no PriorityClass with name",
    "claim with two ways": "exactly one of `exactly` or `firstAvailable` is required",
    "claim template changes": "field is immutable",
    "volume that shrinks": "is immutable after creation",
    "disk on two nodes": "Multi-Attach error for volume",
    "two owners of replicas": "conflict with",
    "field that nobody knows": "unknown field",
    "kind that nobody serves": "no matches for kind",
    "label that is too long": "must be no more than 63",
    "mount without a volume": "Not found",
    "two mounts at one path": "must be unique",
    "variable that is a number": "cannot unmarshal number into Go struct field",
    "weight of a route": "should be less than or equal to 1000000",
    "ports of a pool": "should have at most 8 items",
    "two scalers": "is already managed by",
    "less memory than the model needs": "No available memory for the cache blocks",
    "shared memory": "bus error",
    "killed while it loads": "exceeded its progress deadline",
    "surge without a gpu": "Insufficient nvidia.com/gpu",
    "drain that never ends": "Cannot evict pod as it would violate the pod's disruption budget",
    "nobody wakes it": "nothing",
    "metrics of others": "nothing",
    "names cannot be resolved": "nothing",
    "pods outside the region": "nothing",
    "cut off on a spot node": "nothing",
    "image that moves": "nothing",
    "secret in an object": "nothing",
    "picker that takes all down": "nothing",
    "newer than the cluster": "unknown field",
    "service called vllm": "nothing",
    "cache that cannot be written": "Read-only file system",
    "answer cut off by a gateway": "nothing",
    "groups that starve one another": "nothing",
}
"""By name, what the API server or a node says; ``nothing`` where nobody says anything."""

KEDA = {"scale_to_zero": "keda", "hostname": "chat.acme.example"}
GATEWAY = {"name": "edge", "namespace": "gateways", "host": "chat.acme.example"}

REFUSED: Mapping[str, tuple[Json, Json, str, str]] = {
    "autoscaler from zero": ({"min": 0, "max": 2}, {}, "scaling.min", "raise min to 1"),
    "nobody wakes it": (
        {"min": 0, "max": 2},
        {"autoscale": {"by": "keda", "prometheus": "http://p.m:9090"}, "crds": ["keda.sh"]},
        "scaling.min",
        "nothing in a cluster wakes a service without pods",
    ),
    "bits beyond a prefix": (
        {},
        {"weights_mirror": "https://hub.internal", "weights_networks": ["192.168.0.5/24"]},
        "placement.options.weights_networks",
        "no range of addresses",
    ),
    "priority class that is not there": (
        {},
        {"priority": 5, "priority_class": "production"},
        "placement.options.priority_class",
        "remove one of them",
    ),
    "disk on two nodes": (
        {"min": 2, "max": 2},
        {"weights_volume": {"storage_class": "standard-rwo"}},
        "placement.options.weights_volume.storage_class",
        "Multi-Attach error",
    ),
    "kind that nobody serves": (
        {},
        {"gateway": GATEWAY},
        "placement.options.gateway",
        "add gateway.networking.k8s.io to crds",
    ),
    "two scalers": (
        {"min": 1, "max": 2},
        {**KEDA, "autoscale": {"by": "hpa"}, "crds": ["keda.sh", "http.keda.sh", "custom.metrics.k8s.io"]},
        "placement.options.autoscale.by",
        "a workload that two scale follows neither",
    ),
    "less memory than the model needs": (
        {},
        {"node": "a2-highgpu-1g", "mig": "2g.10gb"},
        "model",
        "choose a smaller model",
    ),
    "newer than the cluster": (
        {},
        {"weights_image": f"acme.example/m@sha256:{'ab' * 32}"},
        "placement.options.weights_image",
        "raise it to 1.36",
    ),
    "answer cut off by a gateway": (
        {},
        {"gateway": GATEWAY, "crds": ["gateway.networking.k8s.io"]},
        "placement.options.gateway",
        "end answers after 30 s",
    ),
    "groups that starve one another": (
        {"min": 1, "max": 2},
        {"nodes": 2, "crds": ["leaderworkerset.x-k8s.io"]},
        "placement.options.kueue",
        "quota admits whole replicas",
    ),
}  # fmt: skip
"""By mistake: scaling and options that make it, the path that is refused, and words of the reason."""

PACKED: Mapping[str, str] = {
    "quota": "cost-gpus-within-limit",
    "pods outside the region": "residency-pods-stay-inside",
    "names cannot be resolved": "residency-cluster-egress-is-named",
}
"""By mistake, the rule that refuses it in any program."""

Edit = Callable[[Json], None]


def _container(obj: Json) -> Json:
    return cast("Json", obj["spec"]["template"]["spec"]["containers"][1])


def _set(*path: str, value: object) -> Edit:
    def edit(obj: Json) -> None:
        at = obj
        for step in path[:-1]:
            at = at.setdefault(step, {})
        at[path[-1]] = value

    return edit


SAID: Mapping[str, tuple[str, Edit]] = {
    "gpu request differs from its limit": (
        "deployment",
        lambda o: _container(o)["resources"]["requests"].update({"nvidia.com/gpu": "2"}),
    ),
    "gpu without a limit": (
        "deployment",
        lambda o: _container(o)["resources"].update(
            {"requests": {"nvidia.com/gpu": "1"}, "limits": {}}
        ),
    ),
    "part of a gpu": (
        "deployment",
        lambda o: _container(o)["resources"]["limits"].update({"nvidia.com/gpu": "0.5"}),
    ),
    "selector does not match": (
        "deployment",
        _set("spec", "selector", "matchLabels", value={"app": "x"}),
    ),
    "nothing may be unavailable": (
        "deployment",
        _set("spec", "strategy", "rollingUpdate", "maxUnavailable", value=0),
    ),
    "recreate with a rolling update": ("deployment", _set("spec", "strategy", "type", value="Recreate")),
    "sleeps longer than it may": (
        "deployment",
        _set("spec", "template", "spec", "terminationGracePeriodSeconds", value=10),
    ),
    "liveness needs several successes": (
        "deployment",
        lambda o: _container(o)["livenessProbe"].update(successThreshold=2),
    ),
    "two sides of a disruption budget": ("disruption", _set("spec", "minAvailable", value=1)),
    "two forms of a peer": (
        "traffic",
        lambda o: o["spec"]["egress"][1]["to"][0].update(podSelector={}),
    ),
    "no peer": ("traffic", lambda o: o["spec"]["egress"][1]["to"].append({})),
    "domains that nobody must keep": (
        "deployment",
        lambda o: o["spec"]["template"]["spec"]["topologySpreadConstraints"][0].update(minDomains=2),
    ),
    "label that is too long": (
        "deployment",
        _set("spec", "template", "metadata", "labels", "long", value="x" * 64),
    ),
    "mount without a volume": (
        "deployment",
        lambda o: _container(o)["volumeMounts"].append({"name": "gone", "mountPath": "/gone"}),
    ),
    "two mounts at one path": (
        "deployment",
        lambda o: _container(o)["volumeMounts"].append({"name": "tmp", "mountPath": "/dev/shm"}),
    ),
}  # fmt: skip
"""By mistake, the object of a plan and the change that makes it: the API's own words must follow."""


CHANGES: Mapping[str, tuple[Json, Json, str]] = {
    "selector changes": ({}, {"namespace": "other"}, "deployment"),
    "claim template changes": (
        {"gpu_claim": "dra", "node": "a2-highgpu-1g"},
        {"gpu_claim": "dra", "node": "g2-standard-24"},
        "gpu-claim",
    ),
    "volume that shrinks": (
        {"weights_volume": {"storage_class": "efs-sc", "size_gib": 40}},
        {"weights_volume": {"storage_class": "efs-sc", "size_gib": 50}},
        "weights-volume",
    ),
}
"""By mistake: two sets of options, and the object that differs between them in what may change only."""
