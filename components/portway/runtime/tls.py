"""TLS contexts of the process, each made once: to read all of a system's certificates costs a start.

AWS's endpoints are vouched for by five roots ("Amazon Trust Services: certificate authorities"; AWS
Security Blog, "How to prepare for AWS's move to its own certificate authority"). For them those are
taken out of the system's file, which is a hundredth of the work; should they not be enough, all of
the system's are asked, as for every other host.
"""

import binascii
import os
import socket
import ssl
import threading
from functools import cache

_AMAZON = ".amazonaws.com"
_AMAZON_ROOTS = (b"Amazon Root CA", b"Starfield Services Root Certificate Authority")
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_END = b"-----END CERTIFICATE-----"


class Untrusted(Exception):
    """Amazon's own roots do not vouch for a host; ask again, with all that the system trusts."""


_all_needed = threading.Event()


def prepare(host: str) -> None:
    """Make the context for `host` now, so that its first connection need not wait for it."""
    _context(host)


def secured(sock: socket.socket, host: str) -> ssl.SSLSocket:
    """A connected socket under TLS, with a certificate that is checked for `host`.

    Raises:
        Untrusted: see there; at most once in a process. The socket is of no use any more.
        OSError: no TLS, or no certificate for `host` that the system trusts.
    """
    context = _context(host)
    try:
        return context.wrap_socket(sock, server_hostname=host)
    except ssl.SSLCertVerificationError:
        if context is tls_context():
            raise
        _all_needed.set()
        raise Untrusted from None


@cache
def tls_context() -> ssl.SSLContext:
    """Certificates checked against the system's, or what `SSL_CERT_FILE` names; HTTP/1.1 only."""
    return _http(ssl.create_default_context())


def _context(host: str) -> ssl.SSLContext:
    if not host.endswith(_AMAZON) or _all_needed.is_set():
        return tls_context()
    return _amazon_context() or tls_context()


@cache
def _amazon_context() -> ssl.SSLContext | None:
    """Amazon's roots out of the system's file; None where there is no such file, or another's."""
    if "SSL_CERT_FILE" in os.environ or "SSL_CERT_DIR" in os.environ:
        return None
    path = ssl.get_default_verify_paths().cafile
    try:
        with open(path or "", "rb") as file:  # noqa: PTH123 - pathlib costs a start more
            roots = [*filter(_is_amazons, _certificates(file.read()))]
        return _http(ssl.create_default_context(cadata=b"".join(roots))) if roots else None
    except (OSError, ValueError):
        return None


def _certificates(pem: bytes) -> list[bytes]:
    parts = (part.partition(_END)[0] for part in pem.split(_BEGIN)[1:])
    return [binascii.a2b_base64(part) for part in parts]


def _is_amazons(der: bytes) -> bool:
    return any(name in der for name in _AMAZON_ROOTS)


def _http(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols(["http/1.1"])
    return context
