"""Kept connections to an origin: when one is used again, what breaks, and how waiting is given up."""

import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from portway.runtime import origin as origins
from portway.runtime.origin import BrokenAnswer, Origin, Unanswered, Unreached
from portway.runtime.pump import Cancellation
from portway.runtime.tls import tls_context
from support.answering import Answer, Server, certificate, http, serving


@contextmanager
def reached(
    answer: Answer, seconds: float = 5.0, *, once: bool = False
) -> Generator[tuple[Server, Origin]]:
    with (
        serving(answer, once=once) as server,
        closing(Origin("http://{}:{}".format(*server.address), seconds)) as origin,
    ):
        yield server, origin


def asked(origin: Origin, cancellation: Cancellation | None = None) -> tuple[int, bytes]:
    with closing(origin.ask("POST", "/", b"{}", {}, cancellation or Cancellation())) as reply:
        return reply.status, reply.read()


def test_a_connection_is_kept_and_one_that_was_closed_replaced() -> None:
    answers = iter([http(b"a"), http(b"b"), None, http(b"c", "503 Service Unavailable")])
    with reached(lambda _: next(answers)) as (server, origin):
        found = [origin.call("GET", "/", None, {}) for _ in range(3)]
    assert found == [(200, b"a"), (200, b"b"), (503, b"c")]
    assert server.connections == 2


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"HTTP/1.1 two\r\n\r\n", None])
def test_what_is_no_answer_is_a_broken_connection(sent: bytes | None) -> None:
    with reached(lambda _: sent) as (_, origin):
        for _ in range(2):
            with pytest.raises(Unanswered if sent is None else BrokenAnswer):
                origin.call("GET", "/", None, {})


def test_a_server_that_asks_to_close_is_not_kept() -> None:
    with reached(lambda _: http(b"a", "200 OK", "connection: close")) as (server, origin):
        assert [origin.call("GET", "/", None, {}) for _ in range(2)] == [(200, b"a")] * 2
    assert server.connections == 2


def test_what_is_asked_once_is_not_asked_again_on_a_new_connection() -> None:
    answers = iter([http(b"a"), None, http(b"b")])
    with reached(lambda _: next(answers)) as (server, origin):
        assert asked(origin) == (200, b"a")
        with pytest.raises(Unanswered):
            asked(origin)
        assert asked(origin) == (200, b"b")
    assert server.connections == 2


def test_a_connection_that_the_server_has_closed_meanwhile_is_not_used() -> None:
    with reached(lambda _: http(b"a"), once=True) as (server, origin):
        assert asked(origin) == (200, b"a")
        assert server.closed.wait(10)
        assert asked(origin) == (200, b"a")
    assert server.connections == 2


def url(server: Server, scheme: str = "http") -> str:
    return "{}://{}:{}".format(scheme, *server.address)


def test_a_connection_that_was_idle_for_long_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with reached(lambda _: http(b"a")) as (server, origin):
        asked(origin)
        asked(origin)
        assert server.connections == 1
        monkeypatch.setattr(origins, "_KEPT_SECONDS", 0.0)
        asked(origin)
        assert server.connections == 2


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"a"), b"a"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", b"a"),
        (b"HTTP/1.1 204 No Content\r\nconnection: keep-alive\r\n\r\n", b""),
    ],
)
def test_answers_of_every_framing_are_read(sent: bytes, body: bytes) -> None:
    with reached(lambda _: sent) as (_, origin):
        assert asked(origin)[1] == body


def test_bytes_after_an_answer_spoil_its_connection() -> None:
    with reached(lambda _: http(b"a") + b"HTTP/1.1 200 OK\r\n") as (server, origin):
        assert [asked(origin), asked(origin)] == [(200, b"a")] * 2
    assert server.connections == 2


@pytest.mark.parametrize(
    "sent", [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na", b"HTTP/1.1 200 OK\r\ncont"]
)
def test_an_answer_that_is_not_whole_is_broken(sent: bytes) -> None:
    with reached(lambda _: sent, once=True) as (_, origin), pytest.raises(BrokenAnswer):
        asked(origin)


def test_an_answer_that_is_too_large_is_not_read_to_its_end() -> None:
    with reached(lambda _: http(b"a" * 100)) as (_, origin):
        with (
            closing(origin.ask("GET", "/", None, {}, Cancellation())) as reply,
            pytest.raises(BrokenAnswer, match="larger than 99 bytes"),
        ):
            reply.read(99)
        assert asked(origin) == (200, b"a" * 100)


def test_a_server_that_is_silent_is_given_up() -> None:
    with reached(lambda _: b"", 0.05) as (server, origin):
        with pytest.raises(TimeoutError):
            asked(origin)
        assert server.hung_up.wait(10)


def test_nobody_there_is_told_apart() -> None:
    with serving(lambda _: http(b"a")) as server:
        address = url(server)
    with closing(Origin(address, 5.0)) as origin, pytest.raises(Unreached):
        asked(origin)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na"])
def test_cancelling_cuts_the_connection_before_and_within_an_answer(sent: bytes) -> None:
    cancellation = Cancellation()
    threading.Timer(0.05, cancellation.cancel).start()
    with reached(lambda _: sent) as (server, origin):
        with pytest.raises(ConnectionError):
            asked(origin, cancellation)
        assert server.hung_up.wait(10)


def test_a_connection_whose_request_was_cancelled_is_not_kept() -> None:
    cancellation = Cancellation()
    with reached(lambda _: http(b"a")) as (server, origin):
        with closing(origin.ask("GET", "/", None, {}, cancellation)) as reply:
            assert reply.read() == b"a"
            cancellation.cancel()
        assert asked(origin) == (200, b"a")
        assert server.connections == 2


class TestTls:
    @pytest.fixture(autouse=True)
    def fresh(self) -> Generator[None]:
        tls_context.cache_clear()
        yield
        tls_context.cache_clear()

    def test_certificates_that_the_system_trusts_are_good(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pem, tls = certificate(tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        with (
            serving(lambda _: http(b"a"), tls) as server,
            closing(Origin(url(server, "https"), 5.0)) as origin,
        ):
            assert [asked(origin) for _ in range(3)] == [(200, b"a")] * 3
        assert server.connections == 1

    @pytest.mark.parametrize("address", ["127.0.0.2", None])
    def test_others_are_not(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str | None
    ) -> None:
        pem, tls = certificate(tmp_path, address or "127.0.0.1")
        if address is not None:
            monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        with (
            serving(lambda _: http(b"a"), tls) as server,
            closing(Origin(url(server, "https"), 5.0)) as origin,
            pytest.raises(Unreached),
        ):
            asked(origin)

    def test_cancelling_wakes_a_thread_that_reads_from_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pem, tls = certificate(tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        cancellation = Cancellation()
        threading.Timer(0.05, cancellation.cancel).start()
        sent = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na"
        with (
            serving(lambda _: sent, tls) as server,
            closing(Origin(url(server, "https"), 30.0)) as origin,
        ):
            began = time.monotonic()
            with pytest.raises(ConnectionError):
                asked(origin, cancellation)
            assert time.monotonic() - began < 20

    def test_a_handshake_that_never_ends_is_given_up(self, tmp_path: Path) -> None:
        with (
            serving(lambda _: b"") as server,
            closing(Origin(url(server, "https"), 30.0, connect_seconds=0.05)) as origin,
            pytest.raises(Unreached),
        ):
            asked(origin)
