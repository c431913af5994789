"""Connections out of this process: plain or TLS, and how a thread that reads from one is woken."""

import socket
from collections.abc import Generator
from contextlib import contextmanager

from .pump import Cancellation


def dial(host: str, port: int, *, tls: bool, seconds: float) -> socket.socket:
    """Connect within `seconds` for each step; the socket keeps that as its timeout.

    Raises:
        OSError: nobody answers in time, or not with a certificate for `host`.
    """
    if not tls:
        return _connected(host, port, seconds)
    from .tls import Untrusted  # noqa: PLC0415 - a server beside this one needs none

    try:
        return _secured(host, port, seconds)
    except Untrusted:
        return _secured(host, port, seconds)


def _connected(host: str, port: int, seconds: float) -> socket.socket:
    sock = socket.create_connection((host, port), timeout=seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _secured(host: str, port: int, seconds: float) -> socket.socket:
    from .tls import secured  # noqa: PLC0415 - as above

    sock = _connected(host, port, seconds)
    try:
        return secured(sock, host)
    except BaseException:
        sock.close()
        raise


def hang_up(sock: socket.socket) -> None:
    """Cut a connection, also under a thread that is reading from it; closing would wait for it.

    The plain socket under TLS is cut: TLS's own `shutdown` takes its state from under the reader.
    """
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return


@contextmanager
def cut_by(cancellation: Cancellation, sock: socket.socket) -> Generator[None, None, None]:
    """Hang up on `sock` when `cancellation` says so, as long as the block lasts."""

    def cut() -> None:
        hang_up(sock)

    cancellation.listen(cut)
    try:
        yield
    finally:
        cancellation.forget(cut)
