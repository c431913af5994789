"""What every container of ours has in common. Pure."""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from portway.targets.kubernetes.shapes import Object

USER: Final = 2000
"""No user of the Python image, and the ``vllm`` user of the model server's own."""

POD_SECURITY: Final[Object] = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
RESTRICTED: Final[Object] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
}


def env_list(values: Mapping[str, str]) -> list[JsonValue]:
    """Variables as a container takes them: every value is text."""
    return [{"name": name, "value": value} for name, value in values.items()]


def probe(path: str, port: int, *, period: int, timeout: int, failures: int) -> Object:
    """An HTTP probe; times in seconds."""
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }
