"""Where a resource is, read off the resource itself, its provider, or the organisation's word.

A tag or a label is no evidence. What cannot be told is said to be so, never guessed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from portway.gate.hosts import host_of, region_of_host
from portway.gate.resource import Resource
from portway.gate.tables import NO_FACTS, both, located, reason, table, table_facts, target_facts
from portway.gate.values import Known, Missing, Unknown, View, shown
from portway.residency.places_of import country_of, members
from portway.target import ResourceFacts

_TABLE = "reviewed.json"
_REVIEW = "use a type that says where it is, or review this one and exempt it by its URN"


class Kind(Enum):
    """What is known of a resource type's place."""

    LOCATED = auto()
    """The resource or its provider says it."""
    IN_CLUSTER = auto()
    """A Kubernetes object: where its cluster is, which only configuration can say."""
    INSIDE = auto()
    """Kept in another resource, and so where that one is."""
    PLACELESS = auto()
    """Reviewed: it has no place, or its parts are judged one by one."""
    UNREAD = auto()
    """Nobody has read this type for this pack."""


@dataclass(frozen=True)
class Reading:
    """How to find the place of one resource type.

    Attributes:
        because: the reviewed reason, if any.
        may_omit: a setting or a grant: leaving its place out, or ``global``, says nothing of data.
        zones: paths of zones within its region, which may stand in another country.
        narrowed: path of the regions that replace a place which is no region (``global``).
    """

    kind: Kind
    facts: ResourceFacts = NO_FACTS
    because: str = ""
    may_omit: bool = False
    zones: tuple[str, ...] = ()
    narrowed: str = ""


@dataclass(frozen=True)
class At:
    """A place that was found, and the property that says so."""

    path: str
    region: str


@dataclass(frozen=True)
class Nowhere:
    """A place that could not be found: why, and what would tell."""

    path: str
    why: str


def reading(resource: Resource) -> Reading:
    """How to read ``resource``: the pinned SDKs, the targets' facts and the reviewed lists."""
    return _reading(resource.type, resource.package, resource.provider is not None)


@cache
def _reading(token: str, package: str, has_provider: bool) -> Reading:  # noqa: FBT001 - a cache key
    if because := reason(_TABLE, "unread", token):
        return Reading(Kind.UNREAD, because=because)
    if because := reason(_TABLE, "components", token):
        return Reading(Kind.PLACELESS, because=because)
    targets = target_facts().get(token)
    facts = both(targets or NO_FACTS, table_facts(_TABLE, token) or NO_FACTS)
    if _is_in_cluster(package):
        return Reading(Kind.IN_CLUSTER, facts)
    own = located(token)
    placeless = reason(_TABLE, "placeless", token)
    if own or facts.region:
        # The SDK's own list first: a target's facts can add a place to look at, not hide one.
        paths = tuple(dict.fromkeys((*facts.region, *own)))
        return Reading(
            Kind.LOCATED,
            both(facts, ResourceFacts(region=paths)),
            may_omit=placeless is not None,
            zones=tuple(table(_TABLE)["zones"].get(token, ())),
            narrowed=table(_TABLE)["narrowed"].get(token, ""),
        )
    if placeless:
        return Reading(Kind.PLACELESS, facts, placeless)
    if facts.inside:
        return Reading(Kind.INSIDE, facts)
    if targets is not None:
        return Reading(Kind.PLACELESS, because="its target says that it has no place of its own")
    if because := _judged_by_rows(token):
        return Reading(Kind.PLACELESS, facts, because)
    return _unlisted(token, package, has_provider=has_provider)


def places(
    resource: Resource, facts: ResourceFacts, clusters: Mapping[str, str]
) -> Iterator[At | Nowhere]:
    """Every place ``resource`` is in: its own (or its provider's), then its replicas'."""
    if _is_in_cluster(resource.package):
        yield from _cluster(resource, clusters)
    else:
        yield from _own(resource, facts, reading(resource))
    yield from map(_read, resource.properties.leaves(*facts.replicas))


def zones(resource: Resource) -> Iterator[Known | Unknown]:
    """The zones ``resource`` names within its region: an AWS Local Zone may be in another country."""
    return (seen for path in reading(resource).zones for seen in resource.properties.every(path))


def inherited(resource: Resource) -> tuple[str, ...]:
    """The properties that a resource of this cloud takes from its provider when it leaves them out."""
    return tuple(_cloud(resource).get("inherits", ()))


def is_inside_another(resource: Resource, how: Reading) -> bool:
    """Whether what it is kept in says where it is, because it does not say so itself."""
    if how.kind is Kind.INSIDE:
        return True
    return how.facts.inside is not None and not any(
        map(resource.properties.every, how.facts.region)
    )


def provider_places(resource: Resource) -> Iterator[At | Nowhere]:
    """Where a provider resource points to, by region, by zone and by every endpoint it overrides."""
    yield from _pointed_to(resource.properties, _cloud(resource).get("provider_region", ()))
    patterns: list[str] = _cloud(resource).get("provider_endpoints", [])
    for name in resource.properties.names():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            yield from map(_endpoint, resource.properties.leaves(name))


def clusters_named(resource: Resource) -> tuple[str, ...]:
    """What configuration may call the cluster of a Kubernetes object: URN, then context or name.

    A provider that names its kubeconfig context is in that context, whatever it is called; one that
    overrides the context's cluster is in neither.
    """
    provider = resource.provider
    if provider is None:
        return ()
    if not isinstance(provider.properties.get("cluster"), Missing):
        return (provider.urn,)
    context = provider.properties.get("context")
    return (provider.urn, str(context.value) if isinstance(context, Known) else provider.name)


