"""No pod is sent to nodes outside the boundary, or to nodes that are another cluster.

A cluster in one configured region needs no affinity. Where an object speaks of places all the same,
it is read as the scheduler reads it: alternatives are alternatives, and only ``In`` binds.
"""

import re
from collections.abc import Iterator
from typing import Final

from portway.gate.context import ResidencyContext
from portway.gate.nodes import (
    Astray,
    alternatives_faults,
    expression_faults,
    place_fault,
    regions_in,
    selector_faults,
    terms_at,
)
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import UNKNOWN
from portway.gate.workloads import (
    Block,
    Manifest,
    anatomy,
    blocks_in,
    child,
    is_object,
    plain,
    unknown_items,
)
from portway.residency.boundary import Boundary

_VIRTUAL: Final = re.compile(
    r"(?i)virtual-?(?:kubelet|node)|\bliqo\b|liqo\.io|admiralty|interlink|karmada|kubeedge"
    r"|node-role\.kubernetes\.io/edge|openyurt|azure\.com/aci|^hybrid$"
)
"""Marks of nodes that stand for another cluster, another provider or a machine of nobody's region:
virtual-kubelet, Liqo, Admiralty, interLink, KubeEdge, OpenYurt, EKS Hybrid Nodes."""

_NODE_PLACE: Final = re.compile(
    r"(?<![a-z0-9])[a-z]{2,14}-[a-z]{2,14}(?:-[a-z]{2,14})?-?\d{1,2}(?!\d)"
)
_KEYS: Final = frozenset(
    {"nodeSelector", "affinity", "nodeAffinity", "tolerations", "nodeName", "requirements"}
)
_SELECTOR: Final = "scheduler.alpha.kubernetes.io/node-selector"
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse whatever lets pods run outside, or somewhere that nobody can know."""
    del stack
    boundary = context.boundary
    if boundary is None or not is_object(resource):
        return
    found = anatomy(resource)
    for path in found.hidden:
        hidden = Astray(path, "makes pods that are known only after deployment", undetermined=True)
        yield _refused(resource, hidden)
    for manifest in found.manifests:
        yield from (_refused(resource, fault) for fault in _of_namespace(manifest, boundary))
    for block in found.blocks:
        for fault in () if _KEYS.isdisjoint(block.value) else _faults(block, boundary):
            yield _refused(resource, fault)


def _of_namespace(manifest: Manifest, boundary: Boundary) -> Iterator[Astray]:
    """The selector that a namespace gives to every pod in it."""
    annotations = child(child(manifest.root, "metadata"), "annotations")
    value, path = plain(annotations.value.get(_SELECTOR)), annotations.at(_SELECTOR)
    if value is UNKNOWN:
        yield Astray(path, _LATER, undetermined=True)
    for place in regions_in(value) if isinstance(value, str) else ():
        fault = place_fault(place, path, boundary)
        if fault is not None:
            yield fault


def _faults(block: Block, boundary: Boundary) -> Iterator[Astray]:
    value = block.value
    if "nodeSelector" in value:
        yield from _of_selector(block, boundary)
    if "nodeAffinity" in value:
        yield from _of_affinity(block, boundary)
    if plain(value.get("affinity")) is UNKNOWN:
        yield Astray(block.at("affinity"), _LATER, undetermined=True)
    if "tolerations" in value:
        yield from _of_tolerations(block)
    if "nodeName" in value and "containers" in value:
        yield from _of_node(block, boundary)
    if "requirements" in value and "nodeClassRef" in value:
        yield from expression_faults(
            Block(block.path, {"requirements": value["requirements"]}), boundary
        )


def _of_selector(block: Block, boundary: Boundary) -> Iterator[Astray]:
    path = block.at("nodeSelector")
    if plain(block.value["nodeSelector"]) is UNKNOWN:
        yield Astray(path, _LATER, undetermined=True)
    selector = child(block, "nodeSelector")
    yield from selector_faults(selector, path, boundary)
    for name, value in selector.value.items():
        if plain(value) is UNKNOWN and "/" not in name:
            yield Astray(f'{path}["{name}"]', _LATER, undetermined=True)
        elif _VIRTUAL.search(name) or (isinstance(value, str) and _VIRTUAL.search(value)):
            yield Astray(f'{path}["{name}"]', _ELSEWHERE)


def _of_affinity(block: Block, boundary: Boundary) -> Iterator[Astray]:
    """Node affinity; ``block`` is the pod's ``affinity``, whose holder may bind by a selector too."""
    path = block.at("nodeAffinity")
    if plain(block.value["nodeAffinity"]) is UNKNOWN:
        yield Astray(path, _LATER, undetermined=True)
    affinity = child(block, "nodeAffinity")
    if plain(affinity.value.get(_REQUIRED)) is UNKNOWN:
        yield Astray(affinity.at(_REQUIRED), _LATER, undetermined=True)
    terms = list(terms_at(child(affinity, _REQUIRED), "nodeSelectorTerms"))
    yield from alternatives_faults(terms, boundary)
    for unknown in unknown_items(affinity.value.get(_PREFERRED), affinity.at(_PREFERRED)):
        yield Astray(unknown, _LATER, undetermined=True)
    for preferred in blocks_in(affinity.value.get(_PREFERRED), affinity.at(_PREFERRED)):
        wanted = child(preferred, "preference")
        terms.append(wanted)
        yield from expression_faults(wanted, boundary)
    for term in terms:
        yield from _of_marks(term)


