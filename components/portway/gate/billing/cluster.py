"""Whose cluster a Kubernetes object is in, and where: what objects and providers say of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

from portway.gate.billing.cannot import CannotPrice
from portway.gate.billing.values import in_region, region
from portway.gate.nodes import REGION_LABELS
from portway.gate.resource import SERVICE_TYPE, Resource, Stack
from portway.gate.values import Known
from portway.gate.workloads import anatomy, is_object

AWS: Final = re.compile(r"[a-z]{2}(?:-[a-z]+){1,3}-\d")
_GKE_CONTEXT: Final = re.compile(r"gke_[^_]+_([a-z]+-[a-z]+\d+(?:-[a-z])?)_.+")
_EKS_CONTEXT: Final = re.compile(r"arn:aws[a-z-]*:eks:([a-z0-9-]+):\d*:cluster/.+")
_CLUSTERS: Final = frozenset({"gcp:container/cluster:Cluster", "aws:eks/cluster:Cluster"})
MACHINE_LABELS: Final = frozenset(
    {"node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"}
)
FLAVOUR: Final = 'metadata.annotations["portway.dev/flavour"]'


@dataclass(frozen=True)
class Cluster:
    """Where a cluster is.

    Attributes:
        vendor: ``gke``, ``eks``, or ``plain`` for one that no vendor bills.
        is_here: the stack holds the cluster, and so its nodes are billed with it.
    """

    vendor: str
    region: str
    is_here: bool = False


def cluster_of(resource: Resource, stack: Stack | None) -> Cluster | None:
    """The cluster of ``resource``; None where nothing says which."""
    if stack is None:
        return None
    return _clusters(stack).get(_provider(resource)) or _of_service(resource, stack)


@lru_cache(maxsize=4)
def _clusters(stack: Stack) -> Mapping[str, Cluster]:
    """By provider, what is known of its cluster."""
    found: dict[str, Cluster] = {}
    here = [one for one in stack.resources if one.type in _CLUSTERS]
    objects = [one for one in stack.resources if is_object(one)]
    for one in objects:
        key = _provider(one)
        if key in found:
            continue
        named = _by_context(one)
        if named is not None:
            found[key] = named
        elif len(here) == 1:
            vendor = "eks" if here[0].type.startswith("aws") else "gke"
            found[key] = Cluster(vendor, _where(here[0]), is_here=True)
    for one in objects:
        if _provider(one) not in found and (told := labelled(one, REGION_LABELS)):
            flavour = one.properties.get(FLAVOUR)
            found[_provider(one)] = _cluster(
                told, str(flavour.value) if isinstance(flavour, Known) else ""
            )
    return found


def labelled(resource: Resource, labels: frozenset[str]) -> str:
    """The value that the pods of ``resource`` ask of a label of their nodes; "" for none."""
    for pod in anatomy(resource).pods:
        for value in _asked(pod.spec.value, labels):
            return value
    return ""


def _asked(spec: Mapping[str, object], labels: frozenset[str]) -> Iterator[str]:
    selector = spec.get("nodeSelector")
    if isinstance(selector, Mapping):
        for label, value in cast("Mapping[str, object]", selector).items():
            if label in labels and isinstance(value, str):
                yield value
    for expression in _expressions(spec):
        values = expression.get("values")
        is_in = expression.get("operator") in ("In", None)
        if expression.get("key") in labels and is_in and isinstance(values, list):
            yield from (one for one in cast("list[object]", values) if isinstance(one, str))


def _expressions(value: object) -> Iterator[Mapping[str, object]]:
    """Every requirement of required node affinity below ``value``."""
    for key in (
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
    ):
        value = cast("Mapping[str, object]", value).get(key) if isinstance(value, Mapping) else None
    terms = (
        cast("Mapping[str, object]", value).get("nodeSelectorTerms")
        if isinstance(value, Mapping)
        else None
    )
    for term in cast("list[object]", terms) if isinstance(terms, list) else ():
        inner = (
            cast("Mapping[str, object]", term).get("matchExpressions")
            if isinstance(term, Mapping)
            else None
        )
        for one in cast("list[object]", inner) if isinstance(inner, list) else ():
            if isinstance(one, Mapping):
                yield cast("Mapping[str, object]", one)


def _provider(resource: Resource) -> str:
    return "" if resource.provider is None else resource.provider.urn


def _cluster(place: str, flavour: str = "") -> Cluster:
    where = in_region(place)
    return Cluster(flavour or ("eks" if AWS.fullmatch(where) else "gke"), where)


def _by_context(resource: Resource) -> Cluster | None:
    """Both vendors' tools name a context after the region of its cluster."""
    if resource.provider is None:
        return None
    for path in ("context", "cluster"):
        seen = resource.provider.properties.get(path)
        text = seen.value if isinstance(seen, Known) and isinstance(seen.value, str) else ""
        if found := _GKE_CONTEXT.fullmatch(text):
            return Cluster("gke", in_region(found[1]))
        if found := _EKS_CONTEXT.fullmatch(text):
            return Cluster("eks", in_region(found[1]))
    return None


def _of_service(resource: Resource, stack: Stack) -> Cluster | None:
    """What the service of ours above it says of its place."""
    here: Resource | None = resource
    for _ in range(20):
        if here is None:
            return None
        seen = here.properties.get("region") if here.type == SERVICE_TYPE else None
        if isinstance(seen, Known) and isinstance(seen.value, str):
            return _cluster(seen.value)
        here = stack.by_urn.get(here.parent or "")
    return None


def _where(cluster: Resource) -> str:
    try:
        return region(cluster)
    except CannotPrice:  # said where the cluster itself is priced
        return ""
