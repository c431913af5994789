"""One client connection: requests in, responses out, until either side has had enough."""

import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from .errors import CLIENT_CLOSED, WireError, invalid, too_large
from .exchange import Application, Request, Response, Serving, error_response, request_id
from .http_wire import (
    Disconnected,
    Head,
    MalformedMessage,
    Reader,
    TooSlow,
    body_length,
    chunk,
    head_bytes,
    last_chunk,
)
from .log import Record
from .pump import Cancellation, Cancelled
from .watcher import Watcher

_IDLE_SECONDS = 75.0
_HEAD_SECONDS = 15.0
_BODY_SECONDS = 60.0
_SEND_SECONDS = 30.0
_LINGER_SECONDS = 2.0


class Connection:
    """Runs in a thread of its own. `ended` is called when it is over."""

    def __init__(
        self,
        sock: socket.socket,
        app: Application,
        config: Serving,
        watcher: Watcher,
        ended: "Callable[[Connection], None]",
    ) -> None:
        self._sock = sock
        self._app = app
        self._config = config
        self._watcher = watcher
        self._ended = ended
        self._reader = Reader(sock)
        self._lock = threading.Lock()
        self._idle = True
        self._last = False

    def finish(self) -> None:
        """Close when idle, else after the answer that is being made."""
        with self._lock:
            self._last = True
            if self._idle:
                _shut(self._sock, socket.SHUT_RDWR)

    def run(self) -> None:
        """Serve the connection to its end."""
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._serve_one():
                pass
        except (Disconnected, TooSlow, Cancelled, OSError):
            pass
        finally:
            self._sock.close()
            self._ended(self)

    def _serve_one(self) -> bool:
        self._reader.deadline = time.monotonic() + _IDLE_SECONDS
        if not self._reader.arrived():
            return False
        with self._lock:
            self._idle = False
        started = time.monotonic()
        self._reader.deadline = started + _HEAD_SECONDS
        try:
            head = self._reader.head()
            if head is None:
                return False
            body = _Body(self._reader, self._sock, head, self._config.max_body_bytes)
        except MalformedMessage as error:
            self._refuse(invalid(f"The request is not valid HTTP: {error}."))
            return False
        again = self._answer(head, body, started)
        with self._lock:
            self._idle = True
            return again and not self._last

    def _answer(self, head: Head, body: "_Body", started: float) -> bool:
        method, target, version = head.start
        path = urlsplit(target).path if "://" in target else target.partition("?")[0]
        record = Record(request_id(head.headers), method, path, started)
        cancellation = Cancellation()

        def read_body() -> bytes:
            data = body.read(started + self._config.timeout_seconds)
            self._watcher.watch(self._sock, cancellation)
            return data

        request = Request(
            method=method,
            path=unquote(path),
            headers=head.headers,
            read_body=read_body,
            deadline=started + self._config.timeout_seconds,
            record=record,
            cancellation=cancellation,
            target=target,
        )
        response = self._app.handle(request)
        again = _stays_open(head, version) and body.complete and not self._last
        try:
            if response.status == CLIENT_CLOSED:
                return False
            self._send(response, method, version, again=again)
        except OSError:
            record.status, record.error = CLIENT_CLOSED, "client_disconnected"
            raise
        finally:
            self._watcher.unwatch(self._sock)
            if response.stream is not None:
                response.stream.close()
            self._app.finish(record)
        if not body.complete:
            self._linger()
        return again

    def _send(self, response: Response, method: str, version: str, *, again: bool) -> None:
        self._sock.settimeout(_SEND_SECONDS)
        headers = {"date": _date(), **response.headers}
        chunked = response.stream is not None and version != "HTTP/1.0"
        if chunked:
            headers["transfer-encoding"] = "chunked"
        elif response.stream is None:
            headers["content-length"] = str(len(response.body))
        if not again or (response.stream is not None and not chunked):
            headers["connection"] = "close"
        start = f"HTTP/1.1 {response.status} {_reason(response.status)}"
        first = head_bytes(start, headers)
        if response.stream is None:
            self._sock.sendall(first + (b"" if method == "HEAD" else response.body))
            return
        for piece in response.stream:
            self._sock.sendall(first + (chunk(piece) if chunked else piece))
            first = b""
        self._sock.sendall(first + (last_chunk() if chunked else b""))

    def _refuse(self, error: WireError) -> None:
        """Answer what is no HTTP request, and say so in the log."""
        record = Record(request_id({}), "-", "-")
        record.status = error.status
        record.fail(error)
        response = error_response(error)
        response.headers["x-request-id"] = record.request_id
        try:
            self._send(response, "-", "HTTP/1.1", again=False)
            self._linger()
        finally:
            self._app.finish(record)

    def _linger(self) -> None:
        """Let the client read the answer although it is still sending: closing would reset it."""
        _shut(self._sock, socket.SHUT_WR)
        self._reader.deadline = time.monotonic() + _LINGER_SECONDS
        while self._reader.some(1 << 20):
            pass


class _Body:
    """A request's body: read only when somebody wants it, and never beyond the limit."""

    def __init__(self, reader: Reader, sock: socket.socket, head: Head, limit_bytes: int) -> None:
        self._reader = reader
        self._sock = sock
        self._head = head
        self._limit_bytes = limit_bytes
        self._length = body_length(head.headers)
        self.complete = self._length == 0
        """Whether the connection stands at the next request."""

    def read(self, deadline: float) -> bytes:
        """Read it whole.

        Raises:
            WireError: 400, 408 or 413.
            Cancelled: the client closed in the middle.
        """
        if self._length is not None and self._length > self._limit_bytes:
            raise too_large(self._limit_bytes)
        self._reader.deadline = min(deadline, time.monotonic() + _BODY_SECONDS)
        data = bytearray()
        try:
            if self._head.headers.get("expect", "").lower() == "100-continue":
                self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            for piece in self._reader.body(self._head.headers):
                data += piece
                if len(data) > self._limit_bytes:
                    raise too_large(self._limit_bytes)
        except MalformedMessage as error:
            raise invalid(f"The request body is not valid HTTP: {error}.") from error
        except TooSlow:
            raise WireError(
                408, "The request body did not arrive in time.", code="request_timeout"
            ) from None
        except (Disconnected, OSError):
            raise Cancelled from None
        self.complete = True
        return bytes(data)


def _stays_open(head: Head, version: str) -> bool:
    wishes = head.headers.get("connection", "").lower()
    return version == "HTTP/1.1" and "close" not in wishes


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _date() -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())


def _shut(sock: socket.socket, how: int) -> None:
    try:
        sock.shutdown(how)
    except OSError:
        return
