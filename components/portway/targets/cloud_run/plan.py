"""Spec and placement to the Cloud Run resources that honour them. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from portway.bundle import runtime_digest
from portway.errors import Refused
from portway.images import image
from portway.metering import limits_of_use, meter_variable, without_a_meter
from portway.models import Model, identity_of_weights
from portway.models.fit import GPU_MEMORY_UTILISATION, L4, vram_needed_gb
from portway.naming import Names
from portway.options import read_options
from portway.runtime_env import runtime_env
from portway.spec import InferenceServiceSpec
from portway.target import MeterPlan, Placement
from portway.targets.cloud_run import guards, network, refusals, watching, weights
from portway.targets.cloud_run.options import CloudRunOptions
from portway.targets.cloud_run.shapes import (
    BucketMount,
    CloudRunPlan,
    Container,
    KeySecret,
    Probe,
    RuntimeCode,
    SecretMount,
)

TARGET_NAME: Final = "cloud-run"

MAX_TIMEOUT_SECONDS: Final = 3600
GRACE_SECONDS: Final = 10
"""How much later than the runtime the platform gives up, so that a late answer is an OpenAI error."""

ENGINE_START_SECONDS: Final = 300
"""A generous start without the weights: compilation and CUDA graphs."""

PROBE_PERIOD_SECONDS: Final = 10
CODE_MOUNT: Final = "/opt/portway"
KEYS_MOUNT: Final = "/var/run/portway"
KEYS_FILE: Final = "keys.json"
RUNTIME_PORT: Final = 8080
ENGINE_PORT: Final = 8000


def plan(spec: InferenceServiceSpec, model: Model, placement: Placement) -> CloudRunPlan:
    """The Cloud Run service, its identity, key, code and image mirror.

    Raises:
        Refused: Cloud Run cannot honour the spec at this placement; lists every reason.
    """
    options, problems = read_options(CloudRunOptions, placement)
    reasons = [*problems, *refusals.of_placement(model, placement)]
    reasons += without_a_meter(spec, limits_of_use(spec))
    if options is not None:
        reasons += refusals.of_options(spec, model, options)
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
    has_keys = spec.access.auth == "api-key"
    digest = runtime_digest()
    code = RuntimeCode(
        bucket=names.in_project("runtime", project),
        object_name=f"runtime-{digest[:12]}.pyz",
        sha256=digest,
    )
    repository = names.physical("images")
    secrets = (KeySecret(secret_id=names.physical("api-keys"), location=region),)
    registry = f"{region}-docker.pkg.dev/{project}/{repository}"
    name = names.physical(limit=49)
    meter = limits_of_use(spec)
    counted = {} if meter is None else _metered(meter, names, project, model)
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
        key_secrets=secrets if has_keys else (),
        code=code,
        image_repository=repository,
        weight_buckets=weights.buckets(options),
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
        containers=(
            _runtime(spec, model, registry, code, secrets if has_keys else (), counted),
            _engine(spec, model, registry, options),
        ),
        bucket_mounts=(
            BucketMount(volume="code", bucket=code.bucket),
            *weights.mounts(options),
        ),
        secret_mounts=_secret_mounts(secrets if has_keys else ()),
        meter_stores=() if meter is None else (guards.meter_store(names, project, region),),
        budgets=guards.budgets(spec, options, names),
        alerts=guards.alerts(spec, name, region, _startup_seconds(model, options)),
        log_metrics=watching.log_metrics(name, region),
        dashboard=watching.dashboard(name, region),
        uptime_checks=watching.uptime_checks(spec, options, name),
        log_buckets=watching.log_buckets(options, name, region),
        context_tokens=model.context_tokens,
        startup_seconds=_startup_seconds(model, options),
        notes=tuple(_notes(spec, model, placement, options)),
    )


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


def _runtime(
    spec: InferenceServiceSpec,
    model: Model,
    registry: str,
    code: RuntimeCode,
    secrets: tuple[KeySecret, ...],
    counted: Mapping[str, str],
) -> Container:
    env = runtime_env(
        spec,
        model,
        upstream=f"http://127.0.0.1:{ENGINE_PORT}",
        upstream_model=model.id,
        concurrency=spec.scaling.concurrency,
    )
    keys = {"PORTWAY_API_KEYS_FILE": f"{KEYS_MOUNT}/{KEYS_FILE}"} if secrets else {}
    return Container(
        name="runtime",
        image=image("python").reference(registry),
        command=("python",),
        args=(f"{CODE_MOUNT}/{code.object_name}",),
        env={**env, **keys, **counted, "PYTHONUNBUFFERED": "1"},
        limits={"cpu": "1", "memory": "512Mi"},
        port=RUNTIME_PORT,
        depends_on=("vllm",),
        startup_probe=Probe(
            path="/readyz",
            port=RUNTIME_PORT,
            period_seconds=2,
            timeout_seconds=2,
            failure_threshold=60,
        ),
        liveness_probe=Probe(
            path="/healthz",
            port=RUNTIME_PORT,
            period_seconds=30,
            timeout_seconds=5,
            failure_threshold=3,
        ),
        readiness_probe=Probe(
            path="/readyz",
            port=RUNTIME_PORT,
            period_seconds=10,
            timeout_seconds=5,
            failure_threshold=3,
        ),
        mounts={"code": CODE_MOUNT, **({"keys": KEYS_MOUNT} if secrets else {})},
    )


def _engine(
    spec: InferenceServiceSpec, model: Model, registry: str, options: CloudRunOptions
) -> Container:
    return Container(
        name="vllm",
        image=image("vllm").reference(registry),
        args=_engine_args(spec, model, options),
        env={
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "VLLM_NO_USAGE_STATS": "1",
            **weights.environment(model, options),
        },
        limits={
            "cpu": str(options.cpu),
            "memory": f"{options.memory_gib}Gi",
            "nvidia.com/gpu": "1",
        },
        startup_probe=Probe(
            path="/health",
            port=ENGINE_PORT,
            period_seconds=PROBE_PERIOD_SECONDS,
            timeout_seconds=5,
            failure_threshold=_startup_seconds(model, options) // PROBE_PERIOD_SECONDS,
        ),
        # A long prefill can hold vLLM's event loop: only minutes of silence mean that it is dead.
        liveness_probe=Probe(
            path="/health",
            port=ENGINE_PORT,
            period_seconds=30,
            timeout_seconds=10,
            failure_threshold=10,
        ),
        mounts={mount.volume: weights.MOUNT for mount in weights.mounts(options)},
    )


def _engine_args(
    spec: InferenceServiceSpec, model: Model, options: CloudRunOptions
) -> tuple[str, ...]:
    return (
        *weights.arguments(model, options),
        "--served-model-name", model.id,
        "--port", str(ENGINE_PORT),
        "--max-model-len", str(model.context_tokens),
        "--max-num-seqs", str(spec.scaling.concurrency),
        "--gpu-memory-utilization", str(GPU_MEMORY_UTILISATION),
        *model.vllm,
    )  # fmt: skip


def _startup_seconds(model: Model, options: CloudRunOptions) -> int:
    """Startup budget in whole probe periods.

    ``failureThreshold`` times ``periodSeconds`` may be 1800 s at most on an instance with a GPU
    (Configure container health checks for services); weights that fit an L4 stay below that.
    """
    seconds = ENGINE_START_SECONDS + weights.seconds_per_gb(options) * float(model.weights_gb)
    periods = -int(-seconds // PROBE_PERIOD_SECONDS)
    return periods * PROBE_PERIOD_SECONDS


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
    yield from weights.notes(model, options)
    yield from network.notes(options)
    yield from guards.notes(spec, options)
    yield from watching.notes(spec, options)
    yield (
        "while a new revision takes over, its instances and those of the old one count together against "
        "the quotas that follow"
    )
    yield _quota_note(spec, options)


def _quota_note(spec: InferenceServiceSpec, options: CloudRunOptions) -> str:
    mode = "" if options.gpu_zonal_redundancy else "NoZonalRedundancy"
    count, one = spec.scaling.max, refusals.what_one_instance_takes(options)
    return (
        f"quota used at most, in this region: NvidiaL4GpuAlloc{mode}PerProjectRegion {count}, "
        f"CpuAllocPerProjectRegion {int(count * one['vcpu'] * 1000)} (milli-vCPU), "
        f"MemAllocPerProjectRegion {int(count * one['memory_gib'] * 2**30)} (bytes)"
    )
