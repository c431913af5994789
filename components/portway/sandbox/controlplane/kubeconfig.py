"""A kubeconfig, read for one purpose: reaching the sandbox's own API server on loopback."""

import ipaddress
import ssl
import tempfile
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from portway.errors import Missing
from portway.sandbox.controlplane.objects import Object, dig, object_at, objects_at


@dataclass(frozen=True)
class Access:
    """How one context of a kubeconfig is reached.

    Attributes:
        server: base URL of the API server.
        token: bearer token, if that is how the user proves who it is.
        tls: verification and client certificate for an https server.
    """

    server: str
    token: str | None
    tls: ssl.SSLContext | None


def read_access(path: Path, context: str) -> Access:
    """How ``context`` of the kubeconfig at ``path`` is reached.

    Raises:
        Missing: the file cannot be read, has no such context, or points away from this machine.
    """
    try:
        text = path.read_text("utf-8")
        config: object = YAML(typ="safe", pure=True).load(text)  # pyright: ignore[reportUnknownMemberType] - untyped
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise Missing(f"{path} cannot be read: {error}; restart the sandbox") from error
    contexts = {str(item.get("name")): object_at(item, "context") for item in objects_at(config, "contexts")}  # fmt: skip
    if context not in contexts:
        known = ", ".join(sorted(contexts)) or "none"
        raise Missing(
            f'context "{context}" does not exist in {path}; it has {known}. '
            "Set placement.cluster to one of them, or restart the sandbox"
        )
    cluster = _named(config, "clusters", "cluster", contexts[context].get("cluster"))
    user = _named(config, "users", "user", contexts[context].get("user"))
    server = str(cluster.get("server", ""))
    if not _is_loopback(server):
        raise Missing(f"{path} points at {server or 'nothing'}; the sandbox only uses loopback")
    tls = _tls(cluster, user) if server.startswith("https") else None
    return Access(server.rstrip("/"), user.get("token"), tls)


def _named(config: object, plural: str, singular: str, name: object) -> Object:
    for item in objects_at(config, plural):
        if item.get("name") == name:
            return object_at(item, singular)
    return {}


def _is_loopback(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(cluster: Object, user: Object) -> ssl.SSLContext:
    authority = _pem(cluster, "certificate-authority")
    trust = ssl.create_default_context(cadata=authority.decode() if authority else None)
    certificate, key = _pem(user, "client-certificate"), _pem(user, "client-key")
    if certificate and key:
        # the standard library takes a client certificate only from a file
        with tempfile.NamedTemporaryFile(prefix="portway-", suffix=".pem") as both:
            both.write(certificate + b"\n" + key)
            both.flush()
            trust.load_cert_chain(both.name)
    return trust


def _pem(section: Object, name: str) -> bytes | None:
    inline = dig(section, f"{name}-data")
    if inline:
        return b64decode(str(inline))
    path = section.get(name)
    return Path(str(path)).read_bytes() if path else None
