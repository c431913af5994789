"""Spec and placement to the Kubernetes objects that honour them. Pure."""

from collections.abc import Iterator
from typing import Final

from portway.bundle import runtime_digest
from portway.errors import Refused
from portway.models import Model, identity_of_weights
from portway.models.fit import L4, vram_needed_gb
from portway.options import read_options
from portway.spec import InferenceServiceSpec
from portway.target import Placement
from portway.targets.kubernetes import refusals
from portway.targets.kubernetes.meter import DISK_GIB, meter_of
from portway.targets.kubernetes.network import endpoint
from portway.targets.kubernetes.nodes import default_node, nodes, regions, shape_of
from portway.targets.kubernetes.objects import objects
from portway.targets.kubernetes.options import KubernetesOptions
from portway.targets.kubernetes.pod import RUNTIME_PORT, grace_seconds, startup_seconds
from portway.targets.kubernetes.service import Service
from portway.targets.kubernetes.shapes import KubernetesPlan

TARGET_NAME: Final = "kubernetes"

SPOT_NOTICE_SECONDS: Final = {"gke": 25, "eks": 120, "plain": 0}
"""How long a pod has when its spot node is taken back (GKE: Spot VMs, graceful node shutdown; EC2:
Spot Instance interruption notices)."""


def plan(spec: InferenceServiceSpec, model: Model, placement: Placement) -> KubernetesPlan:
    """The objects of the service in its cluster.

    Raises:
        Refused: the cluster cannot honour the spec at this placement; lists every reason.
    """
    options, problems = read_options(KubernetesOptions, placement)
    reasons = [*problems, *refusals.of_placement(spec, model, placement)]
    if options is not None:
        reasons += refusals.of_options(spec, placement, options)
    flavour = None if options is None else refusals.flavour(placement, options)
    if reasons or options is None or flavour is None or placement.cluster is None:
        raise Refused(TARGET_NAME, reasons)
    service = Service(
        spec=spec,
        model=model,
        environment=placement.environment,
        region=placement.region,
        flavour=flavour,
        node=options.node or default_node(flavour),
        options=options,
        code_sha256=runtime_digest(),
    )
    return _plan(service, placement, placement.cluster)


def _plan(service: Service, placement: Placement, cluster: str) -> KubernetesPlan:
    spec, model, options = service.spec, service.model, service.options
    return KubernetesPlan(
        target=TARGET_NAME,
        service=spec.name,
        environment=placement.environment,
        region=placement.region,
        model=model.id,
        model_identity=identity_of_weights(model),
        boundary=spec.residency,
        monthly_budget_usd=None if spec.budget is None else spec.budget.monthly_usd,
        auth=spec.access.auth,
        keys=placement.keys,
        meter=meter_of(service),
        cluster=cluster,
        flavour=service.flavour,
        namespace=service.namespace,
        name=service.name,
        node=service.node,
        node_usd_per_hour=options.node_usd_per_hour,
        spot=options.spot,
        gpu=shape_of(service.node).gpu,
        gpus_per_replica=1,
        min_replicas=spec.scaling.min,
        max_replicas=spec.scaling.max,
        concurrency=spec.scaling.concurrency,
        context_tokens=model.context_tokens,
        startup_seconds=startup_seconds(model),
        ready_within_seconds=service.ready_within_seconds,
        code_sha256=service.code_sha256,
        known_endpoint=endpoint(service),
        port=RUNTIME_PORT,
        objects=objects(service),
        notes=tuple(_notes(service)),
    )


def _notes(service: Service) -> Iterator[str]:
    spec, model, options = service.spec, service.model, service.options
    sold = regions().get(service.flavour, {}).get(service.region)
    if service.flavour != "plain" and sold != "open":
        yield (
            f"{service.region} is not confirmed to sell {service.node}; pods stay pending in a "
            "cluster without such nodes"
        )
    if service.node not in nodes():
        yield (
            "any node with a free GPU is taken; the plan assumes one with the memory of an L4 (24 GB)"
        )
    if spec.residency and options.weights_mirror is None:
        yield (
            "weights come from the Hugging Face hub, so pods may reach every public address on port "
            "443, and the residency pack advises against that; name a mirror (options.weights_mirror and "
            "options.weights_networks)"
        )
    together = vram_needed_gb(model, model.context_tokens, spec.scaling.concurrency)
    if together > L4.usable_gb:
        yield (
            f"{spec.scaling.concurrency} requests of {model.context_tokens} tokens each need "
            f"{together:.1f} GB and one L4 lends {L4.usable_gb:.1f} GB: long requests wait for one "
            "another, short ones do not"
        )
    if spec.scaling.max == 1:
        yield (
            "with one replica every rollout and every node drain is a gap of up to "
            f"{service.ready_within_seconds} s, because a second one would need a second GPU"
        )
    notice = SPOT_NOTICE_SECONDS[service.flavour]
    if options.spot and grace_seconds(spec) > notice:
        yield (
            f"a spot node is taken back with {notice} s of notice; requests that run longer "
            f"(timeout_seconds is {spec.timeout_seconds}) are cut off then"
        )
    yield from _scaling_notes(service)
    if meter_of(service) is not None:
        yield (
            f"the meter's counts are kept on a disk of {DISK_GIB} GiB that is deleted with the stack, by "
            "one small pod that runs on a node without GPU where there is one; while it moves to another "
            f"node the service {_away(service)}"
        )
    yield (
        f"GPUs used at most: {spec.scaling.max} (nodes: {spec.scaling.max} of "
        f"{service.node or 'any GPU type'}); the cluster's node pool must allow as many"
    )


def _away(service: Service) -> str:
    meter = meter_of(service)
    refuses = meter is not None and meter.away == "refuse"
    return "refuses requests" if refuses else "answers without counting"


def _scaling_notes(service: Service) -> Iterator[str]:
    if service.uses_keda:
        yield (
            f"needs KEDA and its HTTP add-on 0.14 or newer in the namespace "
            f"{service.options.keda_namespace}; requests must arrive through its interceptor"
        )
    elif service.is_autoscaled:
        yield (
            "between min and max the number of pods follows the CPU of the runtime's container, which "
            "needs metrics-server; it grows with requests, but is no queue length"
        )
