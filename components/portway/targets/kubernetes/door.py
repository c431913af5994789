"""A front door on Kubernetes: our own runtime as a reverse proxy in any cluster, without a GPU. Pure."""

from collections.abc import Iterator
from typing import Final

from portway.bundle import runtime_digest
from portway.doors import access_refusals, concurrency_refusals, identities, most_requests
from portway.errors import Problem, Refused
from portway.models import Model
from portway.options import read_options
from portway.spec import InferenceServiceSpec
from portway.target import DoorKind, DoorPlacement, End, Placement
from portway.targets.kubernetes import door_objects, refused_traffic
from portway.targets.kubernetes.abilities import missing_abilities
from portway.targets.kubernetes.door_options import MAX_CONCURRENCY, KubernetesDoorOptions
from portway.targets.kubernetes.network import endpoint
from portway.targets.kubernetes.nodes import flavour_of, regions
from portway.targets.kubernetes.notes import way_in_notes
from portway.targets.kubernetes.options import Flavour
from portway.targets.kubernetes.refusals import RESERVED_NAMESPACES
from portway.targets.kubernetes.refused_weights import no_networks
from portway.targets.kubernetes.runtime_container import CPU, MEMORY, RUNTIME_PORT
from portway.targets.kubernetes.service import Service
from portway.targets.kubernetes.shapes import KubernetesDoorPlan

KIND: Final = "kubernetes"
SYNC_SECONDS: Final = 90
"""How long a kubelet may take to write a changed Secret into running pods (Kubernetes: Secrets, mounted
Secrets are updated automatically; its sync period is 60 s and jitters by half)."""


def plan(spec: InferenceServiceSpec, model: Model, placement: Placement) -> KubernetesDoorPlan:
    """The door's namespace, pods, secrets, policies and the way in.

    Raises:
        Refused: this kind of door cannot do what is asked; lists every reason.
    """
    door = placement.door
    if door is None:
        raise TypeError("a placement without a door has no plan for one")
    options, problems = read_options(KubernetesDoorOptions, placement)
    reasons = [*problems, *_of_placement(spec, placement, door)]
    flavour = None if options is None else options.flavour or flavour_of(placement.region)
    if options is not None:
        reasons += [*_of_options(spec, options), *_of_cluster(spec, placement, options, flavour)]
    if reasons or options is None or flavour is None or placement.cluster is None:
        raise Refused(KIND, reasons)
    service = Service(
        spec=spec,
        model=model,
        environment=f"{placement.environment}-{door_objects.ROLE}",
        region=placement.region,
        flavour=flavour,
        node=None,
        options=options.of_service(),
        code_sha256=runtime_digest(),
    )
    return _plan(service, placement, door, options, placement.cluster)


def _of_placement(
    spec: InferenceServiceSpec, placement: Placement, door: DoorPlacement
) -> Iterator[Problem]:
    if placement.cluster is None or not placement.cluster.strip():
        yield Problem(
            "door.cluster",
            "is not set; name the kubeconfig context of the cluster, such as prod-eu",
        )
    for host in door.hosts:
        yield Problem(
            "door.hosts",
            f"has {host!r}; a door on Kubernetes has its name from the Gateway that takes its https, "
            "so that there is one place for both. Remove hosts, and say options.gateway.host",
        )
    yield from access_refusals(spec)


def _of_options(spec: InferenceServiceSpec, options: KubernetesDoorOptions) -> Iterator[Problem]:
    yield from concurrency_refusals(
        spec,
        options.concurrency,
        most_each=MAX_CONCURRENCY,
        copies=options.replicas,
        option="replicas",
    )
    yield from no_networks("door.options.networks", options.networks)
    if options.namespace in RESERVED_NAMESPACES:
        yield Problem(
            "door.options.namespace",
            f"is {options.namespace!r}, which is not ours to create and delete; leave it out, or "
            "name one that does not exist yet",
        )


def _of_cluster(
    spec: InferenceServiceSpec,
    placement: Placement,
    options: KubernetesDoorOptions,
    flavour: Flavour | None,
) -> Iterator[Problem]:
    theirs = flavour_of(placement.region)
    if flavour is None:
        known = sorted(region for sold in regions().values() for region in sold)
        yield Problem(
            "door.region",
            f"{placement.region!r} does not tell whose cluster it is; say options.flavour, or choose one "
            f"of {', '.join(known)}",
        )
    elif flavour != "plain" and theirs not in (None, flavour):
        yield Problem(
            "door.options.flavour",
            f"is {flavour}, and {placement.region} is a region where clusters are {theirs}; correct one "
            "of them",
        )
    shared = options.of_service()
    for one in (*missing_abilities(shared), *refused_traffic.reasons(spec, flavour, shared)):
        yield Problem(_of_a_door(one.path), _of_a_door(one.message))


def _of_a_door(text: str) -> str:
    return text.replace("placement.options", "door.options")


def _plan(
    service: Service,
    placement: Placement,
    door: DoorPlacement,
    options: KubernetesDoorOptions,
    cluster: str,
) -> KubernetesDoorPlan:
    spec = service.spec
    concurrency = options.concurrency or most_requests(spec)
    return KubernetesDoorPlan(
        target=KIND,
        service=spec.name,
        environment=placement.environment,
        region=placement.region,
        model=service.model.id,
        model_identity=identities(door),
        boundary=spec.residency,
        monthly_budget_usd=None if spec.budget is None else spec.budget.monthly_usd,
        auth=spec.access.auth,
        keys=placement.keys,
        notes=tuple(_notes(service, options, door.ends)),
        cluster=cluster,
        flavour=service.flavour,
        namespace=service.namespace,
        name=service.name,
        max_replicas=options.replicas,
        concurrency=concurrency,
        ready_within_seconds=door_objects.READY_WITHIN_SECONDS,
        code_sha256=service.code_sha256,
        known_endpoint=endpoint(service),
        port=RUNTIME_PORT,
        objects=door_objects.objects(service, options, door.ends, concurrency),
        ends=door.ends,
    )


def _notes(
    service: Service, options: KubernetesDoorOptions, ends: tuple[End, ...]
) -> Iterator[str]:
    if options.replicas > 1:
        yield (
            "each of several pods counts its own requests: what is open towards an end is not known, "
            "and an end counts as drained once the longest request must be over"
        )
    else:
        yield (
            "one pod: a node that is drained takes the door away until the next one is ready; with replicas "
            "2 it does not, and what is open towards an end is no longer known"
        )
    yield (
        f"new weights reach running pods when their kubelet writes the Secret anew, up to {SYNC_SECONDS} s "
        "after the deployment"
    )
    if service.spec.residency and not options.networks:
        what, verdict = "by https", "advises against that"
        if door_objects.leads_to_clusters(ends):
            what, verdict = "by https and by http", "refuses that"
        yield (
            f"the door may reach every public address {what}, and the residency pack {verdict}; name the "
            "ranges that its ends are at (options.networks): private endpoints of Cloud Run and of API "
            "Gateway, load balancers of clusters"
        )
    yield from way_in_notes(service)
    if options.gateway is None:
        yield (
            "clients call the load balancer by http, and their keys cross the network as they are; with "
            "options.gateway they come by https"
        )
    yield (
        f"its pods ask for {CPU} of CPU and {MEMORY} of memory each, on nodes that "
        "the cluster has anyway: those are priced with what they were made for"
    )


DOOR: Final = DoorKind(
    plan=plan,
    component="portway.targets.kubernetes.component:KubernetesDoor",
    options=KubernetesDoorOptions,
)
