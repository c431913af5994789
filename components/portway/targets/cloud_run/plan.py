"""Spec and placement to the Cloud Run resources that honour them. Pure."""

from collections.abc import Iterator
from typing import Final

from portway.bundle import runtime_digest
from portway.errors import Refused
from portway.metering import limits_of_use, meter_variable, without_a_meter
from portway.models import Model, identity_of_weights
from portway.models.fit import L4, vram_needed_gb
from portway.naming import Names
from portway.options import read_options
from portway.spec import InferenceServiceSpec
from portway.target import MeterPlan, Placement
from portway.targets.cloud_run import (
    guards,
    network,
    refusals,
    watching,
    weights,
    weights_bucket,
)
from portway.targets.cloud_run.containers import KEYS_FILE, engine, runtime, startup_seconds
from portway.targets.cloud_run.options import CloudRunOptions
from portway.targets.cloud_run.shapes import (
    BucketMount,
    CloudRunPlan,
    Container,
    KeySecret,
    RuntimeCode,
    SecretMount,
    WeightsCopy,
)

TARGET_NAME: Final = "cloud-run"

MAX_TIMEOUT_SECONDS: Final = 3600
GRACE_SECONDS: Final = 10
"""How much later than the runtime the platform gives up, so that a late answer is an OpenAI error."""


def plan(spec: InferenceServiceSpec, model: Model, placement: Placement) -> CloudRunPlan:
    """The Cloud Run service, its identity, key, code and image mirror.

    Raises:
        Refused: Cloud Run cannot honour the spec at this placement; lists every reason.
    """
    options, problems = read_options(CloudRunOptions, placement)
    reasons = [*problems, *refusals.of_placement(model, placement)]
    reasons += without_a_meter(spec, limits_of_use(spec))
    if options is not None:
        reasons += refusals.of_options(spec, options)
        reasons += weights.refusals(model, options)
        reasons += network.refusals(spec, placement, options)
        reasons += guards.refusals(spec, options)
        reasons += watching.refusals(spec, options)
    if reasons or options is None:
        raise Refused(TARGET_NAME, reasons)
    return _plan(spec, model, placement, options)


def _plan(
    spec: InferenceServiceSpec, model: Model, placement: Placement, options: CloudRunOptions
) -> CloudRunPlan:
    names = Names(spec.name, placement.environment)
    project, region = placement.settings["gcp:project"], placement.region
    code, secrets = _code(names, project), _secrets(spec, names, region)
    has_keys, name, meter = bool(secrets), names.physical(limit=49), limits_of_use(spec)
    starting = startup_seconds(model, options)
    return CloudRunPlan(
        target=TARGET_NAME,
        service=spec.name,
        environment=placement.environment,
        region=region,
        model=model.id,
        model_identity=identity_of_weights(model),
        boundary=spec.residency,
        monthly_budget_usd=None if spec.budget is None else spec.budget.monthly_usd,
        auth=spec.access.auth,
        keys=placement.keys if has_keys else (),
        meter=meter,
        alert_emails=() if spec.budget is None else spec.budget.alert_emails,
        project=project,
        name=name,
        labels=names.labels(model.id),
        account_id=names.physical("run", limit=30),
        key_secrets=secrets,
        code=code,
        image_repository=names.physical("images"),
        weight_buckets=weights.buckets(options),
        weights_copies=_copies(model, placement, names, options),
        invokers=_invokers(options, has_keys=has_keys),
        invoker_iam_disabled=not options.invoker_check,
        ingress=network.ingress(spec, options),
        hostname=options.hostname,
        audiences=_audiences(options, has_keys=has_keys),
        interfaces=network.interfaces(options),
        session_affinity=options.session_affinity,
        deletion_protection=options.deletion_protection,
        min_instances=spec.scaling.min,
        max_instances=spec.scaling.max,
        concurrency=spec.scaling.concurrency,
        timeout_seconds=min(spec.timeout_seconds + GRACE_SECONDS, MAX_TIMEOUT_SECONDS),
        accelerator=L4.name,
        gpu_zonal_redundancy_disabled=not options.gpu_zonal_redundancy,
        containers=_containers(spec, model, placement, options),
        bucket_mounts=_bucket_mounts(names, project, options),
        secret_mounts=_secret_mounts(secrets),
        meter_stores=() if meter is None else (guards.meter_store(names, project, region),),
        budgets=guards.budgets(spec, options, names),
        alerts=guards.alerts(spec, name, region, starting),
        log_metrics=watching.log_metrics(name, region),
        dashboard=watching.dashboard(name, region),
        uptime_checks=watching.uptime_checks(spec, options, name),
        log_buckets=watching.log_buckets(options, name, region),
        context_tokens=model.context_tokens,
        startup_seconds=starting,
        notes=tuple(_notes(spec, model, placement, options)),
    )


def _code(names: Names, project: str) -> RuntimeCode:
    digest = runtime_digest()
    return RuntimeCode(
        bucket=names.in_project("runtime", project),
        object_name=f"runtime-{digest[:12]}.pyz",
        sha256=digest,
    )


