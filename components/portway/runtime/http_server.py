"""An HTTP/1.1 server: a thread per connection, limits before memory, a graceful end."""

import selectors
import socket
import threading
import time

from .connection import Connection
from .errors import unavailable
from .exchange import Application, Serving, error_response
from .http_wire import head_bytes
from .log import write_event
from .watcher import Watcher

_BACKLOG = 512
_SPARE_CONNECTIONS = 64
_CONNECTIONS_PER_SLOT = 8


class HttpServer:
    """Serves an app until `stop`. `address` is where, also when the port was 0."""

    def __init__(self, app: Application, config: Serving) -> None:
        """Bind the port.

        Raises:
            OSError: it cannot be bound.
        """
        self._app = app
        self._config = config
        self._limit = _SPARE_CONNECTIONS + _CONNECTIONS_PER_SLOT * config.concurrency
        family = socket.AF_INET6 if ":" in config.bind else socket.AF_INET
        self._listener = socket.create_server(
            (config.bind, config.port), family=family, backlog=_BACKLOG
        )
        self._listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._wake, self._woken = socket.socketpair()
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._connections: set[Connection] = set()

    def stop(self) -> None:
        """Take no new connection, finish what runs, then let `serve` return. Signal-safe."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._wake.send(b"x")

    def serve(self) -> None:
        """Serve until `stop`, then wait for running answers, at most one request's deadline."""
        watcher = Watcher()
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._listener, selectors.EVENT_READ)
                selector.register(self._woken, selectors.EVENT_READ)
                while not self._stopping.is_set():
                    selector.select()
                    self._accept(watcher)
            self._drain()
        finally:
            self._listener.close()
            self._wake.close()
            self._woken.close()
            watcher.close()

    def _accept(self, watcher: Watcher) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if len(self._connections) >= self._limit:
                _turn_away(sock)
                continue
            connection = Connection(sock, self._app, self._config, watcher, self._ended)
            with self._changed:
                self._connections.add(connection)
            threading.Thread(target=connection.run, name="connection", daemon=True).start()

    def _ended(self, connection: Connection) -> None:
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()

    def _drain(self) -> None:
        self._app.draining = True
        self._listener.close()
        deadline = time.monotonic() + self._config.timeout_seconds
        with self._changed:
            write_event("stopping", open_connections=len(self._connections))
            for connection in self._connections:
                connection.finish()
            while self._connections and time.monotonic() < deadline:
                self._changed.wait(max(deadline - time.monotonic(), 0))
        write_event("stopped", open_connections=len(self._connections))


def _turn_away(sock: socket.socket) -> None:
    response = error_response(unavailable("Too many connections.", code="too_many_connections"))
    headers = {
        **response.headers,
        "content-length": str(len(response.body)),
        "connection": "close",
    }
    with sock:
        try:
            sock.settimeout(0)
            sock.send(head_bytes("HTTP/1.1 503 Service Unavailable", headers) + response.body)
        except OSError:
            return
