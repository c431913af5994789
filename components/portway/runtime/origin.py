"""Kept connections to one HTTP origin: answers whole, or piece by piece as they arrive."""

import select
import socket
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

from .dial import cut_by, dial, hang_up
from .http_wire import Disconnected, Head, MalformedMessage, Reader, TooSlow, head_bytes
from .pump import Cancellation

_MOST_KEPT = 50
_MOST_BYTES = 1 << 20
_KEPT_SECONDS = 50.0
"""A connection that is idle for longer is not used again: what is between may have forgotten it."""

_OK = 200
_WITHOUT_BODY = frozenset({204, 304})


class Unreached(ConnectionError):
    """No connection was made, so that nothing was asked."""


class Unanswered(ConnectionError):
    """The connection broke before the first byte of an answer; what was done is not known."""


class BrokenAnswer(ConnectionError):
    """The answer is not whole, too large, or no HTTP."""


class _Line:
    """One connection; serves one exchange at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader = Reader(sock)
        self.idle_since = 0.0

    @property
    def is_fresh(self) -> bool:
        """Whether it can be used again. By the wall clock: a frozen process stops the others."""
        if not 0 <= time.time() - self.idle_since < _KEPT_SECONDS or self.reader.pending:
            return False
        # The other side says nothing unasked: what has arrived is the end of the connection.
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    def exchange(self, message: bytes) -> Head:
        """Send a request and read the head of its answer."""
        try:
            self.sock.sendall(message)
            if not self.reader.arrived():
                raise Unanswered("the connection was closed before an answer")
        except (TooSlow, TimeoutError):
            raise TimeoutError("no answer in time") from None
        except OSError as error:
            raise Unanswered(type(error).__name__) from error
        with _named():
            return self._head()

    def _head(self) -> Head:
        while True:
            head = self.reader.head()
            if head is None:
                raise Disconnected
            if not (head.start[1].isdigit() and len(head.start[1]) == 3):  # noqa: PLR2004 - a status
                raise MalformedMessage("the status is not a number")
            if int(head.start[1]) >= _OK:
                return head


@contextmanager
def _named() -> Generator[None, None, None]:
    """Turns what reading a message raises into what callers of an origin know."""
    try:
        yield
    except TooSlow:
        raise TimeoutError("the answer did not come in time") from None
    except (Disconnected, MalformedMessage) as error:
        raise BrokenAnswer(str(error) or type(error).__name__) from error


class Reply:
    """An answer: its head is here, its body is still to be read. Close it."""

    def __init__(
        self, origin: "Origin", line: _Line, head: Head, cancellation: Cancellation
    ) -> None:
        self.status = int(head.start[1])
        self.headers = head.headers
        self._version = head.start[0]
        self._origin = origin
        self._line = line
        self._cancellation = cancellation
        self._whole = False
        self._closed = False
        cancellation.listen(self._cut)

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives.

        Raises:
            BrokenAnswer: it ended too early.
            TimeoutError: nothing more came in time.
        """
        if self.status not in _WITHOUT_BODY:
            with _named():
                yield from self._line.reader.body(self.headers, until_close=True)
        self._whole = True

    def read(self, most: int = _MOST_BYTES) -> bytes:
        """The whole body, of at most `most` bytes; raises as `pieces` does."""
        body = bytearray()
        for piece in self.pieces():
            body += piece
            if len(body) > most:
                raise BrokenAnswer(f"the answer is larger than {most} bytes")
        return bytes(body)

    def close(self) -> None:
        """Keep the connection where the answer was read to its end, else close it."""
        self._cancellation.forget(self._cut)
        was_closed, self._closed = self._closed, True
        if not was_closed:
            self._origin.give_back(self._line, keep=self._can_be_kept())

    def _cut(self) -> None:
        hang_up(self._line.sock)

    def _can_be_kept(self) -> bool:
        ended = "content-length" in self.headers or "transfer-encoding" in self.headers
        closes = "close" in self.headers.get("connection", "").lower()
        is_current = self._version == "HTTP/1.1"
        # A cancellation that is not done after `forget` does not cut this connection any more.
        return self._whole and ended and is_current and not closes and not self._cancellation.done


class Origin:
    """`http://host:port` or `https://host`. Thread-safe; a connection serves one call at a time."""

    def __init__(
        self,
        address: str,
        seconds: float,
        *,
        connect_seconds: float | None = None,
    ) -> None:
        """Nothing is connected yet. `seconds` is how long each piece of an answer may take."""
        parts = urlsplit(address)
        self._tls = parts.scheme == "https"
        self._where = (parts.hostname or "", parts.port or (443 if self._tls else 80))
        self.host = parts.netloc.rpartition("@")[2]
        self._seconds = seconds
        self._connect_seconds = connect_seconds or seconds
        self._lock = threading.Lock()
        self._idle: list[_Line] = []
        if self._tls:
            from .tls import prepare  # noqa: PLC0415 - only where it is needed

            prepare(self._where[0])

    def call(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Send one request that may be repeated, and return its answer's status and body.

        Raises as `answer` does.
        """
        status, _, data = self.answer(method, path, body, headers)
        return status, data

    def answer(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request that may be repeated, and return its answer's status, headers and body.

        A kept connection that the other side has closed meanwhile is replaced once.

        Raises:
            OSError: nobody answered in time, or the connection broke.
        """
        line = self._kept()
        if line is not None:
            try:
                return self._whole(line, method, path, body, headers)
            except Unanswered:
                pass
        return self._whole(self._connect(), method, path, body, headers)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        cancellation: Cancellation,
    ) -> Reply:
        """Send one request, once, and return its answer, which must be closed.

        `cancellation` cuts the connection: that is how the other side learns that nobody waits.

        Raises:
            Unreached: nobody is there; nothing was asked.
            Unanswered: the connection broke before an answer.
            BrokenAnswer: what came back is no HTTP.
            TimeoutError: no answer came in time.
        """
        line = self._kept() or self._connect()
        return self._sent(line, method, path, body, headers, cancellation)

    def give_back(self, line: _Line, *, keep: bool) -> None:
        """Take a connection back after its exchange."""
        line.idle_since = time.time()
        with self._lock:
            kept = keep and len(self._idle) < _MOST_KEPT
            if kept:
                self._idle.append(line)
        if not kept:
            line.sock.close()

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for line in idle:
            line.sock.close()

    def _whole(
        self, line: _Line, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        with closing(self._sent(line, method, path, body, headers, Cancellation())) as reply:
            return reply.status, reply.headers, reply.read()

    def _sent(
        self,
        line: _Line,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        cancellation: Cancellation,
    ) -> Reply:
        told = {"host": self.host, "accept-encoding": "identity", **headers}
        if body is not None:
            told["content-length"] = str(len(body))
        message = head_bytes(f"{method} {path} HTTP/1.1", told) + (body or b"")
        try:
            with cut_by(cancellation, line.sock):
                head = line.exchange(message)
        except BaseException:
            line.sock.close()
            raise
        return Reply(self, line, head, cancellation)

    def _kept(self) -> _Line | None:
        while True:
            with self._lock:
                line = self._idle.pop() if self._idle else None
            if line is None or line.is_fresh:
                return line
            line.sock.close()

    def _connect(self) -> _Line:
        host, port = self._where
        try:
            sock = dial(host, port, tls=self._tls, seconds=self._connect_seconds)
        except OSError as error:
            raise Unreached(error.strerror or type(error).__name__) from error
        sock.settimeout(self._seconds)
        return _Line(sock)