def _of_marks(term: Block) -> Iterator[Astray]:
    for expression in blocks_in(term.value.get("matchExpressions"), term.at("matchExpressions")):
        if plain(expression.value.get("operator")) in ("NotIn", "DoesNotExist"):
            continue
        texts = [expression.value.get("key"), *_texts(expression.value.get("values"))]
        if any(isinstance(text, str) and _VIRTUAL.search(text) for text in texts):
            yield Astray(expression.path, _ELSEWHERE)


def _texts(values: object) -> list[object]:
    return [*values] if isinstance(values, list | tuple) else []


def _of_tolerations(block: Block) -> Iterator[Astray]:
    for toleration in blocks_in(block.value["tolerations"], block.at("tolerations")):
        key, value = (plain(toleration.value.get(name)) for name in ("key", "value"))
        if UNKNOWN in (key, value):
            what = "tolerates nodes that are known only after deployment"
            yield Astray(toleration.path, what, undetermined=True)
        elif any(isinstance(text, str) and _VIRTUAL.search(text) for text in (key, value)):
            yield Astray(toleration.path, _ELSEWHERE)
    what = "tolerates nodes that are known only after deployment"
    if plain(block.value["tolerations"]) is UNKNOWN:
        yield Astray(block.at("tolerations"), what, undetermined=True)
    for unknown in unknown_items(block.value["tolerations"], block.at("tolerations")):
        yield Astray(unknown, what, undetermined=True)


def _of_node(block: Block, boundary: Boundary) -> Iterator[Astray]:
    """A pod bound to one node by name: nothing but that name says where it is."""
    name = plain(block.value["nodeName"])
    path = block.at("nodeName")
    if name in (None, ""):
        return
    places = regions_in(name) if isinstance(name, str) else ()
    if isinstance(name, str) and _VIRTUAL.search(name):
        yield Astray(path, _ELSEWHERE)
    elif not places:
        yield Astray(
            path, "is bound to one node by its name, which says no place", undetermined=True
        )
    for place in places:
        fault = place_fault(place, path, boundary)
        if fault is not None:
            yield fault


def _refused(resource: Resource, fault: Astray) -> Violation:
    message = f"{resource} {fault.given} ({fault.path}); {_WAY_OUT}"
    return Violation(message, resource.urn, fault.path, fault.undetermined)


_LATER = "names nodes that are known only after deployment"
_ELSEWHERE = "may run on nodes that stand for another cluster, wherever that is"
_WAY_OUT = (
    "let every alternative name only regions inside, as literals (operator In on "
    "topology.kubernetes.io/region), or say nothing of places in a cluster of one region"
)

RULE = Rule(
    id="residency-pods-stay-inside",
    severity=Severity.CRITICAL,
    description="No pod is sent to nodes outside the boundary, or into another cluster.",
    remediation="Bind pods to regions inside the boundary, in every alternative of their affinity.",
    controls=(
        "GDPR Art. 44",
        "GDPR Art. 46",
        "ISO/IEC 27001:2022 A.5.23",
        "NIST SP 800-53 r5 SA-9(5)",
        "NIST SP 800-53 r5 AC-4",
    ),
    judge=judge,
)
