"""Which nodes, zones and disks a Kubernetes object lets its pods and volumes be in.

Read off selectors as the scheduler reads them: alternatives are alternatives, and only ``In`` binds.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from portway.gate.values import UNKNOWN, shown
from portway.gate.workloads import Block, blocks_in, listed, plain
from portway.residency.boundary import Boundary, boundaries

REGION_LABELS: Final = frozenset(
    {"topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"}
)
_ZONE_LABELS: Final = frozenset(
    {
        "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/zone",
        "topology.gke.io/zone",
        "topology.ebs.csi.aws.com/zone",
        "topology.efs.csi.aws.com/zone",
        "topology.fsx.csi.aws.com/zone",
        "topology.disk.csi.azure.com/zone",
        "topology.k8s.aws/zone-id",
    }
)
PLACE_LABELS: Final = REGION_LABELS | _ZONE_LABELS


@dataclass(frozen=True)
class Astray:
    """A place that a selector names and the boundary does not hold, or one that nobody can know.

    Attributes:
        given: what the selector does, for a message.
    """

    path: str
    given: str
    undetermined: bool = False


@dataclass(frozen=True)
class Term:
    """One alternative of a selector: whether it binds to places, and what is wrong with it."""

    path: str
    binds: bool
    faults: tuple[Astray, ...]


def place_fault(value: object, path: str, boundary: Boundary) -> Astray | None:
    """Why a region or a zone is no place inside ``boundary``; None when it is one."""
    if plain(value) is UNKNOWN:
        return Astray(path, "names nodes that are known only after deployment", undetermined=True)
    if not isinstance(value, str) or not boundary.contains(value):
        return Astray(path, f"names nodes in {shown(value)}, outside the boundary {boundary}")
    return None


def selector_faults(block: Block, path: str, boundary: Boundary) -> Iterator[Astray]:
    """What is wrong with a plain ``nodeSelector``."""
    for name, value in block.value.items():
        if name in PLACE_LABELS:
            fault = place_fault(value, joined_label(path, name), boundary)
            if fault is not None:
                yield fault


def alternatives_faults(terms: Iterable[Block], boundary: Boundary) -> Iterator[Astray]:
    """What is wrong with a list of alternatives, each of which is enough for a node.

    Args:
        terms: ``nodeSelectorTerms``, ``allowedTopologies`` or the like.
        boundary: where the nodes may be.
    """
    read = [_term(term, boundary) for term in terms]
    for term in read:
        yield from term.faults
    is_meant = any(term.binds for term in read)
    for term in read:
        if is_meant and not term.binds and not term.faults:
            yield Astray(
                term.path, "names places in some of its alternatives only, so that nothing binds it"
            )


def expression_faults(term: Block, boundary: Boundary) -> tuple[Astray, ...]:
    """What is wrong with one list of requirements that hold together."""
    return _term(term, boundary).faults


def joined_label(path: str, label: str) -> str:
    """The path of a label, whose dots are no steps."""
    return f'{path}["{label}"]'


def regions_in(text: str) -> tuple[str, ...]:
    """The regions of the clouds that ``text`` names, as words of it, each once; zones count."""
    return tuple(dict.fromkeys(_regions().findall(text.lower())))


@cache
def _regions() -> re.Pattern[str]:
    names = sorted(_known(), key=len, reverse=True)
    return re.compile(rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, names))})(?![0-9])")


@cache
def _known() -> frozenset[str]:
    """Every cloud region that stands in a country somebody knows."""
    return frozenset[str]().union(*boundaries().values())


def _term(term: Block, boundary: Boundary) -> Term:
    expressions = list(_expressions(term))
    faults: list[Astray] = []
    binding = False
    loose: list[Astray] = []
    for expression in expressions:
        key = plain(expression.value.get("key"))
        if key is UNKNOWN:
            faults.append(Astray(expression.at("key"), _LATER, undetermined=True))
        if key not in PLACE_LABELS:
            continue
        operator = plain(expression.value.get("operator"))
        found = list(_values(expression, boundary))
        if operator in ("In", None):
            binding = binding or bool(listed(expression.value.get("values")))
            faults += found
            if not listed(expression.value.get("values")):
                loose.append(Astray(expression.at("values"), _LOOSE))
        elif operator is UNKNOWN:
            faults.append(Astray(expression.at("operator"), _LATER, undetermined=True))
        elif found or (key in REGION_LABELS and operator != "NotIn"):
            loose.append(Astray(expression.at("operator"), _LOOSE))
    return Term(term.path, binding, tuple(faults if binding else [*faults, *loose]))


def _expressions(term: Block) -> Iterator[Block]:
    for name in ("matchExpressions", "matchLabelExpressions", "requirements"):
        value = plain(term.value.get(name))
        if value is UNKNOWN:
            yield Block(term.at(name), {"key": UNKNOWN})
        yield from blocks_in(value, term.at(name))


def _values(expression: Block, boundary: Boundary) -> Iterator[Astray]:
    values = plain(expression.value.get("values"))
    if values is UNKNOWN:
        yield Astray(expression.at("values"), _LATER, undetermined=True)
        return
    for index, value in enumerate(listed(values)):
        fault = place_fault(value, f"{expression.at('values')}[{index}]", boundary)
        if fault is not None:
            yield fault


def terms_at(holder: Block, name: str) -> Iterator[Block]:
    """The alternatives in the list ``name``; one that nobody can read where it is unknown."""
    value = plain(holder.value.get(name))
    if value is UNKNOWN:
        yield Block(holder.at(name), {"matchExpressions": UNKNOWN})
    yield from blocks_in(value, holder.at(name))


_LATER = "names nodes that are known only after deployment"
_LOOSE = (
    "speaks of places and names none, or only where not to be, so that anywhere else is allowed"
)
