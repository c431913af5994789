"""One request to one end of the door, and its reply: bytes are passed on and not looked into."""

import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .dial import cut_by, dial, hang_up
from .door_routes import End
from .errors import deadline_exceeded
from .exchange import Request
from .http_wire import Disconnected, MalformedMessage, Reader, TooSlow, head_bytes
from .pump import Cancelled

_CONNECT_SECONDS = 5.0
_CONTINUE = 100
_SWITCHING = 101
_OK = 200
_HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_NOT_SENT = _HOP_BY_HOP | {"authorization", "content-length", "expect", "host", "x-request-id"}
_NOT_ANSWERED = _HOP_BY_HOP | {"content-length", "date", "x-request-id"}


class NoAnswer(Exception):
    """The end was not reached, or hung up before the first byte of its answer."""


class BrokenOff(Exception):
    """The end's answer is not whole."""


@dataclass(frozen=True)
class Address:
    """Where an end listens."""

    host: str
    port: int
    netloc: str
    path: str
    tls: bool


def address_of(url: str) -> Address:
    """The address in an end's URL; 443 and 80 are the ports that are not written."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    return Address(parts.hostname or "", port, parts.netloc, parts.path.rstrip("/"), tls)


class Reply:
    """An end's answer: its head is here, its body is still to be read. Close it."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        reader: Reader,
        sock: socket.socket,
        request: Request,
    ) -> None:
        self.status = status
        self._headers = headers
        self._reader = reader
        self._sock = sock
        self._request = request
        request.cancellation.listen(self.hang_up)

    @property
    def headers(self) -> dict[str, str]:
        """What of its headers belongs to the client."""
        return {name: value for name, value in self._headers.items() if name not in _NOT_ANSWERED}

    @property
    def is_sized(self) -> bool:
        """Whether the length of the body was said before it."""
        return self.has_no_body or "content-length" in self._headers

    @property
    def has_no_body(self) -> bool:
        """Whether HTTP allows no body here (RFC 9112 section 6.3)."""
        return self._request.method == "HEAD" or self.status < _OK or self.status in {204, 304}

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives.

        Raises:
            BrokenOff: it ended too early, or the deadline passed.
            Cancelled: the client hung up.
        """
        if self.has_no_body:
            return
        try:
            yield from self._reader.body(self._headers, until_close=True)
        except (Disconnected, MalformedMessage, TooSlow, OSError) as error:
            if self._request.cancellation.done:
                raise Cancelled from error
            raise BrokenOff(type(error).__name__) from error
        # a body without a length ends when the connection does, also when we have cut it
        if self._request.cancellation.done:
            raise Cancelled

    def hang_up(self) -> None:
        """Cut the connection: closing it is how the end learns that nobody waits any more."""
        hang_up(self._sock)

    def close(self) -> None:
        """Close the connection. Calling it again changes nothing."""
        self._request.cancellation.forget(self.hang_up)
        self._sock.close()


def ask(end: End, request: Request, body: bytes) -> Reply:
    """Send `request` to `end` with the end's own key.

    Raises:
        NoAnswer: no byte came back; another end may be asked.
        BrokenOff: what came back is no HTTP.
        WireError: 504 when the request's deadline passed first.
        Cancelled: the client hung up.
    """
    address = address_of(end.url)
    sock = _connect(address, request)
    try:
        with cut_by(request.cancellation, sock):
            return _exchange(sock, _message(end, address, request, body), request)
    except BaseException:
        sock.close()
        raise


def _exchange(sock: socket.socket, message: bytes, request: Request) -> Reply:
    reader = Reader(sock, request.deadline)
    try:
        sock.settimeout(max(request.deadline - time.monotonic(), 0.001))
        sock.sendall(message)
        answered = reader.arrived()
    except (TooSlow, TimeoutError):
        raise deadline_exceeded("The answer took longer than this service allows.") from None
    except OSError as error:
        _unless_cancelled(request, error)
        raise NoAnswer(type(error).__name__) from error
    if not answered:
        _unless_cancelled(request, None)
        raise NoAnswer("it hung up before its answer")
    try:
        status, headers = _head(reader)
    except TooSlow:
        raise deadline_exceeded("The answer took longer than this service allows.") from None
    except (Disconnected, MalformedMessage, OSError) as error:
        _unless_cancelled(request, error)
        raise BrokenOff(type(error).__name__) from error
    return Reply(status, headers, reader, sock, request)


def _head(reader: Reader) -> tuple[int, dict[str, str]]:
    """The final status and its headers; informational ones before it are skipped."""
    while True:
        head = reader.head()
        if head is None:
            raise Disconnected
        if not head.start[1].isdigit():
            raise MalformedMessage("the status is not a number")
        status = int(head.start[1])
        if status == _SWITCHING or status < _CONTINUE:
            raise MalformedMessage("the status is none that was asked for")
        if status >= _OK:
            return status, head.headers


def _unless_cancelled(request: Request, error: Exception | None) -> None:
    if request.cancellation.done:
        raise Cancelled from error


def _message(end: End, address: Address, request: Request, body: bytes) -> bytes:
    kept = {name: value for name, value in request.headers.items() if name not in _NOT_SENT}
    headers = {
        "host": address.netloc,
        **kept,
        "authorization": f"Bearer {end.key}",
        "x-request-id": request.record.request_id,
        "connection": "close",
    }
    if body or request.method in {"POST", "PUT", "PATCH"}:
        headers["content-length"] = str(len(body))
    start = f"{request.method} {address.path}{request.target} HTTP/1.1"
    return head_bytes(start, headers) + body


def _connect(address: Address, request: Request) -> socket.socket:
    left = request.deadline - time.monotonic()
    if left <= 0:
        raise deadline_exceeded("The answer took longer than this service allows.")
    try:
        seconds = min(left, _CONNECT_SECONDS)
        return dial(address.host, address.port, tls=address.tls, seconds=seconds)
    except OSError as error:
        _unless_cancelled(request, error)
        raise NoAnswer(error.strerror or type(error).__name__) from error
