"""How one value is judged: as a region, an ARN, a path, a bucket, a reference, a host or a text.

Each reading yields what is wrong and nothing when all is well. A value that another resource of the
same stack gives is fine where that one is judged itself; whatever nobody can tell is undetermined.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from portway.gate.context import ResidencyContext
from portway.gate.hosts import host_problem
from portway.gate.places import Kind, reading
from portway.gate.resource import Resource, Stack
from portway.gate.values import Known, Unknown, shown, steps
from portway.residency.boundary import Boundary

Reads = Literal["region", "arn", "path", "bucket", "reference", "host", "flag", "set", "text"]

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9*?-]*):(?P<account>[^:\s]*):"
    r"(?P<rest>[^\s\"',]*)"
)
_PATH = re.compile(r"(?<![\w-])(?:locations|regions|zones)/(?P<place>[A-Za-z0-9-]+)")
_NO_PLACE = frozenset(
    {"iam", "sts", "organizations", "route53", "cloudfront", "budgets", "support"}
)
"""Services whose ARNs have no region because they have one control plane and keep no data."""
_BUCKET = re.compile(
    r"(?:(?:s3a?|gs|gcs|bq)://|arn:aws[a-z-]*:s3:::|(?:https?://)?storage\.googleapis\.com/(?:b/)?"
    r"|(?://)?storage\.googleapis\.com/projects/_/buckets/)?(?P<name>[^/*?\s]+)(?:[/*].*)?"
)
_IN_HOST = re.compile(
    r"(?:https?://)?(?:[\w.-]+\.)?s3[.-](?P<region>[a-z]+(?:-[a-z]+)+-\d)\.amazonaws\.com.*"
)
_NAMES = (
    "bucket",
    "name",
    "arn",
    "id",
    "selfLink",
    "datasetId",
    "secretId",
    "url",
    "clusterIdentifier",
)
_LATER = "known only after deployment"


@dataclass(frozen=True)
class Problem:
    """What is wrong with one value.

    Attributes:
        given: what was given, as it may be shown; "" where the row says it all.
        do: the usual way out of it.
    """

    path: str
    given: str
    why: str = ""
    do: str = ""
    undetermined: bool = False


@dataclass(frozen=True)
class Look:
    """What a value is judged with."""

    resource: Resource
    boundary: Boundary
    context: ResidencyContext
    stack: Stack | None


def read(reads: Reads, seen: Known | Unknown, look: Look) -> Iterator[Problem]:
    """What is wrong with ``seen`` when it is read as ``reads`` says."""
    if isinstance(seen, Unknown):
        yield from _unknown(reads, seen.path, look)
        return
    if not isinstance(seen.value, str):
        yield Problem(seen.path, shown(seen.value), "it names no place", undetermined=True)
        return
    judges = {"region": _region, "host": _host, "text": _text, "arn": _arn, "path": _path}
    found = judges[reads](seen.path, seen.value, look) if reads in judges else None
    yield from _named(seen.path, seen.value, look) if found is None else found


def places_in(text: str) -> Iterator[str]:
    """The regions that ARNs and Google paths in ``text`` name; ``global`` and none are left out."""
    if "arn:" in text:
        yield from (match["region"] for match in _ARN.finditer(text) if match["region"])
    if "/" in text:
        yield from (m["place"] for m in _PATH.finditer(text) if m["place"] not in ("global", "-"))


def has_place(resource: Resource) -> bool:
    """Whether its place is judged: a random name that is joined to it is no evidence."""
    return reading(resource).kind in (Kind.LOCATED, Kind.INSIDE, Kind.IN_CLUSTER)


def _unknown(reads: Reads, path: str, look: Look) -> Iterator[Problem]:
    if reads not in ("arn", "path", "bucket", "reference"):
        yield Problem(path, "a value", f"it is {_LATER}", "make it a literal", undetermined=True)
    elif look.stack is not None and not _is_given_here(path, look.resource, look.stack):
        yield Problem(path, "a value", f"it is {_LATER}", _NAME_IT, undetermined=True)


def _region(path: str, text: str, look: Look) -> Iterator[Problem]:
    if not look.boundary.holds(text, look.resource.type):
        why = f"outside the boundary {look.boundary}"
        yield Problem(path, shown(text.strip()), why, "choose a place inside it")


def _host(path: str, text: str, look: Look) -> Iterator[Problem]:
    found = host_problem(text, look.boundary, look.context.hosts)
    if found is not None:
        yield Problem(path, found.given, found.why, found.do, found.undetermined)


def _text(path: str, text: str, look: Look) -> Iterator[Problem]:
    for place in dict.fromkeys(places_in(text)):
        yield from _region(path, place, look)


def _arn(path: str, text: str, look: Look) -> Iterator[Problem] | None:
    """None where the ARN says no region, and only a name is left to look up."""
    match = _ARN.match(text.strip())
    if match is None:
        return None
    if match["region"]:
        return _region(path, match["region"], look)
    return iter(()) if match["service"] in _NO_PLACE else None


def _path(path: str, text: str, look: Look) -> Iterator[Problem] | None:
    match = _PATH.search(text)
    return None if match is None else _region(path, match["place"], look)


def _named(path: str, text: str, look: Look) -> Iterator[Problem]:
    """A thing that is only named: in this stack, or where configuration says it is."""
    text = text.strip()
    in_host = _IN_HOST.fullmatch(text)
    if in_host is not None:
        yield from _region(path, in_host["region"], look)
        return
    match = _BUCKET.fullmatch(text)
    called = tuple(dict.fromkeys((text, match["name"] if match else text, text.rpartition("/")[2])))
    buckets = look.context.buckets
    place = next((buckets[one] for one in called if one in buckets), None)
    if place is not None:
        yield from _region(path, place, look)
    elif look.stack is not None and not (
        _is_named_here(called, look.resource, look.stack)
        or _is_given_here(path, look.resource, look.stack)
    ):
        why = "it is not in this stack, and nobody has said where it is"
        yield Problem(path, "something", why, _NAME_IT, undetermined=True)


def _is_named_here(called: tuple[str, ...], resource: Resource, stack: Stack) -> bool:
    """Whether another resource of the stack, judged itself, has one of these names."""
    names = _names_in(stack)
    return any(urn != resource.urn for name in called for urn in names.get(name, ()))


def _names_in(stack: Stack) -> dict[str, list[str]]:
    """By name, the resources of ``stack`` that have a place; worked out once for each stack."""
    index = stack.names
    if not index:
        index[""] = []
        for other in filter(has_place, stack.resources):
            for seen in map(other.properties.get, _NAMES):
                if isinstance(seen, Known) and isinstance(seen.value, str):
                    for name in {seen.value, seen.value.rpartition("/")[2]}:
                        index.setdefault(name, []).append(other.urn)
    return index


def _is_given_here(path: str, resource: Resource, stack: Stack) -> bool:
    """Whether the value at ``path`` comes from resources of the stack that are judged themselves."""
    urns = (resource.depends_on or {}).get(str(steps(path)[0]), ())
    return any(has_place(stack.by_urn[urn]) for urn in urns if urn in stack.by_urn)


_NAME_IT = "create it in this stack, or say where it is under buckets in the configuration"
