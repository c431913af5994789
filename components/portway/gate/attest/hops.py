"""Every hop of a prompt through one stack: what has a place, what it calls, what it logs to."""

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache

from portway.gate.attest.hop import Basis, Hop, Place
from portway.gate.attest.models import bedrock_hops, container_hops, hosted_hops
from portway.gate.context import ResidencyContext
from portway.gate.hosted import hosted
from portway.gate.hosts import host_of, is_listed, is_within, region_of_host
from portway.gate.places import At, Kind, Nowhere, is_inside_another, places, reading, zones
from portway.gate.resource import Resource, Stack
from portway.gate.tables import table
from portway.gate.values import Known, shown
from portway.residency.boundary import country_of

_TABLE = "hops.json"
_URL = re.compile(r"https?://\S+", re.I)
_REGION = re.compile(r"(?<![\w-])[a-z]{2,}(?:-[a-z]+)+-?\d{1,2}(?![\w-])")


def hops(stack: Stack, context: ResidencyContext, lacking: Iterable[str] = ()) -> tuple[Hop, ...]:
    """Every hop of ``stack``, by kind and then in its order.

    Args:
        stack: its resources, settled.
        context: the boundary, and what configuration says of clusters, buckets and hosts.
        lacking: ids of the absence rules that reported something about the stack.
    """
    found: list[Hop] = []
    for resource in stack.resources:
        found += _of_resource(resource, stack, context)
    found += bedrock_hops(stack, context)
    found += _of_absences(context, lacking)
    order = {kind: index for index, kind in enumerate(KINDS)}
    return tuple(sorted(dict.fromkeys(found), key=lambda hop: order[hop.kind]))


KINDS = ("entry", "compute", "model", "call", "logs", "stores", "keys", "other")


def _of_resource(resource: Resource, stack: Stack, context: ResidencyContext) -> Iterator[Hop]:
    if resource.is_provider:
        return
    where = _places(resource, stack, context)
    if where is not None:
        known, note = where
        for kind in kinds_of(resource.type):
            yield Hop(kind, resource.type, resource.name, resource.urn, known, note=note)
        yield from container_hops(resource, known)
        yield from _own_log_group(resource, known)
    yield from hosted_hops(resource, context)
    yield from _hosts_called(resource, context)


def _places(
    resource: Resource, stack: Stack, context: ResidencyContext
) -> tuple[tuple[Place, ...], str] | None:
    """Where a resource is, and what could not be told; None for one that is nowhere of its own."""
    how = reading(resource)
    if how.kind is Kind.UNREAD:
        return (Place(None, "", Basis.PROPERTY),), how.because
    if how.kind is Kind.PLACELESS:
        return None
    if is_inside_another(resource, how):
        return _held(resource, how.facts.inside or "", stack, context)
    found: list[Place] = []
    notes: list[str] = []
    for at in places(resource, how.facts, context.clusters):
        if isinstance(at, Nowhere):
            notes.append(at.why)
        found.append(_place(at))
    found += [
        Place(zone.value, zone.path, Basis.PROPERTY)
        for zone in zones(resource)
        if isinstance(zone, Known)
        and isinstance(zone.value, str)
        and shown(zone.value) == zone.value
    ]
    return (tuple(dict.fromkeys(found)), "; ".join(notes)) if found else None


def _held(
    resource: Resource, path: str, stack: Stack, context: ResidencyContext
) -> tuple[tuple[Place, ...], str] | None:
    """What is kept in another resource is a hop of its own only where that one is not in the stack.

    A name known only after deployment comes from this stack: the gate refuses it otherwise.
    """
    seen = resource.properties.get(path)
    if not isinstance(seen, Known) or not isinstance(seen.value, str):
        return None
    name = seen.value.rpartition("/")[2]
    if any(name in _names(other) for other in stack.resources if other.urn != resource.urn):
        return None
    region = context.buckets.get(seen.value) or context.buckets.get(name)
    if region is not None:
        return (Place(region, f"buckets.{name}", Basis.CONFIGURATION),), ""
    return (Place(None, path, Basis.PROPERTY),), "it is kept in something outside this stack"