def _unlisted(token: str, package: str, *, has_provider: bool) -> Reading:
    if package in table(_TABLE)["clouds"]:
        why = f"{token} has no region of its own, or nobody has read yet where it keeps data"
        return Reading(Kind.UNREAD, because=f"{why}; {_REVIEW}")
    if not has_provider:
        return Reading(Kind.PLACELESS, because="a component: its children are judged one by one")
    why = f"nobody has read yet where resources of the package {package} keep data"
    return Reading(Kind.UNREAD, because=f"{why}; {_REVIEW}")


def _judged_by_rows(token: str) -> str:
    """Why a type has been read that rows judge; "" while no trusted table has a row for it."""
    package = token.partition(":")[0]
    for entry in table(_TABLE)["judged"]:
        if any(fnmatchcase(token, pattern) for pattern in entry["types"]):
            rows = table(f"judged/{package}.json")
            judged = [row["type"] for name in entry["families"] for row in rows.get(name, [])]
            return entry["because"] if any(fnmatchcase(token, one) for one in judged) else ""
    return ""


def _own(resource: Resource, facts: ResourceFacts, how: Reading) -> Iterator[At | Nowhere]:
    seen = [one for path in facts.region for one in resource.properties.every(path)]
    if seen:
        is_narrowed = bool(how.narrowed and resource.properties.every(how.narrowed))
        yield from (
            _read(one) for one in seen if not _is_excused(one, how, is_narrowed=is_narrowed)
        )
        return
    if how.may_omit:
        return
    names = " or ".join(path for path in facts.region if "[]" not in path) or facts.region[0]
    named = _by_its_own_name(resource)
    if facts.needs_region or not _inherits(resource, facts):
        if named is not None:
            yield named
            return
        yield Nowhere(facts.region[0], f"{names} is not set, so the vendor chooses; set it")
        return
    if resource.provider is not None:
        told = list(_pointed_to(resource.provider.properties, _cloud(resource)["provider_region"]))
        for place in told:
            yield At(f"provider.{place.path}", place.region) if isinstance(place, At) else place
        if told:
            return
    if named is not None:
        yield named
        return
    yield Nowhere(
        facts.region[0],
        f"neither {names} nor its provider's region is set, so it would be wherever the machine "
        f"that deploys happens to point; set one of them",
    )


def _pointed_to(provider: View, paths: Iterable[str]) -> Iterator[At | Nowhere]:
    return (_read(seen) for path in paths for seen in provider.every(path))


def _inherits(resource: Resource, facts: ResourceFacts) -> bool:
    """Whether a resource of this type that names no place is where its provider points to."""
    types: list[str] = _cloud(resource).get("inherits_too", [])
    return bool(set(inherited(resource)) & set(facts.region)) or resource.type in types


def _by_its_own_name(resource: Resource) -> At | None:
    """The place in the id or ARN that the cloud gave it: there once it is deployed, never before."""
    cloud = _cloud(resource)
    is_given = resource.type in cloud.get("arn_is_given", ())
    for name in cloud.get("own_names", ()):
        seen = resource.properties.get(name)
        text = seen.value if isinstance(seen, Known) and isinstance(seen.value, str) else ""
        says_where = not is_given if text.startswith("arn:") else "/" in text
        if says_where and members(text):
            return At(name, text)
    return None


def _is_excused(seen: Known | Unknown, how: Reading, *, is_narrowed: bool) -> bool:
    """Whether a place need not be judged: ``global`` of a setting, or a name that regions replace."""
    if not isinstance(seen, Known) or not isinstance(seen.value, str):
        return False
    is_setting = how.may_omit and seen.value.strip().lower() == "global"
    return is_setting or (is_narrowed and country_of(seen.value) is None)


def _endpoint(seen: Known | Unknown) -> At | Nowhere:
    """The region that the host of an overridden endpoint names."""
    if isinstance(seen, Unknown):
        return _read(seen)
    region = region_of_host(host_of(str(seen.value)) or "")
    if region is not None:
        return At(seen.path, region)
    why = f"{seen.path} sends its calls to a host that names no region; remove it"
    return Nowhere(seen.path, why)


def _cluster(resource: Resource, clusters: Mapping[str, str]) -> Iterator[At | Nowhere]:
    names = clusters_named(resource)
    found = [name for name in names if name in clusters]
    for name in found:
        yield At(f"clusters.{name}", clusters[name])
    if not found:
        called = f" (known as {' or '.join(map(repr, names[1:]))})" if names[1:] else ""
        yield Nowhere(
            "",
            f"no property says where its cluster{called} is; say it under clusters in the "
            f"configuration of the residency pack",
        )


def _read(seen: Known | Unknown) -> At | Nowhere:
    if isinstance(seen, Unknown):
        why = f"{seen.path} is known only after deployment; give it a literal region"
        return Nowhere(seen.path, why)
    if not isinstance(seen.value, str) or not seen.value.strip():
        return Nowhere(seen.path, f"{seen.path} is {shown(seen.value)}, which names no region")
    return At(seen.path, seen.value)


def _is_in_cluster(package: str) -> bool:
    clouds: dict[str, dict[str, Any]] = table(_TABLE)["clouds"]
    return bool(clouds.get(package, {}).get("in_cluster"))


def _cloud(resource: Resource) -> dict[str, Any]:
    clouds: dict[str, dict[str, Any]] = table(_TABLE)["clouds"]
    return clouds.get(resource.package, {})
