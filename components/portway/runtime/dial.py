"""Connections out of this process: plain or TLS, and how a thread that reads from one is woken."""

import socket


def dial(host: str, port: int, *, tls: bool, seconds: float) -> socket.socket:
    """Connect within `seconds` for each step; the socket keeps that as its timeout.

    Raises:
        OSError: nobody answers in time, or not with a certificate for `host`.
    """
    sock = socket.create_connection((host, port), timeout=seconds)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not tls:
            return sock
        from .tls import tls_context  # noqa: PLC0415 - a server beside this one needs none

        return tls_context().wrap_socket(sock, server_hostname=host)
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
