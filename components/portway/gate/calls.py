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
from portway.gate.settings import Setting, settings
from portway.gate.statements import grants, is_policy
from portway.gate.values import Known
from portway.residency.boundary import Boundary
from portway.residency.profiles import is_profile
from portway.residency.tables import table

_NOWHERE = Boundary(("nowhere",), frozenset())
_IAM = "aws:iam/*"
_GUARDS = "aws:organizations/*"
_VENDORS = "|".join(table("bedrock_profiles.json")["providers"])
_REGION_NAME = re.compile(
    r"(?i)(?:^|[_.-])(?:aws[_-]|bedrock[_-]|aws[_-]default[_-]|bedrock[_-]aws[_-])+region(?:[_-]name)?$"
)
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
    told = settings(resource)
    for setting in told:
        if setting.value is None or not setting.is_whole:
            continue
        for route in routes(setting.value):
            own = (route.source,) if route.source is not None else callers(resource, context, told)
            for region in own or (None,):
                yield Call(resource, setting.path, route, region)
    if not told:
        yield from _named(resource, facts.model_routes, context)


def callers(
    resource: Resource, context: ResidencyContext, told: tuple[Setting, ...]
) -> tuple[str, ...]:
    """The regions Bedrock may be called from: the resource's own, and any its settings name."""
    facts = reading(resource).facts
    own: list[str] = []
    if resource.package == "aws" and facts.region:
        own = [at.region for at in places(resource, facts, context.clusters) if isinstance(at, At)]
    own += [one.value for one in told if one.value and _REGION_NAME.search(one.name)]
    return tuple(dict.fromkeys(own))


def _named(resource: Resource, paths: tuple[str, ...], context: ResidencyContext) -> Iterator[Call]:
    """What a resource that tells no program anything names itself."""
    for leaf in resource.properties.leaves(*paths):
        if isinstance(leaf, Known) and isinstance(leaf.value, str):
            for route in routes(leaf.value):
                own = (
                    (route.source,) if route.source is not None else callers(resource, context, ())
                )
                for region in own or (None,):
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


_LAST: dict[int, tuple[Stack, object, tuple[Call, ...]]] = {}
