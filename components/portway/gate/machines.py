"""GPUs that come with a machine type, on the resource itself or on the template it is made from."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from portway.gate.resource import Resource, Stack
from portway.gate.tables import table
from portway.gate.values import Known, Missing, Unknown


def machine_gpus(resource: Resource, stack: Stack | None) -> Iterator[int | tuple[str, str]]:
    """For each machine ``resource`` may run on: its GPUs, or path and reason why nobody can tell.

    A template of the same stack is read there; before the whole stack is seen, nothing is said of one.
    """
    machines = _machines()
    seen = list(machines_of(resource))
    for one in seen:
        yield _gpus_of(one, machines["uncounted_here"].get(resource.type, ""))
    paths: list[str] = machines["templates"].get(resource.type, [])
    used = [path for path in paths if not isinstance(resource.properties.get(path), Missing)]
    if used and not seen and stack is not None:
        yield from _of_templates(resource, used, stack)


def _of_templates(
    resource: Resource, paths: list[str], stack: Stack
) -> Iterator[int | tuple[str, str]]:
    held = [
        stack.by_urn[urn]
        for path in paths
        for urn in (resource.depends_on or {}).get(path, ())
        if urn in stack.by_urn
    ]
    templates = [one for one in held if one.type in _machines()["paths"]]
    if not templates:
        why = (
            f"{paths[0]} names a template that is not in this stack, so its machines are not known"
        )
        yield paths[0], f"{why}; create the template here"
    for template in templates:
        for one in machines_of(template):
            yield _gpus_of(one, "")


def machines_of(resource: Resource) -> Iterator[Known | Unknown]:
    """The machine types that ``resource`` itself names."""
    for path in _machines()["paths"].get(resource.type, ()):
        yield from resource.properties.every(path)


def _gpus_of(seen: Known | Unknown, elsewhere: str) -> int | tuple[str, str]:
    if isinstance(seen, Unknown):
        return seen.path, f"{seen.path} is known only after deployment; make it a literal"
    machine = str(seen.value).strip().lower().rpartition("/")[2]
    count: int | None = _machines()["gpus"].get(machine)
    if count is None and not is_accelerated(machine):
        return 0
    if elsewhere:
        return seen.path, f"{seen.path} is a machine with GPUs that cannot be counted; {elsewhere}"
    if count is None:
        return seen.path, f"nobody has read yet how many GPUs the machine of {seen.path} holds"
    return count


@cache
def is_accelerated(machine: str) -> bool:
    """Whether ``machine``, a name in lower case, is of a family that brings GPUs or the like."""
    return any(fnmatchcase(machine, pattern) for pattern in _machines()["accelerated"])


def _machines() -> dict[str, Any]:
    return table("capacity.json")["machines"]
