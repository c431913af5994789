"""Which resources of one stack belong together: by what the engine says of their inputs, or by name."""

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

from portway.gate.resource import Resource, Stack
from portway.gate.values import Known, steps

_NAMES = ("name", "bucket", "arn", "id", "url", "functionName", "stageName", "selfLink")
"""What clouds know a resource by, and others write literally."""


def meant(resource: Resource, path: str, stack: Stack, types: Collection[str]) -> list[Resource]:
    """The resources of ``types`` in ``stack`` that the value of ``resource`` at ``path`` stands for.

    By its name where the value is a literal; else by where the engine says that the value comes from.
    """
    found = [one for one in _named(resource, path, stack) if one.type in types]
    return found or sources(resource, path, stack, types)


def sources(resource: Resource, path: str, stack: Stack, types: Collection[str]) -> list[Resource]:
    """The resources of ``types`` from which the value of ``resource`` at ``path`` comes.

    The engine says so of a whole top-level property, not of each value in it.
    """
    urns = (resource.depends_on or {}).get(str(steps(path)[0]), ())
    known = (stack.by_urn[urn] for urn in urns if urn in stack.by_urn)
    return [one for one in known if one.type in types]


def of_types(stack: Stack, types: Collection[str]) -> tuple[Resource, ...]:
    """The resources of ``stack`` whose type is one of ``types``, in the order of the stack."""
    by_type = _by_type(stack)
    return tuple(one for token in types for one in by_type.get(token, ()))


def beside(resource: Resource, stack: Stack, types: Collection[str]) -> Iterator[Resource]:
    """The resources of ``types`` in ``stack`` that hang on ``resource``, or name it literally."""
    names = frozenset(_names_of(resource))
    for one in of_types(stack, types):
        sources = (urn for urns in (one.depends_on or {}).values() for urn in urns)
        if resource.urn in sources or any(
            not names.isdisjoint(_called(str(seen.value))) for seen in one.properties.texts
        ):
            yield one


def _named(resource: Resource, path: str, stack: Stack) -> list[Resource]:
    named = _by_name(stack)
    found = (
        one
        for seen in resource.properties.every(path)
        if isinstance(seen, Known) and isinstance(seen.value, str)
        for name in _called(seen.value)
        for one in named.get(name, ())
    )
    return list({one.urn: one for one in found if one.urn != resource.urn}.values())


def _called(text: str) -> tuple[str, ...]:
    """``text``, and the name at the end of it when it is an ARN, a URL or a path."""
    return tuple(dict.fromkeys((text, text.rpartition("/")[2], text.rpartition(":")[2])))


def _names_of(resource: Resource) -> Iterator[str]:
    for seen in map(resource.properties.get, _NAMES):
        if isinstance(seen, Known) and isinstance(seen.value, str) and seen.value:
            yield seen.value


@lru_cache(maxsize=4)
def _by_name(stack: Stack) -> Mapping[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for one in stack.resources:
        for name in dict.fromkeys(_names_of(one)):
            found.setdefault(name, []).append(one)
    return found


@lru_cache(maxsize=4)
def _by_type(stack: Stack) -> Mapping[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for one in stack.resources:
        found.setdefault(one.type, []).append(one)
    return found
