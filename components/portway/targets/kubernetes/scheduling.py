"""Which nodes a pod may run on: in the region, of the machine type, spot or not. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from portway.targets.kubernetes.choices import TolerationOption
from portway.targets.kubernetes.gpus import WHOLE, Claim
from portway.targets.kubernetes.options import Flavour, KubernetesOptions
from portway.targets.kubernetes.shapes import Object

GPU: Final = WHOLE
"""Also the taint of nodes with GPUs."""


def spread(key: str, selector: Mapping[str, JsonValue], *, by_template: bool) -> Object:
    """Spread replicas over ``key``, where there is a choice.

    ``by_template``: pods of an older template do not count; a Deployment labels its pods so.
    """
    # DoNotSchedule would leave a pod pending for ever where only one zone has GPUs.
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(selector)},
        **({"matchLabelKeys": ["pod-template-hash"]} if by_template else {}),
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


def node_selector(flavour: Flavour, claim: Claim, *, spot: bool) -> Object:
    """What GKE's node auto-provisioning reads, and how its GPUs are cut; others need the affinity only."""
    if flavour != "gke":
        return {}
    labels: Object = {"cloud.google.com/gke-accelerator": claim.gpu}
    if claim.partition is not None:
        labels["cloud.google.com/gke-gpu-partition-size"] = claim.partition
    if claim.sharers > 1:
        labels["cloud.google.com/gke-gpu-sharing-strategy"] = "time-sharing"
        labels["cloud.google.com/gke-max-shared-clients-per-gpu"] = str(claim.sharers)
    if spot:
        labels["cloud.google.com/gke-spot"] = "true"
    return {"nodeSelector": labels}


def tolerations(
    flavour: Flavour, declared: Sequence[TolerationOption], *, spot: bool
) -> list[JsonValue]:
    """The taints of GPU nodes, of spot nodes where those are wanted, and those that were declared."""
    found: list[JsonValue] = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    if spot and flavour == "gke":
        found.append(_borne("cloud.google.com/gke-spot", "true", "NoSchedule"))
    return [*found, *(_borne(one.key, one.value, one.effect) for one in declared)]


def _borne(key: str, value: str | None, effect: str) -> Object:
    if value is None:
        return {"key": key, "operator": "Exists", "effect": effect}
    return {"key": key, "operator": "Equal", "value": value, "effect": effect}


def priority_name(options: KubernetesOptions, name: str) -> Object:
    """The pod's PriorityClass; a value can never change, so that its name carries it."""
    if options.priority is not None:
        return {"priorityClassName": f"{name}-{options.priority}"}
    return {} if options.priority_class is None else {"priorityClassName": options.priority_class}
