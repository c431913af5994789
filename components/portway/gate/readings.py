"""How one value is judged: as a region, an ARN, a path, a bucket, a reference, a host or a text.

A ``local`` value is what its service takes from the resource's own region, unless it says another.

Each reading yields what is wrong and nothing when all is well. A value that another resource of the
same stack gives is fine where that one is judged itself; whatever nobody can tell is undetermined.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from portway.gate.context import ResidencyContext
from portway.gate.hosts import host_problem, region_of_host
from portway.gate.images import MAKERS, REGISTRY, is_published, registry_place
from portway.gate.places import Kind, reading
from portway.gate.resource import Resource, Stack
from portway.gate.values import Known, Unknown, View, shown, steps
from portway.residency.boundary import Boundary, country_of

Reads = Literal[
    "region", "arn", "path", "bucket", "reference", "host", "local", "image", "flag", "set", "text"
]

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9*?-]*):(?P<account>[^:\s]*):"
    r"(?P<rest>[^\s\"',]*)",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?<![\w-])(?:locations|regions|zones)/(?P<place>[A-Za-z0-9-]+)")
_PRODUCTS = {
    "keyRings": "gcp:kms/keyRing:KeyRing",
    "repositories": "gcp:artifactregistry/repository:Repository",
    "datasets": "gcp:bigquery/dataset:Dataset",
}
"""By a part of a Google path, what its place is named like."""
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
_DOTTED = re.compile(r"(?<![\w.-])[\w-]+(?:\.[\w-]+){2,}")
_LONGEST_NAME = 253
"""Of a host, in characters; what is longer names nothing, and is not worth the time."""
_SERVICE = re.compile(
    r"(?:com\.amazonaws\.(?:vpce\.)?|aws\.sagemaker\.)(?P<region>[a-z]+(?:-[a-z]+)+-\d+)\."
)
"""What the name of a VPC endpoint service says."""
_EDGE = re.compile(r"(?i)\b(cloudfront\.net|awsglobalaccelerator\.com)\b")
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
_A_BUCKET = "gcp:storage/bucket:Bucket"
"""As which the places are understood that configuration gives to buckets (``EU`` is several regions)."""
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
    judges = {
        "region": _region,
        "host": _host,
        "local": _local,
        "image": _image,
        "text": _text,
        "arn": _arn,
        "path": _path,
    }
    found = judges[reads](seen.path, seen.value, look) if reads in judges else None
    yield from _named(seen.path, seen.value, look) if found is None else found


def places_in(text: str) -> Iterator[str]:
    """The regions that ARNs and Google paths in ``text`` name; ``global`` and none are left out."""
    if "arn:" in text or "ARN:" in text:
        yield from (match["region"] for match in _ARN.finditer(text) if match["region"])
    if "/" in text:
        yield from (m["place"] for m in _PATH.finditer(text) if m["place"] not in ("global", "-"))


def has_place(resource: Resource) -> bool:
    """Whether its place is judged: a random name that is joined to it is no evidence."""
    return reading(resource).kind in (Kind.LOCATED, Kind.INSIDE, Kind.IN_CLUSTER)


def _unknown(reads: Reads, path: str, look: Look) -> Iterator[Problem]:
    if reads in ("region", "text"):
        yield Problem(path, "a value", f"it is {_LATER}", "make it a literal", undetermined=True)
    elif look.stack is not None and not _is_given_here(path, look.resource, look.stack):
        if reads == "image" and _is_made_here(path, look.resource, look.stack):
            return
        yield Problem(path, "a value", f"it is {_LATER}", _NAME_IT, undetermined=True)


def _region(path: str, text: str, look: Look, token: str = "") -> Iterator[Problem]:
    if not look.boundary.holds(text, token or look.resource.type):
        why = f"outside the boundary {look.boundary}"
        yield Problem(path, shown(text.strip()), why, "choose a place inside it")


def _host(path: str, text: str, look: Look) -> Iterator[Problem]:
    found = host_problem(text, look.boundary, look.context.hosts)
    if found is not None:
        yield Problem(path, found.given, found.why, found.do, found.undetermined)


def _text(path: str, text: str, look: Look) -> Iterator[Problem]:
    for place in dict.fromkeys(places_in(text)):
        yield from _region(path, place, look)


def _image(path: str, text: str, look: Look) -> Iterator[Problem]:
    """Images come in; but a registry of one's own outside is where one's weights and code are kept."""
    place = registry_place(text.strip())
    if place is not None and not is_published(text.strip()):
        yield from _region(path, place, look, REGISTRY)


def _local(path: str, text: str, look: Look) -> Iterator[Problem]:
    """What services take from the resource's own region only, unless it says another one itself.

    A name, an alias or an id stands for something beside the resource; an ARN, a host or a zone may
    stand for something elsewhere, and so may what configuration places. JSON is read as a document.
    """
    for leaf in View({"it": text}).leaves("it"):
        said = str(leaf.value) if isinstance(leaf, Known) else ""
        placed = look.context.buckets.get(_name_of(said))
        if placed is not None:
            yield from _region(path, placed, look, _A_BUCKET)
        for place in dict.fromkeys(_said_by(said)):
            yield from _region(path, place, look)
        for edge in _EDGE.findall(said):
            why = "it answers all over the world"
            yield Problem(path, f"a name under {edge}", why, "use a regional endpoint")


def _said_by(text: str) -> Iterator[str]:
    """Every place that ``text`` names: as its whole, in ARNs and paths, or in host names."""
    is_short = len(text) <= _LONGEST_NAME
    if is_short and not re.search(r"[:/]", text) and country_of(text) is not None:
        yield text.strip()
        return
    yield from places_in(text)
    for name in filter(_is_name, _DOTTED.findall(text)):
        service = _SERVICE.match(name.lower())
        region = service["region"] if service else region_of_host(name.lower().rstrip("."))
        if region:
            yield region


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME


def _arn(path: str, text: str, look: Look) -> Iterator[Problem] | None:
    """None where the ARN says no region, and only a name is left to look up."""
    match = _ARN.match(text.strip())
    if match is None:
        return None
    if match["region"]:
        return _region(path, match["region"], look)
    return iter(()) if match["service"].lower() in _NO_PLACE else None


def _path(path: str, text: str, look: Look) -> Iterator[Problem] | None:
    match = _PATH.search(text)
    return None if match is None else _region(path, match["place"], look, _product(text, look))


def _product(text: str, look: Look) -> str:
    """The type of what a path leads to: a bucket's key is named as keys are, not as buckets are."""
    found = (token for part, token in _PRODUCTS.items() if f"/{part}/" in text)
    return next(found, look.resource.type)


