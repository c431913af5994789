"""What the API checks of an object beyond its schema, and what it never lets change."""

import ipaddress
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Mapping

from portway.sandbox.controlplane.errors import invalid
from portway.sandbox.controlplane.names import label_causes, metadata_causes, port_name_causes
from portway.sandbox.controlplane.objects import (
    Object,
    Ref,
    compact,
    dig,
    object_at,
    objects_at,
    pod_template,
)
from portway.sandbox.controlplane.pods import pod_causes, port_range_causes
from portway.sandbox.controlplane.quantities import parse_quantity

MAX_DATA_BYTES = 1024 * 1024
WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})
SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")

_IMMUTABLE: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Deployment": (("spec", "selector"),),
    "DaemonSet": (("spec", "selector"),),
    "StatefulSet": (("spec", "selector"), ("spec", "serviceName"), ("spec", "podManagementPolicy")),
    "Job": (("spec", "selector"), ("spec", "template"), ("spec", "completions")),
    "Secret": (("type",),),
    "RoleBinding": (("roleRef",),),
    "ClusterRoleBinding": (("roleRef",),),
    "StorageClass": (("provisioner",), ("parameters",)),
    "PriorityClass": (("value",),),
    "RuntimeClass": (("handler",),),
    "ResourceClaimTemplate": (("spec",),),
    "PersistentVolumeClaim": (("spec", "accessModes"), ("spec", "storageClassName")),
}


def check_object(obj: Object) -> None:
    """Judge a decoded object as the API server's validation does.

    Raises:
        ApiError: 422 with every cause.
    """
    kind = str(obj.get("kind"))
    causes = metadata_causes(obj)
    causes += list(_KINDS.get(kind, _nothing)(obj))
    template = pod_template(obj)
    if template is not None:
        path = "spec" if kind == "Pod" else "spec.template.spec"
        causes += pod_causes(path, object_at(template, "spec"), always_restarts=kind in WORKLOADS)
    if causes:
        raise invalid(Ref.of(obj), causes)


def check_change(old: Object, new: Object) -> None:
    """Judge what changes between the live object and the wanted one; both with defaults filled in.

    Raises:
        ApiError: 422, a field that can never change would.
    """
    causes = [
        f"{'.'.join(path)}: Invalid value: {compact(dig(new, *path))}: field is immutable"
        for path in _IMMUTABLE.get(str(new.get("kind")), ())
        if dig(old, *path) != dig(new, *path)
    ]
    if old.get("immutable") is True:
        causes += [
            f"{field}: Forbidden: field is immutable when `immutable` is set"
            for field in ("data", "binaryData", "immutable")
            if old.get(field) != new.get(field)
        ]
    address = dig(old, "spec", "clusterIP")
    if new.get("kind") == "Service" and address not in (None, dig(new, "spec", "clusterIP")):
        wanted = compact([dig(new, "spec", "clusterIP")])
        causes.append(f"spec.clusterIPs[0]: Invalid value: {wanted}: may not change once set")
    if causes:
        raise invalid(Ref.of(new), causes)


def _nothing(_obj: Object) -> Iterator[str]:
    return iter(())


def _workload(obj: Object) -> Iterator[str]:
    selector = object_at(obj, "spec", "selector")
    labels = object_at(obj, "spec", "template", "metadata", "labels")
    wanted = object_at(selector, "matchLabels")
    if not selector:
        yield f"spec.selector: Invalid value: {compact(selector)}: empty selector is invalid for deployment"
    yield from label_causes("spec.template.metadata.labels", labels)
    if any(labels.get(key) != value for key, value in wanted.items()):
        yield (
            f"spec.template.metadata.labels: Invalid value: {compact(labels)}: "
            "`selector` does not match template `labels`"
        )
    if (dig(obj, "spec", "replicas") or 0) < 0:
        yield f"spec.replicas: Invalid value: {obj['spec']['replicas']}: must be greater than or equal to 0"


def _deployment(obj: Object) -> Iterator[str]:
    yield from _workload(obj)
    strategy = object_at(obj, "spec", "strategy")
    rolling = object_at(strategy, "rollingUpdate")
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate") is not None:
        yield "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"
    zero = (0, "0", "0%")
    if rolling.get("maxSurge") in zero and rolling.get("maxUnavailable") in zero:
        yield f"spec.strategy.rollingUpdate.maxUnavailable: Invalid value: {compact(rolling['maxUnavailable'])}: may not be 0 when `maxSurge` is 0"
    deadline = dig(obj, "spec", "progressDeadlineSeconds")
    ready = dig(obj, "spec", "minReadySeconds") or 0
    if deadline is not None and deadline <= ready:
        yield f"spec.progressDeadlineSeconds: Invalid value: {deadline}: must be greater than minReadySeconds"


