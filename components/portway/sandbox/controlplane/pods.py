"""What the API checks of a pod's spec beyond its schema. Every function returns its causes."""

from collections.abc import Iterator

from portway.sandbox.controlplane.names import label_name_causes, port_name_causes
from portway.sandbox.controlplane.objects import (
    Object,
    Value,
    compact,
    containers_of,
    dig,
    object_at,
    objects_at,
)
from portway.sandbox.controlplane.quantities import parse_quantity

NATIVE_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage"})
MAX_PORT = 65535
DEFAULT_GRACE_SECONDS = 30


def pod_causes(path: str, spec: Object, *, always_restarts: bool) -> list[str]:
    """Everything wrong with the pod spec at ``path``; workloads restart their pods always."""
    causes = list(_containers(path, spec))
    volumes = _volumes(path, spec)
    causes += list(volumes)
    causes += list(_mounts(path, spec))
    causes += list(_spread(path, spec))
    policy = spec.get("restartPolicy", "Always")
    if always_restarts and policy != "Always":
        causes.append(
            f'{path}.restartPolicy: Unsupported value: "{policy}": supported values: "Always"'
        )
    return causes


def _containers(path: str, spec: Object) -> Iterator[str]:
    if not objects_at(spec, "containers"):
        yield f"{path}.containers: Required value"
    seen: set[str] = set()
    grace = spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
    for where, container in containers_of(spec):
        at = f"{path}.{where}"
        name = str(container.get("name", ""))
        yield from label_name_causes(f"{at}.name", name)
        if name in seen:
            yield f'{at}.name: Duplicate value: "{name}"'
        seen.add(name)
        if not container.get("image"):
            yield f"{at}.image: Required value"
        yield from _ports(at, container)
        yield from _resources(f"{at}.resources", container)
        yield from _probes(at, container)
        yield from _sleep(at, container, grace)


def _ports(path: str, container: Object) -> Iterator[str]:
    names: set[str] = set()
    for index, port in enumerate(objects_at(container, "ports")):
        at = f"{path}.ports[{index}]"
        yield from port_range_causes(f"{at}.containerPort", port.get("containerPort"))
        name = str(port.get("name", ""))
        if name:
            yield from port_name_causes(f"{at}.name", name)
        if name and name in names:
            yield f'{at}.name: Duplicate value: "{name}"'
        names.add(name)


def port_range_causes(path: str, port: Value) -> Iterator[str]:
    """What is wrong with a port number."""
    if not isinstance(port, int) or not 1 <= port <= MAX_PORT:
        yield f"{path}: Invalid value: {compact(port)}: must be between 1 and 65535, inclusive"


def _resources(path: str, container: Object) -> Iterator[str]:
    limits = object_at(container, "resources", "limits")
    requests = object_at(container, "resources", "requests")
    for kind, values in (("limits", limits), ("requests", requests)):
        for name, text in values.items():
            if parse_quantity(text) is None:
                yield f"{path}.{kind}[{name}]: Invalid value: \"{text}\": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    for name in {**limits, **requests}:
        yield from _one_resource(path, name, limits.get(name), requests.get(name))


def _one_resource(path: str, name: str, limit: Value, request: Value) -> Iterator[str]:
    most, least = parse_quantity(limit), parse_quantity(request)
    if "/" in name and name not in NATIVE_RESOURCES:
        for amount, text in ((most, limit), (least, request)):
            if amount is not None and amount != amount.to_integral_value():
                yield f'{path}.limits: Invalid value: "{text}": must be an integer'
        if limit is None:
            yield f"{path}.limits: Required value: Limit must be set for non overcommitable resources"
        elif request is not None and most != least:
            yield f'{path}.requests: Invalid value: "{request}": must be equal to {name} limit of {limit}'
    elif most is not None and least is not None and least > most:
        yield f'{path}.requests: Invalid value: "{request}": must be less than or equal to {name} limit of {limit}'


def _probes(path: str, container: Object) -> Iterator[str]:
    for name in ("livenessProbe", "startupProbe", "readinessProbe"):
        probe = object_at(container, name)
        if not probe:
            continue
        handlers = [k for k in ("exec", "httpGet", "tcpSocket", "grpc") if probe.get(k) is not None]
        if not handlers:
            yield f"{path}.{name}: Required value: must specify a handler type"
        if len(handlers) > 1:
            yield f"{path}.{name}: Forbidden: may not specify more than 1 handler type"
        threshold = probe.get("successThreshold", 1)
        if name != "readinessProbe" and threshold != 1:
            yield f"{path}.{name}.successThreshold: Invalid value: {threshold}: must be 1"
        for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold"):
            if probe.get(field, 0) < 0:
                yield f"{path}.{name}.{field}: Invalid value: {probe[field]}: must be greater than or equal to 0"


def _sleep(path: str, container: Object, grace: Value) -> Iterator[str]:
    seconds = dig(container, "lifecycle", "preStop", "sleep", "seconds")
    if seconds is not None and not 0 <= seconds < grace:
        yield (
            f"{path}.lifecycle.preStop.sleep: Invalid value: {seconds}: must be non-negative and "
            f"less than terminationGracePeriodSeconds ({grace})"
        )


def _volumes(path: str, spec: Object) -> Iterator[str]:
    seen: set[str] = set()
    for index, volume in enumerate(objects_at(spec, "volumes")):
        at = f"{path}.volumes[{index}]"
        name = str(volume.get("name", ""))
        yield from label_name_causes(f"{at}.name", name)
        if name in seen:
            yield f'{at}.name: Duplicate value: "{name}"'
        seen.add(name)
        sources = sorted(key for key in volume if key != "name")
        for extra in sources[1:]:
            yield f"{at}.{extra}: Forbidden: may not specify more than 1 volume type"


def _mounts(path: str, spec: Object) -> Iterator[str]:
    volumes = {str(volume.get("name")) for volume in objects_at(spec, "volumes")}
    for where, container in containers_of(spec):
        paths: set[str] = set()
        for index, mount in enumerate(objects_at(container, "volumeMounts")):
            at = f"{path}.{where}.volumeMounts[{index}]"
            name, mounted = str(mount.get("name", "")), str(mount.get("mountPath", ""))
            if name not in volumes:
                yield f'{at}.name: Not found: "{name}"'
            if mounted in paths:
                yield f'{at}.mountPath: Invalid value: "{mounted}": must be unique'
            paths.add(mounted)


def _spread(path: str, spec: Object) -> Iterator[str]:
    for index, constraint in enumerate(objects_at(spec, "topologySpreadConstraints")):
        at = f"{path}.topologySpreadConstraints[{index}]"
        action = constraint.get("whenUnsatisfiable")
        if constraint.get("minDomains") is not None and action == "ScheduleAnyway":
            yield f"{at}.minDomains: Invalid value: {constraint['minDomains']}: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"
        if constraint.get("maxSkew", 0) < 1:
            yield f"{at}.maxSkew: Invalid value: {constraint.get('maxSkew', 0)}: must be greater than zero"
