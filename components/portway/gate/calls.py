"""Which resources of a stack call Bedrock, from which regions, by which model or profile."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import cast

from portway.gate.context import ResidencyContext
from portway.gate.places import At, places, reading
from portway.gate.resource import Resource, Stack
from portway.gate.routes import Route, routes
from portway.gate.statements import grants, is_policy
from portway.gate.values import Known
from portway.residency.boundary import Boundary
from portway.residency.profiles import is_profile
from portway.residency.tables import table

_NOWHERE = Boundary(("nowhere",), frozenset())
_IAM = "aws:iam/*"
_GUARDS = "aws:organizations/*"
_VENDORS = "|".join(table("bedrock_profiles.json")["providers"])
_HINT = re.compile(rf"bedrock|(?:{_VENDORS}|global|us-gov|us|eu|apac|jp|au|ca|in|sa)\.[a-z0-9]")


@dataclass(frozen=True)
class Call:
    """One route to Bedrock that a resource names, or is allowed.

    Attributes:
        path: the property that names it.
        region: where it is called from; None when that cannot be told.
        is_grant: an IAM statement allows it; nothing is seen to call it.
    """

    resource: Resource
    path: str
    route: Route
    region: str | None
    is_grant: bool = False

    @property
    def crosses_regions(self) -> bool:
        """Whether it is a profile, which may be served in another region than it is called from."""
        return self.route.model is not None and is_profile(self.route.model)


def bedrock_calls(stack: Stack, context: ResidencyContext) -> tuple[Call, ...]:
    """Every route to Bedrock in ``stack``, in its order.

    Several rules ask about the same stack one after the other, so the last answer is kept.
    """
    kept = _LAST.get(id(stack))
    if kept is not None and kept[0] is stack and kept[1] == context.clusters:
        return kept[2]
    found = tuple(call for one in stack.resources for call in calls_of(one, context))
    _LAST.clear()
    _LAST[id(stack)] = (stack, context.clusters, found)
    return found


def calls_of(resource: Resource, context: ResidencyContext) -> Iterator[Call]:
    """Every route to Bedrock that ``resource`` names or is allowed."""
    facts = reading(resource).facts
    if not facts.model_routes or fnmatchcase(resource.type, _GUARDS):
        return
    if not _may_name_one(resource.properties.tree):
        return
    if fnmatchcase(resource.type, _IAM):
        yield from _grants(resource, facts.model_routes)
        return
    own: tuple[str, ...] | None = None
    for leaf in resource.properties.leaves(*facts.model_routes):
        if not isinstance(leaf, Known) or not isinstance(leaf.value, str):
            continue
        for route in routes(leaf.value):
            if own is None:
                own = _own_regions(resource, context)
            for region in (route.source,) if route.source is not None else own or (None,):
                yield Call(resource, leaf.path, route, region)


def _may_name_one(tree: object) -> bool:
    """Whether any text in ``tree`` could: far quicker than reading it property by property."""
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if _HINT.search(value):
                return True
        elif isinstance(value, Mapping):
            waiting.extend(cast("Mapping[str, object]", value).values())
        elif isinstance(value, list | tuple):
            waiting.extend(cast("Sequence[object]", value))
    return False


def _grants(resource: Resource, paths: tuple[str, ...]) -> Iterator[Call]:
    for path in paths:
        for seen in resource.properties.every(path):
            if not isinstance(seen, Known) or not is_policy(seen.value):
                continue
            for grant in grants(seen.value, _NOWHERE):
                for route in routes(grant.resource or ""):
                    where = f"{seen.path}.{grant.path}"
                    yield Call(resource, where, route, route.source, is_grant=True)


def _own_regions(resource: Resource, context: ResidencyContext) -> tuple[str, ...]:
    if resource.package != "aws":
        return ()
    found = places(resource, reading(resource).facts, context.clusters)
    return tuple(dict.fromkeys(at.region for at in found if isinstance(at, At)))


_LAST: dict[int, tuple[Stack, object, tuple[Call, ...]]] = {}
