"""Kept connections to one HTTP origin, for small JSON calls with short waits."""

import http.client
import ssl
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

from .meter_store import ATTEMPT_SECONDS

_MOST_KEPT = 50
_MOST_BYTES = 1 << 20


class Origin:
    """`http://host:port` or `https://host`. Thread-safe; a connection serves one call at a time."""

    def __init__(self, address: str, seconds: float = ATTEMPT_SECONDS) -> None:
        parts = urlsplit(address)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._seconds = seconds
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []

    def call(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Send one request and return its answer's status and body.

        A kept connection that the other side has closed meanwhile is replaced once.

        Raises:
            OSError: nobody answered in time, or the connection broke.
        """
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        if kept is not None:
            try:
                return self._exchange(kept, method, path, body, headers)
            except (ConnectionError, http.client.RemoteDisconnected):
                pass
        return self._exchange(self._connect(), method, path, body, headers)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._seconds)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=self._seconds, context=self._tls
        )

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> tuple[int, bytes]:
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            data = answer.read(_MOST_BYTES)
        except http.client.HTTPException as error:
            connection.close()
            if isinstance(error, OSError):
                raise
            raise ConnectionError(type(error).__name__) from None
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if len(self._idle) < _MOST_KEPT and answer.isclosed() and not answer.will_close:
                self._idle.append(connection)
                return answer.status, data
        connection.close()
        return answer.status, data
