"""A front door on Cloud Run: our own runtime as a reverse proxy, without a GPU. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from portway.bundle import runtime_digest
from portway.doors import access_refusals, concurrency_refusals, identities, most_requests
from portway.errors import Problem, Refused
from portway.images import image
from portway.models import Model
from portway.naming import Names
from portway.options import read_options
from portway.runtime_env import ROUTES_FILE, door_env
from portway.spec import InferenceServiceSpec
from portway.target import DoorKind, DoorPlacement, Placement
from portway.targets.cloud_run.door_shapes import MAX_CONCURRENCY, CloudRunDoorPlan, DoorOptions
from portway.targets.cloud_run.refusals import regions
from portway.targets.cloud_run.shapes import (
    Container,
    KeySecret,
    Probe,
    RuntimeCode,
    SecretMount,
)

KIND: Final = "cloud-run"
MAX_TIMEOUT_SECONDS: Final = 3600
PLATFORM_GRACE_SECONDS: Final = 20
"""How much later than an end's runtime Cloud Run gives up, so that a late answer is an OpenAI error."""

PORT: Final = 8080
CODE_MOUNT: Final = "/opt/portway"
KEYS_MOUNT: Final = "/var/run/portway/keys"
ROUTES_MOUNT: Final = "/var/run/portway/routes"
KEYS_FILE: Final = "keys.json"
_PROJECT: Final = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")


def plan(spec: InferenceServiceSpec, model: Model, placement: Placement) -> CloudRunDoorPlan:
    """The door's service, identity, two secrets, code and image mirror.

    Raises:
        Refused: this kind of door cannot do what is asked; lists every reason.
    """
    door = placement.door
    if door is None:
        raise TypeError("a placement without a door has no plan for one")
    options, problems = read_options(DoorOptions, placement)
    reasons = [*problems, *_refusals(spec, placement, door)]
    if options is not None:
        reasons += _of_options(spec, options)
    if reasons or options is None:
        raise Refused(KIND, reasons)
    return _plan(spec, model, placement, door, options)


def _refusals(
    spec: InferenceServiceSpec, placement: Placement, door: DoorPlacement
) -> Iterator[Problem]:
    if placement.region not in regions():
        yield Problem(
            "door.region",
            f"{placement.region!r} is no region whose prices for Cloud Run are known here; choose one "
            f"of {', '.join(sorted(regions()))}",
        )
    project = placement.settings.get("gcp:project")
    if project is None:
        yield Problem("gcp:project", "is not set; add gcp:project to the stack")
    elif not _PROJECT.fullmatch(project):
        yield Problem("gcp:project", f"is {project!r}, not a project id; use the id")
    for host in door.hosts:
        yield Problem(
            "door.hosts",
            f"has {host!r}; a door on Cloud Run answers at its own URL, because a mapped domain is "
            "served from a certificate that takes up to a day (Mapping custom domains). Remove hosts, "
            "and lead your name to the door's endpoint with a load balancer",
        )
    yield from access_refusals(spec)
    if placement.cluster is not None:
        message = f"is {placement.cluster!r}; a door on Cloud Run has no cluster, remove it"
        yield Problem("door.cluster", message)
    if spec.timeout_seconds + PLATFORM_GRACE_SECONDS > MAX_TIMEOUT_SECONDS:
        longest = MAX_TIMEOUT_SECONDS - PLATFORM_GRACE_SECONDS
        yield Problem(
            "timeout_seconds",
            f"is {spec.timeout_seconds}; Cloud Run ends a request after {MAX_TIMEOUT_SECONDS} s, and "
            f"the door must outwait its ends. Use {longest} at most",
        )


def _of_options(spec: InferenceServiceSpec, options: DoorOptions) -> Iterator[Problem]:
    if options.min_instances > options.max_instances:
        yield Problem(
            "door.options.min_instances",
            f"is {options.min_instances}, above max_instances ({options.max_instances})",
        )
    yield from concurrency_refusals(
        spec,
        options.concurrency,
        most_each=MAX_CONCURRENCY,
        copies=options.max_instances,
        option="max_instances",
    )


