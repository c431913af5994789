"""HTTP/1.1 messages on a socket: what the server, the upstream and the Lambda loop share.

Strict where leniency lets two parties disagree about where a message ends (RFC 9112 section 6).
"""

import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_HEAD_BYTES = 32 * 1024
_MAX_HEADERS = 100
_RECEIVE_BYTES = 64 * 1024
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LAST_CHUNK = b"0\r\n\r\n"


class MalformedMessage(Exception):
    """Bytes that are not the HTTP message they should be."""


class Disconnected(Exception):
    """The other side closed the connection in the middle of a message."""


class TooSlow(Exception):
    """The other side did not send, or take, its bytes in time."""


@dataclass(frozen=True)
class Head:
    """A start line and headers; names in lower case, repeated ones joined with a comma."""

    start: tuple[str, str, str]
    headers: dict[str, str]


class Reader:
    """Reads messages from a socket. `deadline` is a `time.monotonic` instant, or None."""

    def __init__(self, sock: socket.socket, deadline: float | None = None) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self.deadline = deadline

    def _fill(self) -> bool:
        if self.deadline is not None:
            remaining = self.deadline - time.monotonic()
            if remaining <= 0:
                raise TooSlow
            self._sock.settimeout(remaining)
        try:
            data = self._sock.recv(_RECEIVE_BYTES)
        except TimeoutError:
            raise TooSlow from None
        except OSError:
            data = b""
        self._buffer += data
        return bool(data)

    @property
    def pending(self) -> bool:
        """Whether bytes were received that nobody has read."""
        return bool(self._buffer)

    def arrived(self) -> bool:
        """Wait until the next message begins; False when the other side closed instead."""
        return bool(self._buffer) or self._fill()

    def head(self) -> Head | None:
        """Read a start line and headers; None when the other side closed before the first byte.

        Raises:
            MalformedMessage: they are not HTTP/1.1, or exceed the limits.
            Disconnected: it closed in the middle.
            TooSlow: the deadline passed.
        """
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise MalformedMessage(f"the headers are larger than {MAX_HEAD_BYTES} bytes")
            if not self._fill():
                if self._buffer.strip():
                    raise Disconnected
                return None
        raw = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        if len(raw) > MAX_HEAD_BYTES:
            raise MalformedMessage(f"the headers are larger than {MAX_HEAD_BYTES} bytes")
        return parse_head(raw)

    def exactly(self, size: int) -> bytes:
        """Read `size` bytes, raising as `head` does."""
        while len(self._buffer) < size:
            if not self._fill():
                raise Disconnected
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def some(self, most: int) -> bytes:
        """Read what is there, at least one byte and at most `most`; empty at the end."""
        if not self._buffer and not self._fill():
            return b""
        data = bytes(self._buffer[:most])
        del self._buffer[:most]
        return data

    def line(self, most: int = 4096) -> bytes:
        """Read up to a line end, without it."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > most:
                raise MalformedMessage("a line is too long")
            if not self._fill():
                raise Disconnected
        data = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return data

    def body(self, headers: Mapping[str, str], *, until_close: bool = False) -> Iterator[bytes]:
        """Yield a message's body piece by piece as it arrives, raising as `head` does."""
        length = body_length(headers)
        if length is None:
            yield from self._chunks()
        elif length == 0 and until_close and "content-length" not in headers:
            while piece := self.some(_RECEIVE_BYTES):
                yield piece
        else:
            yield from self._sized(length)

    def _sized(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.some(size)
            if not piece:
                raise Disconnected
            size -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := _chunk_size(self.line()):
            yield from self._sized(size)
            if self.exactly(2) != b"\r\n":
                raise MalformedMessage("a chunk does not end where it said")
        while self.line():
            pass


def parse_head(raw: bytes) -> Head:
    """Parse a start line and headers, without their final empty line.

    Raises:
        MalformedMessage: they are not HTTP/1.x.
    """
    lines = raw.decode("latin-1").lstrip("\r\n").split("\r\n")
    start = lines[0].split(" ", 2)
    if len(start) == 2:  # noqa: PLR2004 - a status line without a reason
        start.append("")
    if len(start) != 3 or not (start[2].startswith("HTTP/1.") or start[0].startswith("HTTP/1.")):  # noqa: PLR2004
        raise MalformedMessage("the first line is not HTTP/1.1")
    if len(lines) - 1 > _MAX_HEADERS:
        raise MalformedMessage(f"there are more than {_MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        value = value.strip(" \t")
        if not colon or not _NAME.fullmatch(name) or any(c in value for c in "\r\n\0"):
            raise MalformedMessage("a header line is malformed")
        name = name.lower()
        if name in headers and name in {"content-length", "transfer-encoding", "host"}:
            raise MalformedMessage(f"the header {name} is given twice")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Head((start[0], start[1], start[2]), headers)


def body_length(headers: Mapping[str, str]) -> int | None:
    """The body's length in bytes, 0 without a body, None when it comes in chunks.

    Raises:
        MalformedMessage: the headers disagree or cannot be read.
    """
    encoding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if encoding is not None and length is not None:
        raise MalformedMessage("content-length and transfer-encoding exclude each other")
    if encoding is not None:
        if encoding.lower() != "chunked":
            raise MalformedMessage("the only transfer-encoding understood is chunked")
        return None
    if length is not None and not re.fullmatch(r"[0-9]{1,15}", length):
        raise MalformedMessage("content-length is not a number")
    return int(length or 0)


def _chunk_size(line: bytes) -> int:
    size = line.split(b";", 1)[0].strip()
    if not re.fullmatch(rb"[0-9A-Fa-f]{1,12}", size):
        raise MalformedMessage("a chunk has no size")
    return int(size, 16)


def head_bytes(start: str, headers: Mapping[str, str]) -> bytes:
    """Write a start line and headers; values are ours or checked, so none holds a line end."""
    lines = [start, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Mapping[str, str] | None = None) -> bytes:
    """The end of a chunked body."""
    if not trailers:
        return _LAST_CHUNK
    return b"0\r\n" + head_bytes("", trailers)[2:]
