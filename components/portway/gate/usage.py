"""Whether anything in a stack uses a resource: hangs on it, or names it."""

from collections.abc import Collection, Mapping
from functools import lru_cache

from portway.gate.resource import Resource, Stack
from portway.gate.values import Known

_NAMES = ("name", "address", "allocationId", "publicIp", "id", "selfLink")
"""What others may call a resource by, where it is a literal."""


def is_used(resource: Resource, stack: Stack, besides: Collection[str]) -> bool:
    """Whether something of ``stack`` uses ``resource``: anything but resources of types ``besides``.

    What only writes its address down (a name in DNS, a parameter) uses nothing.
    """
    users = [
        *_dependents(stack).get(resource.urn, ()),
        *(
            urn
            for name in map(resource.properties.get, _NAMES)
            if isinstance(name, Known) and isinstance(name.value, str)
            for urn in _mentions(stack).get(name.value, ())
        ),
    ]
    return any(urn != resource.urn and stack.by_urn[urn].type not in besides for urn in users)


@lru_cache(maxsize=4)
def _dependents(stack: Stack) -> Mapping[str, tuple[str, ...]]:
    """By URN, the URNs of what takes a value from it."""
    found: dict[str, list[str]] = {}
    for one in stack.resources:
        for urn in {urn for urns in (one.depends_on or {}).values() for urn in urns}:
            found.setdefault(urn, []).append(one.urn)
    return {urn: tuple(users) for urn, users in found.items()}


@lru_cache(maxsize=4)
def _mentions(stack: Stack) -> Mapping[str, tuple[str, ...]]:
    """By a text, or the name at the end of a path, the URNs of what holds it."""
    found: dict[str, list[str]] = {}
    for one in stack.resources:
        for text in {part for seen in one.properties.texts for part in _parts(str(seen.value))}:
            found.setdefault(text, []).append(one.urn)
    return {text: tuple(users) for text, users in found.items()}


def _parts(text: str) -> tuple[str, ...]:
    return (text, text.rpartition("/")[2], *(one.strip() for one in text.split(",")))
