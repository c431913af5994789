"""AWS credentials where the platform puts them: in the environment, or at an address that it names.

The names of the variables are those of every AWS SDK (AWS SDKs and tools reference guide, "Container
credential provider" and "AWS access keys").
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from .errors import WireError, internal
from .jsons import JsonObject, as_object, as_text, decode
from .origin import Origin

_SECONDS = 2.0
_RENEW_SECONDS = 600.0
"""Credentials are used until this long before they end; new ones are there well before."""

_TASK_HOST = "http://169.254.170.2"
_HOSTS = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost", "::1"})


@dataclass(frozen=True, repr=False)
class Frozen:
    """Credentials at one moment. They do not show in a trace: there is no `repr`."""

    access_key: str
    secret_key: str
    token: str | None


def find_credentials() -> Callable[[], Frozen | None]:
    """Where the credentials of each moment come from; what it returns is None where there are none.

    The environment, where Lambda puts a function's own; else the address in
    `AWS_CONTAINER_CREDENTIALS_FULL_URI` or `..._RELATIVE_URI`, which Lambda's snapshots, ECS and EKS
    pod identities name. Nothing else is looked for: no profile, no instance metadata.
    """
    container = ContainerCredentials()
    return lambda: _of_environment() or container.get()


def _of_environment() -> Frozen | None:
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return None
    return Frozen(key, secret, os.environ.get("AWS_SESSION_TOKEN") or None)


class ContainerCredentials:
    """The current credentials, asked for when they are needed. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: Frozen | None = None
        self._ends = float("-inf")

    def get(self) -> Frozen | None:
        """The credentials; None where the environment names no address.

        Raises:
            WireError: there is an address, and it gives none.
        """
        address = _address()
        if address is None:
            return None
        with self._lock:
            now = self._clock()
            if now >= self._ends - _RENEW_SECONDS:
                try:
                    self._found, self._ends = _asked(address)
                except (OSError, ValueError) as error:
                    if self._found is None or now >= self._ends:
                        raise _none(f"{type(error).__name__}: {error}") from None
            return self._found


def _address() -> str | None:
    relative = os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    if relative:
        return f"{_TASK_HOST}{relative}"
    return os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") or None


def _asked(address: str) -> tuple[Frozen, float]:
    """What is at the address, and the unix time at which it ends."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    # The SDKs' own rule: the process's authorization is not sent in the clear to just anybody.
    if parts.scheme != "https" and host not in _HOSTS and not host.startswith("127."):
        raise ValueError(f"{host} is neither https nor a host of the platform")
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    with closing(Origin(address, _SECONDS)) as origin:
        status, body = origin.call("GET", path, None, _authorization())
    found = as_object(decode(body)) or {}
    key, secret = as_text(found.get("AccessKeyId")), as_text(found.get("SecretAccessKey"))
    if not key or not secret:
        raise ValueError(f"no credentials in the answer ({status})")
    return Frozen(key, secret, as_text(found.get("Token"))), _end(found)


def _authorization() -> dict[str, str]:
    file = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN") or ""
    if file:
        from pathlib import Path  # noqa: PLC0415 - Lambda names no file

        token = Path(file).read_text("utf-8")
    if "\r" in token or "\n" in token:
        raise ValueError("the authorization token holds a line end")
    return {"authorization": token} if token else {}


def _end(found: JsonObject) -> float:
    text = as_text(found.get("Expiration"))
    return datetime.fromisoformat(text).timestamp() if text else float("inf")


def _none(why: str) -> WireError:
    return internal(f"no AWS credentials: {why}")
