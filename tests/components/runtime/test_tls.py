"""Whom a host must be vouched for by: Amazon's roots for AWS, all of the system's for others."""

import socket
import ssl
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace

import pytest

from portway.runtime import dial, tls
from support.answering import certificate, http, serving

AWS = "bedrock-runtime.eu-west-1.amazonaws.com"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    _forget()
    yield
    _forget()


def _forget() -> None:
    tls._amazon_context.cache_clear()  # pyright: ignore[reportPrivateUsage]
    tls._all_needed.clear()  # pyright: ignore[reportPrivateUsage]
    tls.tls_context.cache_clear()


class System:
    """A system whose file of certificates is `file`, and that counts how often all were read."""

    def __init__(self, patch: pytest.MonkeyPatch, file: Path | None) -> None:
        self.read_all = 0
        whole = ssl.create_default_context

        def counted(cadata: bytes | None = None) -> ssl.SSLContext:
            if cadata is not None:
                return whole(cadata=cadata)
            self.read_all += 1
            return whole(cafile=None if file is None else str(file))

        found = SimpleNamespace(cafile=None if file is None else str(file))
        patch.setattr(ssl, "get_default_verify_paths", lambda: found)
        patch.setattr(ssl, "create_default_context", counted)


def _call(patch: pytest.MonkeyPatch, host: str, server: ssl.SSLContext) -> tuple[str, int]:
    """What one request to `host` is answered, and how many connections that took."""
    with serving(lambda _: http(b"a"), server) as found:

        def connected(*_: object) -> socket.socket:
            return socket.create_connection(found.address, timeout=10)

        patch.setattr(dial, "_connected", connected)
        with dial.dial(host, 443, tls=True, seconds=10) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            answer = sock.recv(12)
        return answer.decode(), found.connections


def _file(folder: Path, *pems: Path) -> Path:
    """A system's file: comments, and certificates of several."""
    file = folder / "bundle.crt"
    file.write_text("\n".join(f"# {pem.name}\n{pem.read_text()}" for pem in pems))
    return file


def test_amazons_roots_are_enough_for_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    amazon, server = certificate(tmp_path, host=AWS, by="Amazon Root CA 1")
    other, _ = certificate(tmp_path)
    system = System(monkeypatch, _file(tmp_path, other, amazon))
    tls.prepare(AWS)
    assert _call(monkeypatch, AWS, server) == ("HTTP/1.1 200", 1)
    assert system.read_all == 0


def test_another_that_the_system_trusts_is_found_at_the_second_try_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    amazon, _ = certificate(tmp_path, by="Starfield Services Root Certificate Authority - G2")
    other, server = certificate(tmp_path, host=AWS)
    system = System(monkeypatch, _file(tmp_path, amazon, other))
    assert _call(monkeypatch, AWS, server) == ("HTTP/1.1 200", 2)
    assert _call(monkeypatch, AWS, server) == ("HTTP/1.1 200", 1)
    assert system.read_all == 1


def test_whom_the_system_does_not_trust_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    amazon, _ = certificate(tmp_path, by="Amazon Root CA 1")
    _, stranger = certificate(tmp_path, host=AWS, by="Amazon Root CA 2")
    System(monkeypatch, _file(tmp_path, amazon))
    for _ in range(2):
        with pytest.raises(ssl.SSLCertVerificationError):
            _call(monkeypatch, AWS, stranger)


def test_a_certificate_for_another_host_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    amazon, server = certificate(tmp_path, host="s3.amazonaws.com", by="Amazon Root CA 1")
    System(monkeypatch, _file(tmp_path, amazon))
    with pytest.raises(ssl.SSLCertVerificationError):
        _call(monkeypatch, AWS, server)


@pytest.mark.parametrize("host", ["localhost", "amazonaws.com.example", "notamazonaws.com"])
def test_other_hosts_are_vouched_for_by_all_of_the_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    amazon, server = certificate(tmp_path, host=host, by="Amazon Root CA 1")
    system = System(monkeypatch, _file(tmp_path, amazon))
    assert _call(monkeypatch, host, server) == ("HTTP/1.1 200", 1)
    assert system.read_all == 1


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nA\n", None])
def test_a_system_without_amazons_roots_is_asked_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    other, server = certificate(tmp_path, host=AWS)
    file = _file(tmp_path, other)
    system = System(monkeypatch, file)
    listed = tmp_path / "missing"
    if text is not None:
        listed.write_text(text)
    monkeypatch.setattr(
        ssl, "get_default_verify_paths", lambda: SimpleNamespace(cafile=str(listed))
    )
    assert _call(monkeypatch, AWS, server) == ("HTTP/1.1 200", 1)
    assert system.read_all == 1


def test_a_file_of_the_operators_own_is_taken_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, server = certificate(tmp_path, host=AWS)
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    assert _call(monkeypatch, AWS, server) == ("HTTP/1.1 200", 1)
