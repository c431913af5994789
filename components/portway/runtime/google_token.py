"""Access tokens of the service account that this process runs as, from Google's metadata server."""

import os
import threading
import time
from collections.abc import Callable

from .jsons import as_object, as_text, decode
from .meter_store import ATTEMPT_SECONDS
from .origin import Origin

_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
_RENEW_SECONDS = 60.0
"""A token is used until this long before it ends; the server hands out a new one well before."""


class AccessTokens:
    """The current token, asked for when it is needed. Thread-safe."""

    def __init__(self, origin: Origin, clock: Callable[[], float] = time.monotonic) -> None:
        self._origin = origin
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._ends = float("-inf")

    def get(self) -> str:
        """The token.

        Raises:
            OSError: the metadata server gave none.
        """
        with self._lock:
            if self._clock() < self._ends - _RENEW_SECONDS:
                return self._token
            status, data = self._origin.call("GET", _PATH, None, {"metadata-flavor": "Google"})
            try:
                found = as_object(decode(data)) or {}
            except ValueError:
                found = {}
            token = as_text(found.get("access_token"))
            if token is None:
                raise OSError(f"the metadata server gave no token ({status})")
            lasts = found.get("expires_in")
            self._token = token
            self._ends = self._clock() + (lasts if isinstance(lasts, int | float) else 0)
            return self._token

    def forget(self) -> None:
        """Ask for a new one next time: this one was refused."""
        with self._lock:
            self._ends = float("-inf")

    def close(self) -> None:
        """Let go of the metadata server."""
        self._origin.close()


def metadata_origin() -> Origin:
    """Google's metadata server, or where `GCE_METADATA_HOST` says that one is."""
    host = os.environ.get("GCE_METADATA_HOST") or "metadata.google.internal"
    return Origin(f"http://{host}", ATTEMPT_SECONDS)
