"""The pod of every replica: the runtime beside vLLM on one GPU. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from pydantic import JsonValue

from portway.images import image
from portway.models import Model
from portway.models.fit import GPU_MEMORY_UTILISATION
from portway.runtime_env import runtime_env
from portway.spec import InferenceServiceSpec
from portway.targets.kubernetes.nodes import shape_of
from portway.targets.kubernetes.options import Flavour, KubernetesOptions
from portway.targets.kubernetes.scheduling import (
    GPU,
    node_affinity,
    node_selector,
    spread,
    tolerations,
)
from portway.targets.kubernetes.shapes import Object

RUNTIME_PORT: Final = 8080
ENGINE_PORT: Final = 8000
CODE_FILE: Final = "runtime.pyz"
CODE_MOUNT: Final = "/opt/portway"
KEYS_FILE: Final = "keys.json"
KEYS_MOUNT: Final = "/var/run/portway"
PASSWORD_FILE: Final = "password"  # noqa: S105 - the file's name
PASSWORD_MOUNT: Final = "/var/run/portway-meter"  # noqa: S105 - where that file is
CACHE_MOUNT: Final = "/var/cache/vllm"

USER: Final = 2000
"""No user of the Python image, and the ``vllm`` user of the model server's own."""

DRAIN_SECONDS: Final = 15
"""From the moment a pod is taken out of its Service until every node has heard of it."""

EXIT_SECONDS: Final = 10
ENGINE_START_SECONDS: Final = 300
DOWNLOAD_SECONDS_PER_GB: Final = 40
"""A generous start: compilation and CUDA graphs, and the weights at a slow 200 Mbit/s."""

PROBE_PERIOD_SECONDS: Final = 10
SCRATCH_GIB: Final = 8
"""Compilation caches and the temporary copies of a download, beside the weights."""

_GIB_PER_GB: Final = Decimal(10**9) / Decimal(2**30)
RESTRICTED: Final[Object] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
}


@dataclass(frozen=True)
class Counting:
    """What the runtime needs to count: its variable, and the Secret that holds the store's password."""

    variable: Mapping[str, str]
    secret: str


