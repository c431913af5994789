"""The two containers of an instance: the runtime that takes the requests, and vLLM with the GPU. Pure."""

from collections.abc import Mapping
from typing import Final

from portway.images import image
from portway.models import Model
from portway.models.fit import GPU_MEMORY_UTILISATION
from portway.runtime_env import runtime_env
from portway.spec import InferenceServiceSpec
from portway.targets.cloud_run import weights
from portway.targets.cloud_run.options import CloudRunOptions
from portway.targets.cloud_run.shapes import Container, KeySecret, Probe, RuntimeCode

ENGINE_START_SECONDS: Final = 300
"""A generous start without the weights: compilation and CUDA graphs."""

PROBE_PERIOD_SECONDS: Final = 10
CODE_MOUNT: Final = "/opt/portway"
KEYS_MOUNT: Final = "/var/run/portway"
KEYS_FILE: Final = "keys.json"
RUNTIME_PORT: Final = 8080
ENGINE_PORT: Final = 8000


def runtime(
    spec: InferenceServiceSpec,
    model: Model,
    registry: str,
    code: RuntimeCode,
    secrets: tuple[KeySecret, ...],
    counted: Mapping[str, str],
) -> Container:
    """The runtime; ``counted`` is what tells it of its meter."""
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


def engine(
    spec: InferenceServiceSpec, model: Model, registry: str, options: CloudRunOptions, bucket: str
) -> Container:
    """vLLM, with the GPU; ``bucket`` holds its weights."""
    return Container(
        name="vllm",
        image=image("vllm").reference(registry),
        args=_engine_args(spec, model, options, bucket),
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
            failure_threshold=startup_seconds(model, options) // PROBE_PERIOD_SECONDS,
        ),
        # A long prefill can hold vLLM's event loop: only minutes of silence mean that it is dead.
        liveness_probe=Probe(
            path="/health",
            port=ENGINE_PORT,
            period_seconds=30,
            timeout_seconds=10,
            failure_threshold=10,
        ),
        mounts={mount.volume: weights.MOUNT for mount in weights.mounts(options, bucket)},
    )


def _engine_args(
    spec: InferenceServiceSpec, model: Model, options: CloudRunOptions, bucket: str
) -> tuple[str, ...]:
    return (
        *weights.arguments(model, options, bucket),
        "--served-model-name", model.id,
        "--port", str(ENGINE_PORT),
        "--max-model-len", str(model.context_tokens),
        "--max-num-seqs", str(spec.scaling.concurrency),
        "--gpu-memory-utilization", str(GPU_MEMORY_UTILISATION),
        *model.vllm,
    )  # fmt: skip


def startup_seconds(model: Model, options: CloudRunOptions) -> int:
    """Startup budget in whole probe periods.

    ``failureThreshold`` times ``periodSeconds`` may be 1800 s at most on an instance with a GPU
    (Configure container health checks for services); weights that fit an L4 stay below that.
    """
    seconds = ENGINE_START_SECONDS + weights.seconds_per_gb(options) * float(model.weights_gb)
    periods = -int(-seconds // PROBE_PERIOD_SECONDS)
    return periods * PROBE_PERIOD_SECONDS
