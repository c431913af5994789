"""What is billed of a plan for Kubernetes: nodes, the cluster's fee, load balancers and traffic."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, cast

from portway.pricing.meter import Fixed, Held, Meter, NoCharge, Part, PerUse
from portway.pricing.money import CURRENCY, HOURS_PER_MONTH, SECONDS_PER_MONTH
from portway.pricing.rate import Grade, Rate, Tier
from portway.target import Plan
from portway.targets.kubernetes.nodes import shape_of
from portway.targets.kubernetes.shapes import ClusterPlan, KubernetesDoorPlan, KubernetesPlan

POD_IDLE_SECONDS: Final = 600
NODE_IDLE_SECONDS: Final = 600
"""How long our scalers keep an idle pod, and the cluster autoscaler an empty node by default."""

START_SECONDS: Final = 433
"""Llama 3.1 8B with vLLM on one L4, weights from the hub (accelerated-platforms, Google's docs)."""

NODE_DISK_GIB: Final = Decimal(100)
"""GKE's default boot disk of a node, pd-balanced."""

GKE_DEFAULT_CLASS: Final = "standard-rwo"
"""The class of GKE's clusters where none is named: balanced persistent disks (Persistent volumes)."""

GIB: Final = Decimal(1024**3)
LOG_BYTES: Final = 600
ANSWER_BYTES: Final = 600
TOKEN_BYTES: Final = 255
"""One streamed chunk: five bytes of text in a frame of server-sent events."""

WORKLOADS: Final = ("deployment", "group")
_BILLED: Final = frozenset(
    {*WORKLOADS, "service", "meter", "meter-volume", "weights-volume", "weights-loader"}
)
_SPARE: Final = "it has room on the nodes that the cluster has anyway"
_IN_CLUSTER: Final = "an object of the cluster's API, billed with its control plane"


def meters(plan: Plan) -> tuple[Meter, ...]:
    """Every meter of ``plan``; what costs nothing says why.

    Raises:
        TypeError: it is another target's plan.
    """
    if isinstance(plan, KubernetesDoorPlan):
        return (*_proxy(plan), *_traffic(plan), *_beside(plan))
    if not isinstance(plan, KubernetesPlan):
        raise TypeError(f"{plan.target} has meters of its own")
    return (_nodes(plan), _cluster(plan), *_traffic(plan), *_volume(plan), *_beside(plan))


def _proxy(plan: KubernetesDoorPlan) -> Iterator[Meter]:
    """Pods that need no GPU: their nodes, and the cluster, are billed with what else runs there."""
    yield Held(
        "deployment", plan.region, (), 0, plan.max_replicas, plan.concurrency, hold_seconds=0,
        start_seconds=1, served_by="door", shape=f"at most {plan.max_replicas} without a GPU; {_SPARE}",
    )  # fmt: skip
    yield NoCharge("deployment", "pods", _SPARE)
    yield NoCharge("cluster", "control plane", "billed with the services of the cluster")


def node_sku(node: str | None, term: str) -> str:
    """The SKU of one machine; ``term``: ``on-demand``, ``spot``, ``1-year`` or ``3-years``."""
    return f"node:{node or 'unknown'}:{term}".lower()


def _nodes(plan: KubernetesPlan) -> Held:
    term = "spot" if plan.spot else "on-demand"
    declared = None if plan.node_usd_per_hour is None else _declared(plan, plan.node_usd_per_hour)
    sku = node_sku(plan.node, term)
    machines, packed = plan.nodes_per_replica, plan.replicas_per_node
    machine = Part("node", sku, Decimal(machines), per_seconds=3600, declared=declared)
    disks = NODE_DISK_GIB * machines
    disk = Part("node disk", "node-disk", disks, per_seconds=int(SECONDS_PER_MONTH))
    has_disk = plan.flavour == "gke"
    beside = f"{NODE_DISK_GIB} GiB of disk" if has_disk else "disks not counted: the cluster's own"
    return Held(
        resource=WORKLOADS[machines > 1],
        region=plan.region,
        parts=(machine, disk) if has_disk else (machine,),
        least=-(-plan.min_replicas // packed),
        most=-(-plan.max_replicas // packed),
        beside=-(-(plan.max_replicas + plan.surge) // packed) - -(-plan.max_replicas // packed),
        concurrency=plan.concurrency * packed,
        hold_seconds=POD_IDLE_SECONDS + NODE_IDLE_SECONDS,
        start_seconds=START_SECONDS,
        served_by=plan.gpu,
        shape=_shape(plan, term, beside),
    )


def _shape(plan: KubernetesPlan, term: str, beside: str) -> str:
    """The machines in words."""
    machines, packed = plan.nodes_per_replica, plan.replicas_per_node
    fewest, most = -(-plan.min_replicas // packed), -(-plan.max_replicas // packed)
    gpus = f"{shape_of(plan.node).gpus} {plan.gpu}"
    if packed > 1:
        gpus += f" for {packed} replicas"
    several = f", {machines} of them for each replica" if machines > 1 else ""
    if plan.surge:
        more = -(-(plan.max_replicas + plan.surge) // packed)
        several += f", {more * machines} while a new version rolls out"
    return (
        f"{fewest * machines} to {most * machines} nodes of {plan.node or 'an unnamed type'}, "
        f"{term}, each with {gpus}{several}; {beside}"
    )


def _declared(plan: KubernetesPlan, amount: Decimal) -> Rate:
    return Rate(
        sku=node_sku(plan.node, "declared"),
        region=plan.region,
        unit="hour",
        tiers=(Tier(None, amount),),
        source=f"placement.options.node_usd_per_hour, in {CURRENCY}",
        as_of=None,
        grade=Grade.DECLARED,
    )


def _cluster(plan: KubernetesPlan) -> Meter:
    if plan.flavour == "plain":
        return NoCharge("cluster", "control plane", "a cluster of yours; node_usd_per_hour is all")
    return Fixed(
        "cluster", "control plane", f"{plan.flavour}:cluster", plan.region, HOURS_PER_MONTH,
        assumed="the whole fee of the cluster is counted, whatever else runs in it",
    )  # fmt: skip


def _traffic(plan: ClusterPlan) -> Iterator[Meter]:
    most = plan.max_replicas * plan.concurrency
    answer = ANSWER_BYTES / GIB, TOKEN_BYTES / GIB
    if not _is_balanced(plan):
        yield NoCharge("service", "address", "reached inside the cluster; no load balancer is made")
    elif plan.flavour == "gke":
        yield Fixed(
            "service", "forwarding rule", "gke:forwarding-rule", plan.region, HOURS_PER_MONTH
        )
        yield PerUse(
            "service", "balanced traffic", "gke:balanced-traffic", plan.region, answer[0], most,
            units_per_output_token=answer[1],
        )  # fmt: skip
    elif plan.flavour == "eks":
        yield Fixed("service", "load balancer", "eks:load-balancer", plan.region, HOURS_PER_MONTH)
        yield Fixed(
            "service", "balancer units", "eks:balancer-units", plan.region, HOURS_PER_MONTH,
            assumed="the load balancer uses one capacity unit all month",
        )  # fmt: skip
    else:
        yield NoCharge("service", "load balancer", "a cluster of yours; its balancer is yours too")
    if plan.flavour == "plain":
        yield NoCharge("service", "egress", "a cluster of yours; its traffic is in no price list")
        yield NoCharge("service", "logs", "they stay in your cluster")
        return
    yield PerUse(
        "service", "egress", f"{plan.flavour}:egress", plan.region, answer[0], most,
        units_per_output_token=answer[1],
        assumed=f"an answer leaves the cloud's network with {ANSWER_BYTES} bytes, and {TOKEN_BYTES} "
        "for each output token",
    )  # fmt: skip
    if plan.flavour == "gke":
        yield PerUse(
            "service", "logs", "gke:logs", plan.region, LOG_BYTES / GIB, most,
            assumed=f"one line of {LOG_BYTES} bytes is logged for each request",
        )  # fmt: skip
    else:
        yield NoCharge("service", "logs", "they stay on the node unless the cluster ships them")


def _volume(plan: KubernetesPlan) -> Iterator[Meter]:
    if "meter-volume" in plan.objects:
        yield NoCharge("meter-keys", "random value", "it exists in the stack's state only")
        yield NoCharge("meter", "pod", _SPARE)
        yield _disk(plan, "meter-volume")
    if "weights-volume" in plan.objects:
        yield NoCharge("weights-loader", "pod", _SPARE)
        yield _disk(plan, "weights-volume")


def _disk(plan: KubernetesPlan, role: str) -> Meter:
    """A disk of the size that its claim asks for; a class is known by its vendor's own name."""
    if plan.flavour == "plain":
        return NoCharge(role, "disk", "a cluster of yours; its disks are yours too")
    claim = cast("dict[str, Any]", plan.objects[role]["spec"])
    size = str(claim["resources"]["requests"]["storage"]).removesuffix("Gi")
    is_gke = plan.flavour == "gke"
    return Fixed(
        role, "disk", _disk_sku(plan, claim.get("storageClassName")), plan.region, Decimal(size),
        assumed="disks of a cluster's default class cost what its nodes' own disks do"
        if is_gke else "",
    )  # fmt: skip


def _disk_sku(plan: KubernetesPlan, chosen: str | None) -> str:
    if plan.flavour == "gke" and chosen in (None, GKE_DEFAULT_CLASS):
        return "node-disk"
    return f"{plan.flavour}:disk:{chosen}"


def _beside(plan: ClusterPlan) -> Iterator[Meter]:
    for role in plan.objects:
        if role not in _BILLED:
            yield NoCharge(role, "object", _IN_CLUSTER)
    for key in plan.keys:
        yield NoCharge(f"key-{key}", "random value", "it exists in the stack's state only")


def _is_balanced(plan: ClusterPlan) -> bool:
    spec = plan.objects["service"]["spec"]
    return isinstance(spec, dict) and spec.get("type") == "LoadBalancer"