def startup_seconds(model: Model) -> int:
    """How long a model may load before its container is restarted, in whole probe periods."""
    seconds = ENGINE_START_SECONDS + DOWNLOAD_SECONDS_PER_GB * float(model.weights_gb)
    return -int(-seconds // PROBE_PERIOD_SECONDS) * PROBE_PERIOD_SECONDS


def grace_seconds(spec: InferenceServiceSpec) -> int:
    """From the order to stop until a pod is killed: the longest request may still end."""
    return DRAIN_SECONDS + spec.timeout_seconds + EXIT_SECONDS


def pod_spec(
    spec: InferenceServiceSpec,
    model: Model,
    region: str,
    flavour: Flavour,
    options: KubernetesOptions,
    node: str | None,
    *,
    account: str,
    code: str,
    keys: str,
    selector: Mapping[str, str],
    counting: Counting | None,
) -> Object:
    """The pod's spec; ``account``, ``code`` and ``keys`` are names of the objects it refers to."""
    cache_gib = _cache_gib(model)
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        # A Service called vllm would set VLLM_PORT, which vLLM reads as its own.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds(spec),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {"nodeAffinity": node_affinity(region, flavour, node, spot=options.spot)},
        **node_selector(flavour, node, spot=options.spot),
        "tolerations": tolerations(flavour, spot=options.spot),
        "topologySpreadConstraints": [
            spread("topology.kubernetes.io/zone", selector),
            spread("kubernetes.io/hostname", selector),
        ],
        "containers": [
            _runtime(spec, model, counting),
            _engine(spec, model, node, cache_gib, options),
        ],
        "volumes": [
            {"name": "code", "configMap": {"name": code, "defaultMode": 0o444}},
            {"name": "keys", "secret": {"secretName": keys, "defaultMode": 0o440}},
            *_password(counting),
            {"name": "runtime-tmp", "emptyDir": {"sizeLimit": "64Mi"}},
            {"name": "cache", "emptyDir": {"sizeLimit": f"{cache_gib}Gi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
        ],
    }


def _password(counting: Counting | None) -> list[JsonValue]:
    if counting is None:
        return []
    items: list[JsonValue] = [{"key": PASSWORD_FILE, "path": PASSWORD_FILE}]
    secret: Object = {"secretName": counting.secret, "defaultMode": 0o440, "items": items}
    return [{"name": "meter", "secret": secret}]


def _runtime(spec: InferenceServiceSpec, model: Model, counting: Counting | None) -> Object:
    env = runtime_env(
        spec,
        model,
        upstream=f"http://127.0.0.1:{ENGINE_PORT}",
        upstream_model=model.id,
        concurrency=spec.scaling.concurrency,
    )
    own = {
        "PORTWAY_API_KEYS_FILE": f"{KEYS_MOUNT}/{KEYS_FILE}",
        **({} if counting is None else counting.variable),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    return {
        "name": "runtime",
        "image": image("python").reference(),
        "imagePullPolicy": "IfNotPresent",
        "command": ["python"],
        "args": [f"{CODE_MOUNT}/{CODE_FILE}"],
        "env": _env({**env, **own}),
        "ports": [{"name": "http", "containerPort": RUNTIME_PORT}],
        "resources": {
            "requests": {"cpu": "250m", "memory": "256Mi", "ephemeral-storage": "128Mi"},
            "limits": {"memory": "512Mi", "ephemeral-storage": "256Mi"},
        },
        "startupProbe": _probe("/healthz", RUNTIME_PORT, period=2, timeout=2, failures=30),
        "livenessProbe": _probe("/healthz", RUNTIME_PORT, period=10, timeout=5, failures=6),
        "readinessProbe": _probe("/readyz", RUNTIME_PORT, period=5, timeout=5, failures=2),
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
        "securityContext": RESTRICTED,
        "volumeMounts": [
            {"name": "code", "mountPath": CODE_MOUNT, "readOnly": True},
            {"name": "keys", "mountPath": KEYS_MOUNT, "readOnly": True},
            *_password_mount(counting),
            {"name": "runtime-tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
        ],
    }


def _password_mount(counting: Counting | None) -> list[JsonValue]:
    mount: Object = {"name": "meter", "mountPath": PASSWORD_MOUNT, "readOnly": True}
    return [] if counting is None else [mount]


def _engine(
    spec: InferenceServiceSpec,
    model: Model,
    node: str | None,
    cache_gib: int,
    options: KubernetesOptions,
) -> Object:
    shape = shape_of(node)
    storage = f"{cache_gib + 2}Gi"
    return {
        "name": "vllm",
        "image": image("vllm").reference(),
        "imagePullPolicy": "IfNotPresent",
        "args": list(_engine_args(spec, model)),
        "env": _env(_engine_env(options.weights_mirror)),
        "ports": [{"name": "engine", "containerPort": ENGINE_PORT}],
        "resources": {
            # Extended resources are named in limits only: a request that differs is refused.
            "limits": {GPU: "1", "memory": shape.engine_memory, "ephemeral-storage": storage},
            "requests": {
                "cpu": shape.engine_cpu,
                "memory": shape.engine_memory,
                "ephemeral-storage": storage,
            },
        },
        "startupProbe": _probe(
            "/health",
            ENGINE_PORT,
            period=PROBE_PERIOD_SECONDS,
            timeout=5,
            failures=startup_seconds(model) // PROBE_PERIOD_SECONDS,
        ),
        # A long prefill can hold vLLM's event loop: only minutes of silence mean that it is dead.
        "livenessProbe": _probe("/health", ENGINE_PORT, period=30, timeout=10, failures=10),
        "readinessProbe": _probe("/health", ENGINE_PORT, period=5, timeout=5, failures=3),
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
        "securityContext": {
            **RESTRICTED,
            "readOnlyRootFilesystem": not options.writable_engine_root,
        },
        "volumeMounts": [
            {"name": "cache", "mountPath": CACHE_MOUNT},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - the same
        ],
    }


def _engine_args(spec: InferenceServiceSpec, model: Model) -> tuple[str, ...]:
    return (
        "--model", model.weights,
        "--revision", str(model.revision),
        "--served-model-name", model.id,
        "--port", str(ENGINE_PORT),
        "--max-model-len", str(model.context_tokens),
        "--max-num-seqs", str(spec.scaling.concurrency),
        "--gpu-memory-utilization", str(GPU_MEMORY_UTILISATION),
        # Without it vLLM aborts what it is generating as soon as it is told to stop.
        "--shutdown-timeout", str(spec.timeout_seconds),
        *model.vllm,
    )  # fmt: skip


def _engine_env(mirror: str | None) -> dict[str, str]:
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
    source = {} if mirror is None else {"HF_ENDPOINT": mirror}
    places = {name: f"{CACHE_MOUNT}/{folder}" for name, folder in folders.items()}
    return home | places | silent | source


def _env(values: Mapping[str, str]) -> list[JsonValue]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _probe(path: str, port: int, *, period: int, timeout: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }


def _cache_gib(model: Model) -> int:
    weights = (model.weights_gb * _GIB_PER_GB).to_integral_value(ROUND_CEILING)
    return int(weights) + SCRATCH_GIB
