"""What a reader of the plan must know beside its figures. Pure."""

from collections.abc import Iterator
from typing import Final

from portway.models.fit import vram_needed_gb
from portway.targets.kubernetes import weights
from portway.targets.kubernetes.meter import DISK_GIB, meter_of
from portway.targets.kubernetes.nodes import nodes, regions
from portway.targets.kubernetes.service import Service
from portway.targets.kubernetes.timing import grace_seconds

SPOT_NOTICE_SECONDS: Final = {"gke": 25, "eks": 120, "plain": 0}
"""How long a pod has when its spot node is taken back (GKE: Spot VMs, graceful node shutdown; EC2:
Spot Instance interruption notices)."""

L4: Final = "nvidia-l4"


def notes(service: Service) -> Iterator[str]:
    """Every sentence, most important first."""
    yield from _node_notes(service)
    yield from weights.notes(service)
    yield from _room_notes(service)
    yield from _gap_notes(service)
    yield from _scaling_notes(service)
    yield from way_in_notes(service)
    if meter_of(service) is not None:
        yield (
            f"the meter's counts are kept on a disk of {DISK_GIB} GiB that is deleted with the stack, by "
            "one small pod that runs on a node without GPU where there is one; while it moves to another "
            f"node the service {_away(service)}"
        )
    yield _gpus_at_most(service)


def _node_notes(service: Service) -> Iterator[str]:
    sold = regions().get(service.flavour, {}).get(service.region)
    is_sold = sold == "open" and service.claim.gpu == L4
    if service.flavour != "plain" and not is_sold:
        yield (
            f"{service.region} is not confirmed to sell {service.node}; pods stay pending in a "
            "cluster without such nodes"
        )
    if service.node not in nodes():
        which = "an L4 (24 GB)" if service.claim.gpu == L4 else f"an {service.claim.gpu}"
        yield f"any node with a free GPU is taken; the plan assumes one with the memory of {which}"


def _room_notes(service: Service) -> Iterator[str]:
    spec, model, claim = service.spec, service.model, service.claim
    together = vram_needed_gb(model, model.context_tokens, spec.scaling.concurrency)
    if together > claim.usable_gb:
        lent = "one L4 lends" if claim.device.name == L4 and claim.count * claim.pods == 1 else "a replica lends"  # fmt: skip
        yield (
            f"{spec.scaling.concurrency} requests of {model.context_tokens} tokens each need "
            f"{together:.1f} GB and {lent} {claim.usable_gb:.1f} GB: long requests wait for one "
            "another, short ones do not"
        )
    if claim.sharers > 1:
        yield (
            f"{claim.sharers} pods take turns on one GPU: nothing keeps another pod's memory or time from "
            "being taken, and each is as much slower as the others are busy; the estimate counts a whole "
            "GPU's speed"
        )
    if claim.partition is not None:
        yield (
            f"a {claim.partition} partition reads and computes more slowly than the whole GPU; the estimate "
            "counts a whole GPU's speed"
        )
    if claim.pods_per_node > 1:
        yield (
            f"a node holds {claim.pods_per_node} such pods, and is paid for as soon as it holds one"
        )


def _gap_notes(service: Service) -> Iterator[str]:
    spec, options = service.spec, service.options
    if spec.scaling.min <= 1 and not service.uses_keda:
        yield from _gaps_of_one(service)
    if options.surge:
        yield (
            f"a rollout adds up to {options.surge} of the new version before it takes the old ones away: it "
            f"needs GPUs for {spec.scaling.max + options.surge} replicas, and waits where they are not free; "
            "the ceiling counts them all month"
        )
    notice = SPOT_NOTICE_SECONDS[service.flavour]
    if options.spot and grace_seconds(spec) > notice:
        yield (
            f"a spot node is taken back with {notice} s of notice; requests that run longer "
            f"(timeout_seconds is {spec.timeout_seconds}) are cut off then"
        )
    if service.is_group:
        yield (
            f"one replica is {options.nodes} pods on {options.nodes} nodes, and all of them start anew when "
            "one fails; between the nodes every token crosses the network"
        )


def _gaps_of_one(service: Service) -> Iterator[str]:
    """One pod may be all there is, also where an autoscaler could add more."""
    gap = f"a gap of up to {service.ready_within_seconds} s"
    if service.options.surge:
        yield f"with one replica every node drain is {gap}: the next one starts when it is gone"
        return
    yield (
        f"with one replica every rollout and every node drain is {gap}, because a second one would need a "
        "second GPU; options.surge: 1 says that the cluster has one for rollouts"
    )


def _away(service: Service) -> str:
    meter = meter_of(service)
    refuses = meter is not None and meter.away == "refuse"
    return "refuses requests" if refuses else "answers without counting"


def _scaling_notes(service: Service) -> Iterator[str]:
    chosen = service.options.autoscale
    if service.uses_keda:
        yield (
            f"needs KEDA and its HTTP add-on 0.14 or newer in the namespace "
            f"{service.options.keda_namespace}; requests must arrive through its interceptor"
        )
    if chosen is not None:
        reader = (
            "a Prometheus"
            if chosen.by == "keda"
            else "the adapter that serves custom.metrics.k8s.io"
        )
        yield (
            f"between min and max the number of pods follows vLLM's metrics, which {reader} must read from "
            "port 8000 of every pod"
        )
    elif service.is_autoscaled and not service.uses_keda:
        yield (
            "between min and max the number of pods follows the CPU of the runtime's container, which "
            "needs metrics-server; it grows with requests, but is no queue length"
        )
    if service.options.kueue is not None:
        yield (
            f"pods start when the ClusterQueue {service.options.kueue.cluster_queue} admits them; "
            "a deployment waits for it"
        )


def way_in_notes(service: Service) -> Iterator[str]:
    """What must be there for clients to come in."""
    gateway, pool = service.options.gateway, service.options.inference_pool
    if gateway is not None:
        yield (
            f"the Gateway {gateway.namespace}/{gateway.name} must serve {gateway.host} by https and admit "
            f"routes of the namespace {service.namespace}"
        )
    if pool is not None:
        yield (
            f"the Service {pool.picker} and its pods (label app: {pool.picker}) are yours to put into the "
            f"namespace {service.namespace}, which denies all traffic that no policy of yours admits; it "
            "reads vLLM's metrics from port 8000 of every pod"
        )


def _gpus_at_most(service: Service) -> str:
    most, claim = service.spec.scaling.max, service.claim
    each = claim.count * claim.pods
    what = "GPUs" if claim.partition is None and claim.sharers == 1 else "slices of GPUs"
    more = service.options.surge
    count = -(-(most + more) * claim.pods // claim.pods_per_node)
    rollout = f", {(most + more) * each} during a rollout" if more else ""
    return (
        f"{what} used at most: {most * each}{rollout} (nodes: {count} of "
        f"{service.node or 'any GPU type'}); the cluster's node pool must allow as many"
    )
