"""Which inputs can say where data is: found by their names, kept as (type, path) pairs."""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from located.sdk import Sdk, walk

PACKAGES = ("aws", "gcp", "kubernetes")
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
# fmt: off
_WORDS = frozenset((
    "region", "regions", "location", "locations", "zone", "zones", "replica", "replicas",
    "replication", "replicate", "geo", "residency", "destination", "destinations", "copy",
    "copies", "global", "arn", "arns", "uri", "uris", "url", "urls", "endpoint", "endpoints",
    "bucket", "buckets", "host", "hosts", "hostname", "hostnames",
))
_MORE_WORDS: Mapping[str, frozenset[str]] = {
    "kubernetes": frozenset((
        "image", "server", "node", "topology", "topologies", "external", "cidr", "cidrs",
    )),
}
# fmt: on


def pairs(sdk: Sdk) -> Iterator[tuple[str, Mapping[str, bool]]]:
    """Each type of ``sdk`` and its paths whose last name speaks of a place, True for one with text.

    A block is named itself only where nothing inside it is. The place of the resource itself
    (``region`` of almost every AWS type) is in the lists beside the gate, not here. The lists that
    the Kubernetes SDK has beside each kind cannot be created in a cluster.
    """
    words = _WORDS | _MORE_WORDS.get(sdk.package, frozenset())
    for token in sdk.types:
        if sdk.package == "kubernetes" and token.endswith(("List", "ListPatch")):
            continue
        found = dict(_found(sdk, token, words))
        if found:
            yield token, found


def _found(sdk: Sdk, token: str, words: frozenset[str]) -> Iterator[tuple[str, bool]]:
    """Paths are written as they are walked, so everything in a block follows it."""
    waiting = ""
    for path, one in walk(sdk, token):
        if waiting and not path.startswith(f"{waiting}."):
            yield waiting, False
            waiting = ""
        if words.isdisjoint(_words(one.step)):
            continue
        waiting = ""
        if one.block is None:
            yield path, one.is_text
        else:
            waiting = path
    if waiting:
        yield waiting, False


@cache
def _words(step: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(step))