def _named(path: str, text: str, look: Look) -> Iterator[Problem]:
    """A thing that is only named: in this stack, or where configuration says it is."""
    text = text.strip()
    in_host = _IN_HOST.fullmatch(text)
    if in_host is not None:
        yield from _region(path, in_host["region"], look)
        return
    called = tuple(dict.fromkeys((text, _name_of(text), text.rpartition("/")[2])))
    buckets = look.context.buckets
    place = next((buckets[one] for one in called if one in buckets), None)
    if place is not None:
        yield from _region(path, place, look, _A_BUCKET)
    elif look.stack is not None and not (
        _is_named_here(called, look.resource, look.stack)
        or _is_given_here(path, look.resource, look.stack, _named_beside(path, look))
    ):
        why = "it is not in this stack, and nobody has said where it is"
        yield Problem(path, "something", why, _NAME_IT, undetermined=True)


def _name_of(text: str) -> str:
    """The name of the bucket that a URI or an ARN is about; else ``text``."""
    match = _BUCKET.fullmatch(text.strip())
    return match["name"] if match else text.strip()


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


def _named_beside(path: str, look: Look) -> frozenset[str]:
    """What other values of the same property name: a value that is known does not come from these.

    The engine says of a whole property where it comes from, not of each value in it.
    """
    if look.stack is None:
        return frozenset()
    names, top = _names_in(look.stack), steps(path)[0]
    beside = (
        one.value
        for one in look.resource.properties.texts
        if one.path != path and steps(one.path)[0] == top
    )
    return frozenset(
        urn for text in beside for name in {text, _name_of(text)} for urn in names.get(name, ())
    )


def _is_given_here(
    path: str, resource: Resource, stack: Stack, used: frozenset[str] = frozenset()
) -> bool:
    """Whether the value at ``path`` comes from resources of the stack that are judged themselves."""
    urns = set((resource.depends_on or {}).get(str(steps(path)[0]), ())) - used
    return any(has_place(stack.by_urn[urn]) for urn in urns if urn in stack.by_urn)


def _is_made_here(path: str, resource: Resource, stack: Stack) -> bool:
    """Whether the value at ``path`` comes from what makes images in this stack."""
    urns = (resource.depends_on or {}).get(str(steps(path)[0]), ())
    return any(stack.by_urn[urn].type.startswith(MAKERS) for urn in urns if urn in stack.by_urn)


_NAME_IT = "create it in this stack, or say where it is under buckets in the configuration"
