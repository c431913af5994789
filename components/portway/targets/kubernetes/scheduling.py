"""Which nodes a pod may run on: in the region, of the machine type, spot or not. Pure."""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from portway.targets.kubernetes.nodes import shape_of
from portway.targets.kubernetes.options import Flavour
from portway.targets.kubernetes.shapes import Object

GPU: Final = "nvidia.com/gpu"


def spread(key: str, selector: Mapping[str, str]) -> Object:
    """Spread replicas over ``key``, where there is a choice."""
    # DoNotSchedule would leave a pod pending for ever where only one zone has GPUs.
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(selector)},
        "matchLabelKeys": ["pod-template-hash"],
    }


def node_affinity(region: str, flavour: Flavour, node: str | None, *, spot: bool) -> Object:
    """The nodes that count at all. Terms are alternatives, so that each one names the region."""
    always = [_in("topology.kubernetes.io/region", region)]
    if node is not None:
        always.append(_in("node.kubernetes.io/instance-type", node))
    terms = [[*always, *capacity] for capacity in _capacity(flavour, spot=spot)]
    alternatives: list[JsonValue] = [{"matchExpressions": list(term)} for term in terms]
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": alternatives}}


def beside_gpus(region: str, node: str | None) -> Object:
    """Nodes of the region, and rather not those with GPUs: a pod there would keep one from going away.

    Nothing here tolerates a taint of GPU nodes. Where those are tainted the cluster has others, for DNS
    needs them; where they are not, a pod without GPU may run on them.
    """
    terms: list[JsonValue] = [{"matchExpressions": [_in("topology.kubernetes.io/region", region)]}]
    wanted: Object = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}
    }
    if node is None:
        return wanted
    others: Object = {"matchExpressions": [_not_in("node.kubernetes.io/instance-type", node)]}
    preference: list[JsonValue] = [{"weight": 100, "preference": others}]
    return {**wanted, "preferredDuringSchedulingIgnoredDuringExecution": preference}


def _capacity(flavour: Flavour, *, spot: bool) -> list[list[Object]]:
    """Which nodes are spot nodes: alternatives of expressions that hold together."""
    if flavour == "gke":
        key = "cloud.google.com/gke-spot"
        return [[_in(key, "true")] if spot else [_not_in(key, "true")]]
    if flavour == "eks":
        managed, karpenter = "eks.amazonaws.com/capacityType", "karpenter.sh/capacity-type"
        if spot:
            return [[_in(managed, "SPOT")], [_in(karpenter, "spot")]]
        return [[_not_in(managed, "SPOT"), _not_in(karpenter, "spot")]]
    return [[]]


def _in(key: str, value: str) -> Object:
    return {"key": key, "operator": "In", "values": [value]}


def _not_in(key: str, value: str) -> Object:
    # holds as well where the label is absent
    return {"key": key, "operator": "NotIn", "values": [value]}


def node_selector(flavour: Flavour, node: str | None, *, spot: bool) -> Object:
    """What GKE's node auto-provisioning reads; other clusters need the affinity only."""
    if flavour != "gke":
        return {}
    labels: Object = {"cloud.google.com/gke-accelerator": shape_of(node).gpu}
    if spot:
        labels["cloud.google.com/gke-spot"] = "true"
    return {"nodeSelector": labels}


def tolerations(flavour: Flavour, *, spot: bool) -> list[JsonValue]:
    """The taints of GPU nodes, and of spot nodes where those are wanted."""
    gpu: Object = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
    if not (spot and flavour == "gke"):
        return [gpu]
    return [
        gpu,
        {
            "key": "cloud.google.com/gke-spot",
            "operator": "Equal",
            "value": "true",
            "effect": "NoSchedule",
        },
    ]
