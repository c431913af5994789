"""The GPUs of the pods that one replica of a workload is made of: by limits, or by claims of devices."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, cast

from portway.gate.counts import Count, Uncounted, number
from portway.gate.resource import Resource, Stack
from portway.gate.tables import table
from portway.gate.values import Known, Missing, Unknown

_CLAIMS = ("ResourceClaimTemplate", "ResourceClaim")


def pod_gpus(resource: Resource, stack: Stack | None) -> Count | Uncounted:
    """The GPUs of one replica, all its pods together.

    A claim is counted by its template in the same stack; before the whole stack is seen, nothing is
    said of one.
    """
    total = 0
    for spec, times in _pods(resource):
        if isinstance(times, Uncounted):
            return times
        for count in (*_limits(resource, spec), *_claims(resource, spec, stack)):
            if isinstance(count, Uncounted):
                return count
            total += count.value * times
    return Count(total)


def _pods(resource: Resource) -> Iterator[tuple[str, int | Uncounted]]:
    """The paths of pods' specs, and how many such pods one replica has."""
    pods = _table()
    for spec in pods["spec_paths"]:
        yield spec, 1
    group: Mapping[str, str] = pods["groups"]
    size = number(resource.properties.get(group["size"]))
    if isinstance(size, Uncounted):
        if not size.is_missing:
            yield group["size"], size
        size = Count(1)  # the documented default of size
    has_leader = not isinstance(resource.properties.get(group["leader"]), Missing)
    yield group["leader"], 1
    yield group["worker"], size.value - 1 if has_leader else size.value


def _limits(resource: Resource, spec: str) -> Iterator[Count | Uncounted]:
    pods = _table()
    for containers in pods["container_lists"]:
        for limits in resource.properties.every(f"{spec}.{containers}[].resources.limits"):
            yield from (number(one) for one in _named(limits, pods["gpu_names"]))


def _named(limits: Known | Unknown, patterns: list[str]) -> Iterator[Known | Unknown]:
    if isinstance(limits, Unknown) or not isinstance(limits.value, Mapping):
        yield limits
        return
    for name, amount in cast("Mapping[str, Any]", limits.value).items():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            path = f'{limits.path}["{name}"]'
            is_known = isinstance(amount, str | int | float)
            yield Known(path, amount) if is_known else Unknown(path)


def _claims(resource: Resource, spec: str, stack: Stack | None) -> Iterator[Count | Uncounted]:
    path = f"{spec}.{_table()['claims']}"
    if isinstance(resource.properties.get(path), Missing):
        return
    if stack is None:
        return
    for seen in resource.properties.every(f"{path}[]"):
        name = _claimed(seen)
        found = None if name is None else _claim(name, stack)
        if found is None:
            yield Uncounted(seen.path, f"{seen.path} claims devices that cannot be counted here")
        else:
            yield _devices(found)


def _claimed(seen: Known | Unknown) -> str | None:
    """The name of the claim, or of the template that it is made from; None where nobody can know."""
    if isinstance(seen, Unknown) or not isinstance(seen.value, Mapping):
        return None
    given = cast("Mapping[str, object]", seen.value)
    named = given.get("resourceClaimTemplateName") or given.get("resourceClaimName")
    return named if isinstance(named, str) else None


def _claim(name: str, stack: Stack) -> Resource | None:
    for one in stack.resources:
        if one.type.startswith("kubernetes:resource.k8s.io/") and one.type.endswith(_CLAIMS):
            seen = one.properties.get("metadata.name")
            if isinstance(seen, Known) and seen.value == name:
                return one
    return None


def _devices(claim: Resource) -> Count | Uncounted:
    """The most devices that one claim takes: of alternatives the largest, of all requests the sum."""
    inner = "spec.spec" if claim.type.endswith("Template") else "spec"
    path = f"{inner}.devices.requests"
    total = 0
    for seen in claim.properties.every(f"{path}[]"):
        if isinstance(seen, Unknown) or not isinstance(seen.value, Mapping):
            return Uncounted(seen.path, f"{seen.path} is known only after deployment")
        request = cast("Mapping[str, Any]", seen.value)
        options = request.get("firstAvailable") or [request.get("exactly") or request]
        counts = [_taken(seen.path, one) for one in options]
        for count in counts:
            if isinstance(count, Uncounted):
                return count
        total += max(count.value for count in counts if isinstance(count, Count))
    return Count(total, path)


def _taken(path: str, request: object) -> Count | Uncounted:
    if not isinstance(request, Mapping):
        return Uncounted(path, f"{path} is known only after deployment")
    asked = cast("Mapping[str, Any]", request)
    if asked.get("allocationMode") not in (None, "ExactCount"):
        return Uncounted(path, f"{path} claims every device that fits, however many there are")
    amount = asked.get("count", 1)
    return number(
        Known(f"{path}.count", amount) if isinstance(amount, str | int | float) else Unknown(path)
    )


def _table() -> dict[str, Any]:
    return table("capacity.json")["pods"]
