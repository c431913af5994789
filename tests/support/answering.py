"""A server on loopback that answers whatever arrives, plain or with TLS, and counts its connections."""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Answer = Callable[[bytes], bytes | None]


class Server:
    """Answers what arrives on each connection with `answer`; None closes the connection.

    With `once` it closes each connection after its first answer.
    """

    def __init__(
        self, answer: Answer, tls: ssl.SSLContext | None = None, *, once: bool = False
    ) -> None:
        self._answer = answer
        self._tls = tls
        self._once = once
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self.connections = 0
        self.hung_up = threading.Event()
        """Set when a client closed its side."""
        self.closed = threading.Event()
        """Set when this side closed a connection after its only answer."""
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            end = sock if self._tls is None else self._tls.wrap_socket(sock, server_side=True)
            with end:
                while data := end.recv(65536):
                    answer = self._answer(data)
                    if answer is None:
                        return
                    end.sendall(answer)
                    if self._once:
                        break
                else:
                    self.hung_up.set()
        if self._once:
            self.closed.set()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accepting, *self._threads):
            thread.join(10)


@contextmanager
def serving(
    answer: Answer, tls: ssl.SSLContext | None = None, *, once: bool = False
) -> Generator[Server]:
    """A server until the end of the block."""
    server = Server(answer, tls, once=once)
    try:
        yield server
    finally:
        server.close()


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """An HTTP answer whose length is said."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def certificate(
    folder: Path, address: str = "127.0.0.1", *, host: str = "localhost", by: str = "test"
) -> tuple[Path, ssl.SSLContext]:
    """A certificate for an address and a host, which vouches for itself, and a server's context.

    ``by`` is the name of who vouches.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, by)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName(host)]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = folder / f"{by}-{address}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return pem, context
