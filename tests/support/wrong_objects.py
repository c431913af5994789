"""Objects that no cluster takes, and words of the API server's refusal of each."""

from collections.abc import Mapping
from typing import Any

from support import kube_objects as kube

Json = dict[str, Any]
GPU = "nvidia.com/gpu"


def container(**fields: Any) -> Json:
    return kube.with_container(**fields)


def metadata(obj: Json, **fields: Any) -> Json:
    obj["metadata"] |= fields
    return obj


def resources(requests: Json | None = None, limits: Json | None = None) -> Json:
    both = {"requests": requests, "limits": limits}
    return container(resources={name: given for name, given in both.items() if given is not None})


def rolling(**fields: Any) -> Json:
    return kube.deployment(strategy={"type": "RollingUpdate", "rollingUpdate": fields})


def policy(peer: Json) -> Json:
    rule: Json = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [peer]}]}
    return kube.of("networking.k8s.io/v1", "NetworkPolicy", spec=rule)


def scaler(least: int, most: int) -> Json:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}
    spec = {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": most}
    return kube.of("autoscaling/v2", "HorizontalPodAutoscaler", spec=spec)


def route(weight: int) -> Json:
    backend = {"name": "chat", "port": 8080, "weight": weight}
    spec = {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [backend]}]}
    return kube.of("gateway.networking.k8s.io/v1", "HTTPRoute", spec=spec)


def pool(ports: int) -> Json:
    numbers = [{"number": 8080 + each} for each in range(ports)]
    spec = {
        "selector": {"matchLabels": kube.LABELS}, "targetPorts": numbers,
        "endpointPickerRef": {"name": "picker", "port": {"number": 9002}},
    }  # fmt: skip
    return kube.of("inference.networking.k8s.io/v1", "InferencePool", spec=spec)


def claim_template(**how: Any) -> Json:
    request = {"name": "gpu", **how}
    spec = {"spec": {"devices": {"requests": [request]}}}
    return kube.of("resource.k8s.io/v1", "ResourceClaimTemplate", spec=spec)


def token(obj: Json) -> str:
    """The type of the resource that applies ``obj``."""
    group = str(obj["apiVersion"])
    return f"{group if '/' in group else f'core/{group}'}:{obj['kind']}"


PROBE: Json = {"httpGet": {"path": "/", "port": 8080}}
DEVICE: Json = {"deviceClassName": "gpu.nvidia.com"}

WRONG: Mapping[str, tuple[Json, str]] = {
    "field that nobody knows": (container(livenessProb={}), "livenessProb"),
    "text for a number": (kube.deployment(replicas="two"), "replicas"),
    "variable that is a number": (container(env=[{"name": "N", "value": 1}]), "expected string"),
    "label that is no label": (
        metadata(kube.deployment(), labels={"team": "a b"}),
        "a valid label must be an empty string or consist of alphanumeric characters",
    ),
    "label that is too long": (
        metadata(kube.deployment(), labels={"team": "x" * 64}),
        "must be no more than 63",
    ),
    "name that is no name": (metadata(kube.deployment(), name="Chat"), "RFC 1123"),
    "name that is too long": (metadata(kube.service(), name="x" * 64), "must be no more than 63"),
    "pod without containers": (kube.with_pod(containers=[]), "Required value"),
    "no selector": (kube.deployment(selector=None), "Required value"),
    "selector does not match": (
        kube.deployment(selector={"matchLabels": {"app": "other"}}),
        "`selector` does not match template `labels`",
    ),
    "two containers of one name": (
        kube.with_pod(containers=[kube.CONTAINER, kube.CONTAINER]),
        "uplicate",
    ),
    "two ports of one name": (
        kube.service(ports=[{"name": "http", "port": 80}, {"name": "http", "port": 81}]),
        "Duplicate value",
    ),
    "port that is none": (
        container(ports=[{"containerPort": 70000}]),
        "must be between 1 and 65535",
    ),
    "amount that is none": (
        resources({"memory": "1 GB"}),
        "quantities must match the regular expression",
    ),
    "more asked than allowed": (
        resources({"memory": "2Gi"}, {"memory": "1Gi"}),
        "must be less than or equal to memory limit of 1Gi",
    ),
    "gpu request differs from its limit": (
        resources({GPU: "2"}, {GPU: "1"}),
        f"must be equal to {GPU} limit of 1",
    ),
    "gpu without a limit": (
        resources({GPU: "1"}),
        "Limit must be set for non overcommitable resources",
    ),
    "part of a gpu": (resources(None, {GPU: "500m"}), "must be an integer"),
    "nothing may be unavailable": (
        rolling(maxSurge=0, maxUnavailable=0),
        "may not be 0 when `maxSurge` is 0",
    ),
    "recreate with a rolling update": (
        kube.deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
        "may not be specified when strategy `type` is 'Recreate'",
    ),
    "sleeps longer than it may": (
        container(lifecycle={"preStop": {"sleep": {"seconds": 60}}}),
        "less than terminationGracePeriodSeconds",
    ),
    "liveness needs several successes": (
        container(livenessProbe={**PROBE, "successThreshold": 2}),
        "must be 1",
    ),
    "probe of two kinds": (
        container(readinessProbe={**PROBE, "tcpSocket": {"port": 8080}}),
        "may not specify more than 1 handler type",
    ),
    "mount without a volume": (
        container(volumeMounts=[{"name": "gone", "mountPath": "/gone"}]),
        "Not found",
    ),
    "two sides of a disruption budget": (
        kube.of("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "maxUnavailable": 1}),
        "minAvailable and maxUnavailable cannot be both set",
    ),
    "two forms of a peer": (
        policy({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}),
        "may not specify both ipBlock and another peer",
    ),
    "network that is none": (
        policy({"ipBlock": {"cidr": "10.0.0.0/80"}}),
        "must be a valid CIDR value",
    ),
    "autoscaler from nothing": (scaler(-1, 2), "must be greater than or equal to"),
    "autoscaler upside down": (scaler(3, 2), "must be greater than or equal to `minReplicas`"),
    "claim with two ways": (
        claim_template(exactly=DEVICE, firstAvailable=[{"name": "a", **DEVICE}]),
        "exactly one of `exactly` or `firstAvailable` is required",
    ),
    "weight of a route": (route(1_000_001), "less than or equal to 1000000"),
    "ports of a pool": (pool(9), "at most 8 items"),
    "key that is no file": (
        kube.of("v1", "ConfigMap", data={"a/b": "x"}),
        "a valid config key must consist of alphanumeric characters",
    ),
}