def _service(obj: Object) -> Iterator[str]:
    spec = object_at(obj, "spec")
    kind = spec.get("type", "ClusterIP")
    if kind not in SERVICE_TYPES:
        listed = ", ".join(f'"{name}"' for name in SERVICE_TYPES)
        yield f'spec.type: Unsupported value: "{kind}": supported values: {listed}'
    ports = objects_at(spec, "ports")
    if kind == "ExternalName":
        if not spec.get("externalName"):
            yield "spec.externalName: Required value"
    elif not ports and spec.get("clusterIP") != "None":
        yield "spec.ports: Required value"
    names: set[str] = set()
    for index, port in enumerate(ports):
        at = f"spec.ports[{index}]"
        yield from port_range_causes(f"{at}.port", port.get("port"))
        name = str(port.get("name", ""))
        if not name and len(ports) > 1:
            yield f"{at}.name: Required value"
        if name and name in names:
            yield f'{at}.name: Duplicate value: "{name}"'
        if isinstance(port.get("targetPort"), str):
            yield from port_name_causes(f"{at}.targetPort", port["targetPort"])
        names.add(name)


def _claim(obj: Object) -> Iterator[str]:
    if not dig(obj, "spec", "accessModes"):
        yield "spec.accessModes: Required value: at least 1 access mode is required"
    wanted = dig(obj, "spec", "resources", "requests", "storage")
    size = parse_quantity(str(wanted)) if wanted is not None else None
    if wanted is None:
        yield "spec.resources[storage]: Required value"
    elif size is not None and size <= 0:
        yield f'spec.resources[storage]: Invalid value: "{wanted}": must be greater than zero'


def _autoscaler(obj: Object) -> Iterator[str]:
    spec = object_at(obj, "spec")
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if least < 1:
        yield f"spec.minReplicas: Invalid value: {least}: must be greater than or equal to 1"
    if most < 1:
        yield f"spec.maxReplicas: Invalid value: {most}: must be greater than 0"
    if most < least:
        yield f"spec.maxReplicas: Invalid value: {most}: must be greater than or equal to `minReplicas`"


def _disruption_budget(obj: Object) -> Iterator[str]:
    spec = object_at(obj, "spec")
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield f"spec: Invalid value: {compact(spec)}: minAvailable and maxUnavailable cannot be both set"


def _network_policy(obj: Object) -> Iterator[str]:
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(objects_at(obj, "spec", direction)):
            for number, peer in enumerate(objects_at(rule, side)):
                yield from _peer(f"spec.{direction}[{index}].{side}[{number}]", peer)


def _peer(path: str, peer: Object) -> Iterator[str]:
    if not peer:
        yield f"{path}: Required value: must specify a peer"
    block = object_at(peer, "ipBlock")
    if block and len(peer) > 1:
        yield f"{path}: Forbidden: may not specify both ipBlock and another peer"
    if block:
        outer = _network(block.get("cidr"))
        if outer is None:
            yield f'{path}.ipBlock.cidr: Invalid value: "{block.get("cidr")}": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'
        for index, text in enumerate(block.get("except") or ()):
            inner = _network(text)
            if inner is None or outer is None or inner.version != outer.version:
                yield f'{path}.ipBlock.except[{index}]: Invalid value: "{text}": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'
            elif not _inside(inner, outer):
                yield f'{path}.ipBlock.except[{index}]: Invalid value: "{text}": must be a strict subset of `cidr`'


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: object) -> Network | None:
    try:
        network = ipaddress.ip_network(str(text), strict=True)
    except ValueError:
        return None
    return network if str(network) == text else None


def _inside(inner: Network, outer: Network) -> bool:
    first, last = int(outer.network_address), int(outer.broadcast_address)
    return inner.prefixlen > outer.prefixlen and first <= int(inner.network_address) <= last


def _data(obj: Object) -> Iterator[str]:
    size = 0
    for field in ("data", "binaryData", "stringData"):
        encoded = field == "binaryData" or (field == "data" and obj["kind"] == "Secret")
        for key, value in object_at(obj, field).items():
            content = _decoded(value) if encoded else str(value).encode()
            if content is None:
                yield f"{field}[{key}]: Invalid value: illegal base64 data"
            size += len(content or b"")
            if not key or not all(c.isalnum() or c in "-_." for c in key):
                yield f"{field}[{key}]: Invalid value: \"{key}\": a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    if size > MAX_DATA_BYTES:
        where = "data" if obj["kind"] == "Secret" else "[]"
        yield f"{where}: Too long: may not be more than {MAX_DATA_BYTES} bytes"


def _decoded(value: object) -> bytes | None:
    try:
        return b64decode(str(value), validate=True)
    except (NotBase64, ValueError):
        return None


_KINDS: Mapping[str, Callable[[Object], Iterator[str]]] = {
    "Deployment": _deployment,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "ReplicaSet": _workload,
    "Service": _service,
    "PersistentVolumeClaim": _claim,
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _disruption_budget,
    "NetworkPolicy": _network_policy,
    "ConfigMap": _data,
    "Secret": _data,
}
