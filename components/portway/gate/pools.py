"""Pools of machines: how many run whatever happens, and whether anything may ever stop them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from portway.gate.capacity import gpus, maximum, reading
from portway.gate.counts import Count, Uncounted
from portway.gate.resource import Resource, Stack
from portway.gate.rows import is_refused
from portway.gate.values import Known, Missing, Unknown
from portway.target import ResourceFacts


@dataclass(frozen=True)
class Shape:
    """Where one type of pool says its sizes.

    Attributes:
        scaling: path of the block that makes it scale; "" where every pool of the type does.
        least: paths of the fewest machines; left out, that is none.
        most: paths of the most machines.
        fixed: paths of the number that runs where nothing scales the pool.
        zones: paths of the zones in each of which a number per zone counts.
        prepaid: by path, the values with which its machines are paid for whether they run or not.
        spot: by path, the values with which its machines are spare ones, sold cheaper.
        taints: path of the taints of its machines; "" where the type has none.
    """

    least: tuple[str, ...]
    most: tuple[str, ...]
    scaling: str = ""
    fixed: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    prepaid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    spot: Mapping[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    taints: str = ""


GKE: Final = "gcp:container/nodePool:NodePool"
EKS: Final = "aws:eks/nodeGroup:NodeGroup"
SHAPES: Final[Mapping[str, Shape]] = {
    GKE: Shape(
        scaling="autoscaling",
        least=("autoscaling.minNodeCount", "autoscaling.totalMinNodeCount"),
        most=("autoscaling.maxNodeCount", "autoscaling.totalMaxNodeCount"),
        fixed=("nodeCount", "initialNodeCount"),
        zones=("nodeLocations[]",),
        prepaid={
            "nodeConfig.reservationAffinity.consumeReservationType": ("SPECIFIC_RESERVATION",)
        },
        spot={
            "nodeConfig.spot": (True,),
            "nodeConfig.preemptible": (True,),
            "nodeConfig.flexStart": (True,),
            "queuedProvisioning.enabled": (True,),
        },
        taints="nodeConfig.taints",
    ),
    EKS: Shape(
        least=("scalingConfig.minSize",),
        most=("scalingConfig.maxSize",),
        prepaid={"capacityType": ("CAPACITY_BLOCK",)},
        spot={"capacityType": ("SPOT",)},
        taints="taints",
    ),
    "aws:autoscaling/group:Group": Shape(
        least=("minSize",),
        most=("maxSize",),
        prepaid={
            "capacityReservationSpecification.capacityReservationPreference": (
                "capacity-reservations-only",
            )
        },
        spot={
            "mixedInstancesPolicy.instancesDistribution.onDemandPercentageAboveBaseCapacity": (0,)
        },
    ),
}


@dataclass(frozen=True)
class Floor:
    """The fewest machines of a pool, at all times.

    Attributes:
        path: the property that says so.
        places: in how many zones the number at ``path`` counts; 1 where it counts once.
        is_fixed: nothing ever stops one of them.
    """

    machines: int
    path: str
    places: int = 1
    is_fixed: bool = False


def floor(resource: Resource, shape: Shape) -> Floor | Uncounted:
    """The fewest machines of ``resource``; why they cannot be counted, where they cannot."""
    if shape.scaling:
        block = resource.properties.get(shape.scaling)
        if isinstance(block, Unknown):
            return Uncounted(block.path, f"{block.path} is known only after deployment")
        if isinstance(block, Missing):
            return _floor(resource, shape, shape.fixed, is_fixed=True)
    least = _floor(resource, shape, shape.least, is_fixed=False)
    if isinstance(least, Uncounted):
        return Floor(0, least.path) if least.is_missing else least
    most = maximum(resource, _facts(shape, shape.most))
    never_shrinks = isinstance(most, Count) and most.value <= least.machines
    return Floor(least.machines, least.path, least.places, never_shrinks)


def has_maximum(resource: Resource, shape: Shape) -> bool:
    """Whether a pool that scales says how far, or may say so once that is known."""
    most = maximum(resource, _facts(shape, shape.most))
    return not (isinstance(most, Uncounted) and most.is_missing)


def gpus_of_one(resource: Resource, stack: Stack | None) -> Count | Uncounted:
    """The GPUs of one machine of the pool; templates are read once the whole stack is known."""
    return gpus(resource, reading(resource).facts, stack)


def says(resource: Resource, values: Mapping[str, tuple[Any, ...]]) -> bool:
    """Whether ``resource`` has one of ``values`` at one of their paths."""
    return any(
        isinstance(seen, Known) and is_refused(seen.value, wanted, ())
        for path, wanted in values.items()
        for seen in resource.properties.every(path)
    )


def _floor(
    resource: Resource, shape: Shape, paths: tuple[str, ...], *, is_fixed: bool
) -> Floor | Uncounted:
    whole = maximum(resource, _facts(shape, paths))
    if isinstance(whole, Uncounted):
        return whole
    said = resource.properties.get(whole.path)
    each = int(str(said.value)) if isinstance(said, Known) and str(said.value).isdigit() else 0
    return Floor(whole.value, whole.path, whole.value // each if each else 1, is_fixed)


def _facts(shape: Shape, paths: tuple[str, ...]) -> ResourceFacts:
    return ResourceFacts(maximum=paths[0], maximum_also=paths[1:], replicas=shape.zones)
