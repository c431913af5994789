"""Spec and placement to the Kubernetes objects that honour them. Pure."""

from typing import Final

from portway.bundle import runtime_digest
from portway.errors import Refused
from portway.metering import limits_of_use
from portway.models import Model, identity_of_weights
from portway.options import read_options
from portway.spec import InferenceServiceSpec
from portway.target import Placement
from portway.targets.kubernetes import refusals
from portway.targets.kubernetes.network import endpoint
from portway.targets.kubernetes.nodes import default_node
from portway.targets.kubernetes.notes import notes
from portway.targets.kubernetes.objects import objects
from portway.targets.kubernetes.options import KubernetesOptions
from portway.targets.kubernetes.runtime_container import RUNTIME_PORT
from portway.targets.kubernetes.service import Service
from portway.targets.kubernetes.shapes import KubernetesPlan
from portway.targets.kubernetes.timing import startup_seconds

TARGET_NAME: Final = "kubernetes"


def plan(spec: InferenceServiceSpec, model: Model, placement: Placement) -> KubernetesPlan:
    """The objects of the service in its cluster.

    Raises:
        Refused: the cluster cannot honour the spec at this placement; lists every reason.
    """
    options, problems = read_options(KubernetesOptions, placement)
    reasons = [*problems, *refusals.of_placement(spec, model, placement)]
    if options is not None:
        reasons += refusals.of_options(spec, model, placement, options)
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
    claim = service.claim
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
        meter=limits_of_use(spec),
        cluster=cluster,
        flavour=service.flavour,
        namespace=service.namespace,
        name=service.name,
        node=service.node,
        node_usd_per_hour=options.node_usd_per_hour,
        spot=options.spot,
        gpu=claim.gpu,
        cluster_version=options.cluster_version,
        gpus_per_replica=claim.count * claim.pods,
        surge=options.surge,
        nodes_per_replica=claim.pods,
        replicas_per_node=claim.pods_per_node,
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
        notes=tuple(notes(service)),
    )