def _plan(
    spec: InferenceServiceSpec,
    model: Model,
    placement: Placement,
    door: DoorPlacement,
    options: DoorOptions,
) -> CloudRunDoorPlan:
    names = Names(spec.name, placement.environment)
    project, region = placement.settings["gcp:project"], placement.region
    digest = runtime_digest()
    code = RuntimeCode(
        bucket=names.in_project("door", project),
        object_name=f"runtime-{digest[:12]}.pyz",
        sha256=digest,
    )
    repository = names.physical("door-images")
    keys = KeySecret(secret_id=names.physical("door-api-keys"), location=region)
    routes = KeySecret(secret_id=names.physical("door-routes"), location=region)
    concurrency = options.concurrency or most_requests(spec)
    return CloudRunDoorPlan(
        target=KIND,
        service=spec.name,
        environment=placement.environment,
        region=region,
        model=model.id,
        model_identity=identities(door),
        boundary=spec.residency,
        monthly_budget_usd=None if spec.budget is None else spec.budget.monthly_usd,
        auth=spec.access.auth,
        keys=placement.keys,
        notes=_notes(options),
        project=project,
        name=names.physical("door", limit=49),
        labels=names.labels(model.id),
        account_id=names.physical("door", limit=30),
        ends=door.ends,
        key_secret=keys,
        route_secret=routes,
        code=code,
        image_repository=repository,
        invokers=("allUsers",),
        ingress="INGRESS_TRAFFIC_ALL",
        deletion_protection=options.deletion_protection,
        min_instances=options.min_instances,
        max_instances=options.max_instances,
        concurrency=concurrency,
        timeout_seconds=spec.timeout_seconds + PLATFORM_GRACE_SECONDS,
        container=_container(
            spec,
            f"{region}-docker.pkg.dev/{project}/{repository}",
            code,
            concurrency,
            options.max_instances,
        ),
        code_volume="code",
        secret_mounts=(
            SecretMount(volume="keys", secret_id=keys.secret_id, file=KEYS_FILE),
            SecretMount(volume="routes", secret_id=routes.secret_id, file=ROUTES_FILE),
        ),
    )


def _container(
    spec: InferenceServiceSpec,
    registry: str,
    code: RuntimeCode,
    concurrency: int,
    max_instances: int,
) -> Container:
    def probe(path: str, period_seconds: int, timeout_seconds: int, failures: int) -> Probe:
        return Probe(
            path=path,
            port=PORT,
            period_seconds=period_seconds,
            timeout_seconds=timeout_seconds,
            failure_threshold=failures,
        )

    return Container(
        name="door",
        image=image("python").reference(registry),
        command=("python",),
        args=(f"{CODE_MOUNT}/{code.object_name}",),
        env=door_env(
            spec,
            concurrency=concurrency,
            max_instances=max_instances,
            keys_file=f"{KEYS_MOUNT}/{KEYS_FILE}",
            routes_file=f"{ROUTES_MOUNT}/{ROUTES_FILE}",
        ),
        limits={"cpu": "1", "memory": "512Mi"},
        port=PORT,
        startup_probe=probe("/readyz", 1, 1, 60),
        liveness_probe=probe("/healthz", 30, 5, 3),
        readiness_probe=probe("/readyz", 10, 5, 3),
        mounts={"code": CODE_MOUNT, "keys": KEYS_MOUNT, "routes": ROUTES_MOUNT},
    )


def _notes(options: DoorOptions) -> tuple[str, ...]:
    found: list[str] = []
    if options.min_instances == 0:
        found.append(
            "with min_instances 0 the first client after a pause waits for the door itself"
        )
    if options.max_instances > 1:
        found.append(
            "each of several instances counts its own requests: what is open towards an end is not "
            "known, and an end counts as drained once the longest request must be over"
        )
    else:
        found.append(
            "one instance at most: while Google replaces it, requests wait for the next; with "
            "max_instances 2 they do not, and what is open towards an end is no longer known"
        )
    return tuple(found)


DOOR: Final = DoorKind(
    plan=plan,
    component="portway.targets.cloud_run.door_component:CloudRunDoor",
    options=DoorOptions,
)
