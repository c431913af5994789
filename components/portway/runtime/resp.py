"""Valkey's wire protocol (RESP2), as much of it as single commands with short replies need."""

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .meter_store import ATTEMPT_SECONDS

Reply = bytes | int | None

_MOST_KEPT = 50
_LONGEST_LINE = 64 << 10
_KINDS = b"+-:$"


class ReplyError(Exception):
    """The server answered with an error; its text begins with a code such as `NOAUTH`."""


class Connection:
    """One connection, authenticated. Not thread-safe."""

    def __init__(self, address: tuple[str, int], password: str | None, seconds: float) -> None:
        """Connect.

        Raises:
            OSError: nobody answers in time.
            ReplyError: the password is wrong, or one is wanted.
        """
        self._sock = socket.create_connection(address, timeout=seconds)
        self._file = self._sock.makefile("rb")
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if password is not None:
                self.call(["AUTH", password])
        except BaseException:
            self.close()
            raise

    def call(self, command: Sequence[str | int]) -> Reply:
        """Send a command and return its reply.

        Raises:
            OSError: no reply in time, or none that is one.
            ReplyError: the server's error; the connection is still good.
        """
        parts = [str(part).encode() for part in command]
        message = b"*%d\r\n" % len(parts)
        message += b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self._sock.sendall(message)
        return self._reply()

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            self._file.close()
            self._sock.close()

    def _reply(self) -> Reply:
        line = self._file.readline(_LONGEST_LINE)
        kind, rest = line[:1], line[1:].removesuffix(b"\r\n")
        if not kind or kind not in _KINDS or not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection or does not speak RESP2")
        if kind == b"-":
            raise ReplyError(rest.decode("utf-8", "replace")[:200])
        if kind == b"+":
            return rest
        if not rest.removeprefix(b"-").isdigit():
            raise ConnectionError("the server does not speak RESP2")
        length = int(rest)
        if kind == b":":
            return length
        if length < 0:
            return None
        data = self._file.read(length + 2)
        if len(data) != length + 2:
            raise ConnectionError("the server closed the connection")
        return data[:-2]


class Pool:
    """Kept connections to one server. Thread-safe.

    The password is read anew for each connection, so that one can be changed.
    """

    def __init__(
        self,
        address: tuple[str, int],
        password_file: Path | None,
        seconds: float = ATTEMPT_SECONDS,
    ) -> None:
        self._address = address
        self._password_file = password_file
        self._seconds = seconds
        self._lock = threading.Lock()
        self._idle: list[Connection] = []

    def call(self, command: Sequence[str | int]) -> Reply:
        """Send a command; see `Connection`. A kept connection that broke is replaced once."""
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        if kept is not None:
            with suppress(ConnectionError):
                return self._use(kept, command)
        return self._use(self._connect(), command)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connect(self) -> Connection:
        password = None
        if self._password_file is not None:
            password = self._password_file.read_text("utf-8").strip()
        return Connection(self._address, password, self._seconds)

    def _use(self, connection: Connection, command: Sequence[str | int]) -> Reply:
        try:
            reply = connection.call(command)
        except OSError:
            connection.close()
            raise
        except ReplyError:
            self._keep(connection)
            raise
        self._keep(connection)
        return reply

    def _keep(self, connection: Connection) -> None:
        with self._lock:
            if len(self._idle) < _MOST_KEPT:
                self._idle.append(connection)
                return
        connection.close()
