"""The one TLS context of the process: reading the system's certificates costs a start."""

import ssl
from functools import cache


@cache
def tls_context() -> ssl.SSLContext:
    """Certificates checked against the system's, or what `SSL_CERT_FILE` names; HTTP/1.1 only."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