def _names(resource: Resource) -> set[str]:
    paths = ("name", "bucket", "secretId", "repositoryId", "datasetId", "id", "accountId")
    values = (resource.properties.get(path) for path in paths)
    said = {one.value for one in values if isinstance(one, Known) and isinstance(one.value, str)}
    return {name.rpartition("/")[2] for name in said}


def _place(at: At | Nowhere) -> Place:
    if isinstance(at, Nowhere):
        return Place(None, at.path, Basis.PROPERTY)
    basis = Basis.PROPERTY
    if at.path.startswith("provider."):
        basis = Basis.PROVIDER
    elif at.path.startswith(("clusters.", "buckets.")):
        basis = Basis.CONFIGURATION
    # A text without the shape of a place may be anything, also a secret.
    return Place(at.region if shown(at.region) == at.region else None, at.path, basis)


@cache
def kinds_of(token: str) -> tuple[str, ...]:
    """What part resources of type ``token`` take; ``other`` where the table names none."""
    for row in table(_TABLE)["kinds"]:
        if any(fnmatchcase(token, pattern) for pattern in row["types"]):
            return tuple(row["kinds"])
    return ("other",)


def _own_log_group(resource: Resource, known: tuple[Place, ...]) -> Iterator[Hop]:
    if resource.type in table(_TABLE)["writes_its_own_log_group"]:
        same = tuple(Place(one.place, one.path, Basis.SAME_PLACE) for one in known)
        note = "what it prints goes to its log group, in its own region"
        yield Hop("logs", resource.type, resource.name, resource.urn, same, note=note)


def _hosts_called(resource: Resource, context: ResidencyContext) -> Iterator[Hop]:
    """Hosts that settings send requests to, other than the machine's and the cluster's own."""
    said: dict[str, Place] = {}
    for leaf in resource.properties.leaves(*reading(resource).facts.model_routes):
        if isinstance(leaf, Known) and isinstance(leaf.value, str) and _URL.fullmatch(leaf.value):
            host = host_of(leaf.value)
            if host is not None and not is_within(host) and not hosted(leaf.value):
                said[host] = _host_place(host, leaf.path, context)
    for host, place in said.items():
        safe = region_of_host(host) is not None or is_listed(host, context.hosts)
        note = f"calls {host}" if safe else "calls a host that says no region and is not listed"
        yield Hop("call", resource.type, resource.name, resource.urn, (place,), note=note)


def _host_place(host: str, path: str, context: ResidencyContext) -> Place:
    region = region_of_host(host)
    if region is not None:
        return Place(region, path, Basis.HOST)
    is_named = is_listed(host, context.hosts)
    return Place(None, "hosts", Basis.CONFIGURATION) if is_named else Place(None, path, Basis.HOST)


def _of_absences(context: ResidencyContext, lacking: Iterable[str]) -> Iterator[Hop]:
    """What goes somewhere that the stack does not hold: where configuration says, or nobody knows where."""
    rows: Mapping[str, Mapping[str, str]] = table(_TABLE)["absences"]
    for rule in sorted(frozenset(lacking) & frozenset(rows)):
        row = rows[rule]
        path = f"elsewhere.{rule}"
        told = context.elsewhere.get(rule)
        if told is None:
            places_of = (Place(None, "", Basis.PROPERTY),)
            note = f"nothing says where this goes; see {rule}"
        else:
            named = [one for one in _REGION.findall(told.lower()) if country_of(one)]
            places_of = tuple(
                Place(one, path, Basis.CONFIGURATION) for one in dict.fromkeys(named)
            ) or (Place(None, path, Basis.CONFIGURATION),)
            note = told
        yield Hop(row["kind"], "", row["what"], "", places_of, note=note)
