"""The model server's container: vLLM on the GPUs of one pod, or of one node of several. Pure."""

from typing import Final

from portway.images import image
from portway.targets.kubernetes import weights
from portway.targets.kubernetes.claims import resources
from portway.targets.kubernetes.containers import RESTRICTED, env_list, probe
from portway.targets.kubernetes.gpus import room_of
from portway.targets.kubernetes.service import Service
from portway.targets.kubernetes.shapes import Object
from portway.targets.kubernetes.timing import (
    DRAIN_SECONDS,
    PROBE_PERIOD_SECONDS,
    startup_seconds,
)

ENGINE_PORT: Final = 8000
GROUP_PORT: Final = 29500
"""Where the processes of a replica find each other; they then talk on ports of their own choosing."""

CACHE_MOUNT: Final = "/var/cache/vllm"
SCRATCH_GIB: Final = 8
"""Compilation caches and the temporary copies of a download, beside the weights."""


def container(service: Service, *, is_worker: bool = False) -> Object:
    """vLLM; ``is_worker``: on a node of a replica that another node answers for."""
    options = service.options
    serving = {} if is_worker else _serving(service)
    return {
        "name": "vllm",
        "image": image("vllm").reference(),
        "imagePullPolicy": "IfNotPresent",
        "args": list(_args(service, is_worker=is_worker)),
        "env": env_list(_env(service)),
        **serving,
        "resources": _resources(service),
        "securityContext": {
            **RESTRICTED,
            "readOnlyRootFilesystem": not options.writable_engine_root,
        },
        "volumeMounts": [
            {"name": "cache", "mountPath": CACHE_MOUNT},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - the same
            *weights.mounts(service),
        ],
    }


def cache_gib(service: Service) -> int:
    """What the engine writes to a pod's own disk, in GiB: weights too, unless they are mounted."""
    loaded = 0 if weights.is_mounted(service) else weights.weights_gib(service.model)
    return loaded + SCRATCH_GIB


def shared_memory(service: Service) -> str:
    """Size of ``/dev/shm``, by which the processes of several GPUs hand tensors to one another."""
    return "8Gi" if service.claim.count > 1 else "1Gi"


def _serving(service: Service) -> Object:
    """Port, probes and an orderly end, for the process that answers."""
    failures = startup_seconds(service.model) // PROBE_PERIOD_SECONDS
    return {
        "ports": [{"name": "engine", "containerPort": ENGINE_PORT}],
        "startupProbe": probe(
            "/health", ENGINE_PORT, period=PROBE_PERIOD_SECONDS, timeout=5, failures=failures
        ),
        # A long prefill can hold vLLM's event loop: only minutes of silence mean that it is dead.
        "livenessProbe": probe("/health", ENGINE_PORT, period=30, timeout=10, failures=10),
        "readinessProbe": probe("/health", ENGINE_PORT, period=5, timeout=5, failures=3),
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
    }


def _resources(service: Service) -> Object:
    cpu, memory = room_of(service.claim, service.node)
    storage = f"{cache_gib(service) + 2}Gi"
    gpus = resources(service)
    limits: Object = {**gpus.limits, "memory": memory, "ephemeral-storage": storage}
    return {
        "limits": limits,
        "requests": {"cpu": cpu, "memory": memory, "ephemeral-storage": storage},
        **gpus.claims,
    }


def _args(service: Service, *, is_worker: bool) -> tuple[str, ...]:
    spec, model = service.spec, service.model
    return (
        *weights.arguments(service),
        "--served-model-name", model.id,
        "--port", str(ENGINE_PORT),
        "--max-model-len", str(model.context_tokens),
        "--max-num-seqs", str(spec.scaling.concurrency),
        "--gpu-memory-utilization", str(service.claim.utilisation),
        # Without it vLLM aborts what it is generating as soon as it is told to stop.
        "--shutdown-timeout", str(spec.timeout_seconds),
        *_parallel(service, is_worker=is_worker),
        *_traces(service),
        *model.vllm,
    )  # fmt: skip


def _parallel(service: Service, *, is_worker: bool) -> tuple[str, ...]:
    """Tensor parallel inside a node, pipeline parallel over nodes."""
    claim = service.claim
    inside = ("--tensor-parallel-size", str(claim.count)) if claim.count > 1 else ()
    if not service.is_group:
        return inside
    return (
        *inside,
        "--pipeline-parallel-size", str(claim.pods),
        "--distributed-executor-backend", "mp",
        "--nnodes", "$(LWS_GROUP_SIZE)",
        "--node-rank", "$(LWS_WORKER_INDEX)",
        "--master-addr", "$(LWS_LEADER_ADDRESS)",
        "--master-port", str(GROUP_PORT),
        *(("--headless",) if is_worker else ()),
    )  # fmt: skip


def _traces(service: Service) -> tuple[str, ...]:
    collector = service.options.otlp
    return () if collector is None else ("--otlp-traces-endpoint", collector)


def _env(service: Service) -> dict[str, str]:
    """Where vLLM and its libraries write to, the one volume that may be written, and load from."""
    home = {"HOME": CACHE_MOUNT, "USER": "vllm", "LOGNAME": "vllm", "TMPDIR": "/tmp"}  # noqa: S108 - a volume of the pod's own
    folders = {
        "HF_HOME": "huggingface",
        "VLLM_CACHE_ROOT": "vllm",
        "VLLM_CONFIG_ROOT": "vllm-config",
        "TRITON_CACHE_DIR": "triton",
        "TORCHINDUCTOR_CACHE_DIR": "inductor",
        "NUMBA_CACHE_DIR": "numba",
        "OUTLINES_CACHE_DIR": "outlines",
        "XDG_CACHE_HOME": "xdg",
        "XDG_CONFIG_HOME": "xdg-config",
    }
    silent = {"HF_HUB_DISABLE_TELEMETRY": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    places = {name: f"{CACHE_MOUNT}/{folder}" for name, folder in folders.items()}
    return home | places | silent | weights.env(service) | telemetry(service)


def telemetry(service: Service) -> dict[str, str]:
    """What traces say of where they come from (OpenTelemetry resource conventions)."""
    if service.options.otlp is None:
        return {}
    attributes = {
        "service.namespace": service.namespace,
        "service.version": service.code_sha256[:12],
        "deployment.environment.name": service.environment,
        "cloud.region": service.region,
    }
    return {
        "OTEL_SERVICE_NAME": service.spec.name,
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(f"{key}={value}" for key, value in attributes.items()),
    }