def _secrets(spec: InferenceServiceSpec, names: Names, region: str) -> tuple[KeySecret, ...]:
    if spec.access.auth != "api-key":
        return ()
    return (KeySecret(secret_id=names.physical("api-keys"), location=region),)


def _containers(
    spec: InferenceServiceSpec, model: Model, placement: Placement, options: CloudRunOptions
) -> tuple[Container, Container]:
    names = Names(spec.name, placement.environment)
    project = placement.settings["gcp:project"]
    registry, held_in = _registry(names, placement), weights_bucket.bucket(names, project, options)
    meter = limits_of_use(spec)
    counted = {} if meter is None else _metered(meter, names, project, model)
    code, secrets = _code(names, project), _secrets(spec, names, placement.region)
    return (
        runtime(spec, model, registry, code, secrets, counted),
        engine(spec, model, registry, options, held_in),
    )


def _copies(
    model: Model, placement: Placement, names: Names, options: CloudRunOptions
) -> tuple[WeightsCopy, ...]:
    project = placement.settings["gcp:project"]
    registry, code = _registry(names, placement), _code(names, project)
    return weights_bucket.copies(model, names, project, registry, code, options)


def _bucket_mounts(names: Names, project: str, options: CloudRunOptions) -> tuple[BucketMount, ...]:
    code = BucketMount(volume="code", bucket=_code(names, project).bucket)
    return (code, *weights.mounts(options, weights_bucket.bucket(names, project, options)))


def _registry(names: Names, placement: Placement) -> str:
    """The mirror of Docker Hub in the region."""
    project = placement.settings["gcp:project"]
    return f"{placement.region}-docker.pkg.dev/{project}/{names.physical('images')}"


def _invokers(options: CloudRunOptions, *, has_keys: bool) -> tuple[str, ...]:
    if not has_keys:
        return options.invokers
    return ("allUsers",) if options.invoker_check else ()


def _audiences(options: CloudRunOptions, *, has_keys: bool) -> tuple[str, ...]:
    """A caller behind a load balancer has a token for the name that it knows."""
    return () if has_keys or options.hostname is None else (f"https://{options.hostname}",)


def _secret_mounts(secrets: tuple[KeySecret, ...]) -> tuple[SecretMount, ...]:
    return tuple(
        SecretMount(volume="keys", secret_id=secret.secret_id, file=KEYS_FILE) for secret in secrets
    )


def _metered(meter: MeterPlan, names: Names, project: str, model: Model) -> dict[str, str]:
    return meter_variable(
        meter,
        guards.store_of(names, project),
        service=names.physical(),
        max_output_tokens=model.max_output_tokens,
    )


def _notes(
    spec: InferenceServiceSpec, model: Model, placement: Placement, options: CloudRunOptions
) -> Iterator[str]:
    if refusals.regions()[placement.region] == "invitation":
        yield (
            f"{placement.region} sells L4 GPUs by invitation only; a project without the quota is "
            "refused by Google at deployment"
        )
    together = vram_needed_gb(model, model.context_tokens, spec.scaling.concurrency)
    if together > L4.usable_gb:
        yield (
            f"{spec.scaling.concurrency} requests of {model.context_tokens} tokens each need "
            f"{together:.1f} GB and one L4 lends {L4.usable_gb:.1f} GB: long requests wait for one "
            "another, short ones do not"
        )
    if spec.scaling.min == 0:
        yield _cold_start_note(spec, options)
    names = Names(spec.name, placement.environment)
    held_in = weights_bucket.bucket(names, placement.settings["gcp:project"], options)
    yield from weights.notes(model, options, held_in)
    yield from network.notes(options)
    yield from guards.notes(spec, options)
    yield from watching.notes(spec, options)
    yield (
        "while a new revision takes over, its instances and those of the old one count together against "
        "the quotas that follow"
    )
    yield _quota_note(spec, options)


def _cold_start_note(spec: InferenceServiceSpec, options: CloudRunOptions) -> str:
    start = weights.start_seconds(options)
    late = (
        "" if start < spec.timeout_seconds else ", longer than timeout_seconds, so that it may fail"
    )
    return (
        f"the first request after a silence waits for an instance to start (some {start} s were measured"
        f"{late}); scaling.min: 1 keeps one started, at the price that portway price calls its floor"
    )


def _quota_note(spec: InferenceServiceSpec, options: CloudRunOptions) -> str:
    mode = "" if options.gpu_zonal_redundancy else "NoZonalRedundancy"
    count, one = spec.scaling.max, refusals.what_one_instance_takes(options)
    return (
        f"quota used at most, in this region: NvidiaL4GpuAlloc{mode}PerProjectRegion {count}, "
        f"CpuAllocPerProjectRegion {int(count * one['vcpu'] * 1000)} (milli-vCPU), "
        f"MemAllocPerProjectRegion {int(count * one['memory_gib'] * 2**30)} (bytes)"
    )
