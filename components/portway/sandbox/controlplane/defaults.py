"""The values that the API server fills in when a program leaves them out."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from copy import deepcopy

from portway.sandbox.controlplane.objects import (
    Object,
    containers_of,
    dig,
    object_at,
    objects_at,
    pod_template,
)

SERVICE_NETWORK = "10.96"


def with_defaults(obj: Object) -> Object:
    """A copy of ``obj`` as the API server stores it, apart from what it assigns (uid, addresses)."""
    live = deepcopy(obj)
    live.setdefault("metadata", {})
    _KINDS.get(str(live.get("kind")), _nothing)(live)
    template = pod_template(live)
    if template is not None:
        _pod(object_at(template, "spec"))
    return live


def _fill(target: Object, **values: object) -> None:
    for key, value in values.items():
        target.setdefault(key, value)


def _nothing(_obj: Object) -> None:
    return


def _pod(spec: Object) -> None:
    _fill(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        securityContext={},
    )
    if "serviceAccountName" in spec:
        _fill(spec, serviceAccount=spec["serviceAccountName"])
    for _, container in containers_of(spec):
        _container(container)
    for volume in objects_at(spec, "volumes"):
        for source in ("configMap", "secret"):
            if source in volume:
                _fill(volume[source], defaultMode=0o644)


def _container(container: Object) -> None:
    image = str(container.get("image", ""))
    tagged = "@" in image or ":" in image.rpartition("/")[2]
    latest = image.endswith(":latest") or not tagged
    _fill(
        container,
        imagePullPolicy="Always" if latest else "IfNotPresent",
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        resources={},
    )
    limits = object_at(container, "resources", "limits")
    if limits:
        requests = container["resources"].setdefault("requests", {})
        _fill(requests, **limits)
    for port in objects_at(container, "ports"):
        _fill(port, protocol="TCP")
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = container.get(name)
        if probe:
            _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
            if probe.get("httpGet"):
                _fill(probe["httpGet"], scheme="HTTP", path="/")


def _namespace(obj: Object) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    _fill(labels, **{"kubernetes.io/metadata.name": obj["metadata"].get("name")})
    _fill(obj, spec={"finalizers": ["kubernetes"]})


def _deployment(obj: Object) -> None:
    spec = object_at(obj, "spec")
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    strategy = spec["strategy"]
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        _fill(rolling, maxSurge="25%", maxUnavailable="25%")


def _service(obj: Object) -> None:
    spec = object_at(obj, "spec")
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    for port in objects_at(spec, "ports"):
        _fill(port, protocol="TCP", targetPort=port.get("port"))
    if spec["type"] == "ExternalName":
        return
    _fill(spec, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    if spec["type"] == "LoadBalancer":
        _fill(spec, externalTrafficPolicy="Cluster", allocateLoadBalancerNodePorts=True)


def _secret(obj: Object) -> None:
    _fill(obj, type="Opaque")
    written = object_at(obj, "stringData")
    obj.pop("stringData", None)
    if written:
        data = obj.setdefault("data", {})
        data.update({k: b64encode(str(v).encode()).decode() for k, v in written.items()})


def _autoscaler(obj: Object) -> None:
    _fill(object_at(obj, "spec"), minReplicas=1)


def _network_policy(obj: Object) -> None:
    spec = object_at(obj, "spec")
    _fill(spec, podSelector={})
    types = ["Ingress"] if dig(spec, "egress") is None else ["Ingress", "Egress"]
    _fill(spec, policyTypes=types)
    for direction in ("ingress", "egress"):
        for rule in objects_at(spec, direction):
            for port in objects_at(rule, "ports"):
                _fill(port, protocol="TCP")


_KINDS: Mapping[str, Callable[[Object], None]] = {
    "Namespace": _namespace,
    "Deployment": _deployment,
    "Service": _service,
    "Secret": _secret,
    "HorizontalPodAutoscaler": _autoscaler,
    "NetworkPolicy": _network_policy,
}
