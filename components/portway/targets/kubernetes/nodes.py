"""GPU machines and where they are sold, read from the tables beside this file."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from portway.spec import Frozen
from portway.targets.kubernetes.options import Flavour


class Node(Frozen):
    """A machine type with GPUs.

    Attributes:
        flavour: whose clusters have it.
        gpu: model of its GPUs, as Google names it.
        gpus: how many it has.
        vcpu: of the machine.
        memory_gib: of the machine.
        engine_cpu: CPU request of the model container, in Kubernetes' unit.
        engine_memory: memory request and limit of the model container.
    """

    flavour: Flavour
    gpu: str
    gpus: int = 1
    vcpu: int
    memory_gib: int
    engine_cpu: str
    engine_memory: str


@cache
def nodes() -> Mapping[str, Node]:
    """Every known machine type."""
    return {name: Node.model_validate(row) for name, row in _table("nodes.json")["nodes"].items()}


def default_node(flavour: Flavour) -> str | None:
    """The machine type of a flavour when a placement names none; None where there is no such thing."""
    found: str | None = _table("nodes.json")["defaults"][flavour]
    return found


def shape_of(node: str | None) -> Node:
    """The shape that pods are made for; the smallest one for nodes that are not known."""
    known = nodes().get(node or "")
    return known or Node.model_validate(_table("nodes.json")["unknown_node"])


@cache
def regions() -> Mapping[Flavour, Mapping[str, str]]:
    """Regions whose clusters can have L4 nodes by flavour, each ``open`` or ``unverified``."""
    found: dict[Flavour, dict[str, str]] = _table("regions.json")["regions"]
    return found


def flavour_of(region: str) -> Flavour | None:
    """Whose region it is, among those with L4 nodes."""
    return next((flavour for flavour, sold in regions().items() if region in sold), None)


@cache
def _table(name: str) -> dict[str, Any]:
    text = files("portway.targets.kubernetes").joinpath(name).read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table
