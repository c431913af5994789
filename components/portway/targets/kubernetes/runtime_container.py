"""The container that our own runtime answers in: beside a model server, or alone as a front door. Pure."""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from portway.images import image
from portway.targets.kubernetes.containers import RESTRICTED, env_list, probe
from portway.targets.kubernetes.service import Service
from portway.targets.kubernetes.shapes import Object
from portway.targets.kubernetes.timing import DRAIN_SECONDS

RUNTIME_PORT: Final = 8080
CODE_FILE: Final = "runtime.pyz"
CODE_MOUNT: Final = "/opt/portway"
KEYS_FILE: Final = "keys.json"
KEYS_MOUNT: Final = "/var/run/portway"

CPU: Final = "250m"
MEMORY: Final = "512Mi"
"""What the container may use at most."""

_PYTHON: Final = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


def container(
    name: str,
    env: Mapping[str, str],
    *,
    memory: str,
    startup: Object,
    ports: tuple[JsonValue, ...] = (),
    mounts: tuple[JsonValue, ...] = (),
) -> Object:
    """The container called ``name``.

    Args:
        name: in its pod.
        env: the runtime's variables.
        memory: that the scheduler keeps free for it, as a Kubernetes quantity.
        startup: the probe until which it does not count as started.
        ports: beside the one for requests.
        mounts: beside its code and its keys.
    """
    return {
        "name": name,
        "image": image("python").reference(),
        "imagePullPolicy": "IfNotPresent",
        "command": ["python"],
        "args": [f"{CODE_MOUNT}/{CODE_FILE}"],
        "env": env_list({**env, **_PYTHON}),
        "ports": [{"name": "http", "containerPort": RUNTIME_PORT}, *ports],
        "resources": {
            "requests": {"cpu": CPU, "memory": memory, "ephemeral-storage": "128Mi"},
            "limits": {"memory": MEMORY, "ephemeral-storage": "256Mi"},
        },
        "startupProbe": startup,
        "livenessProbe": probe("/healthz", RUNTIME_PORT, period=10, timeout=5, failures=6),
        "readinessProbe": probe("/readyz", RUNTIME_PORT, period=5, timeout=5, failures=2),
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
        "securityContext": RESTRICTED,
        "volumeMounts": [
            {"name": "code", "mountPath": CODE_MOUNT, "readOnly": True},
            {"name": "keys", "mountPath": KEYS_MOUNT, "readOnly": True},
            *mounts,
        ],
    }


def code_and_keys(service: Service) -> list[JsonValue]:
    """The volumes that every such container mounts."""
    return [
        {"name": "code", "configMap": {"name": service.code, "defaultMode": 0o444}},
        {"name": "keys", "secret": {"secretName": service.secret, "defaultMode": 0o440}},
    ]
