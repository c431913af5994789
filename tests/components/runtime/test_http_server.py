"""The HTTP server, spoken to in raw bytes, in front of a scripted upstream."""

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from portway.runtime.app import App
from portway.runtime.config import Config, read_config
from portway.runtime.http_server import HttpServer
from portway.runtime.jsons import JsonObject
from portway.runtime.keys import open_keys
from portway.runtime.pump import Cancellation
from portway.runtime.upstream import ChatRequest
from support.runtime_process import KEY, MODEL, environment, write_keys

Work = Callable[[ChatRequest, Cancellation], Iterator[JsonObject]]
Ask = Callable[..., tuple[int, dict[str, str], bytes]]


def piece(delta: JsonObject, finish: str | None = None) -> JsonObject:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


USED: JsonObject = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def plain(request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
    yield piece({"content": "hi"})
    yield piece({}, "stop")
    yield {"choices": [], "usage": USED}


class Scripted:
    """An upstream that does what its `work` does."""

    def __init__(self, work: Work = plain) -> None:
        self.work = work

    def complete(self, request: ChatRequest, cancellation: Cancellation) -> JsonObject:
        for _ in self.work(request, cancellation):
            pass
        message = {"role": "assistant", "content": "hi"}
        return {
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": USED,
        }

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        return self.work(request, cancellation)

    def check(self) -> None:
        """Ready."""


def config(tmp_path: Path, **changes: str | None) -> Config:
    keys = write_keys(tmp_path / "keys.json", KEY)
    return read_config(environment("http://127.0.0.1:9", keys, **changes))


@contextmanager
def serving(
    settings: Config, upstream: Scripted, heartbeat_seconds: float = 15
) -> Generator[tuple[str, int], None, None]:
    server = HttpServer(App(settings, open_keys(settings), upstream, heartbeat_seconds), settings)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server.address
    finally:
        server.stop()
        thread.join()


def read_answer(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536) or pytest.fail(f"closed after {data!r}")
    head, _, rest = data.partition(b"\r\n\r\n")
    start, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    if headers.get("transfer-encoding") == "chunked":
        while not rest.endswith(b"0\r\n\r\n"):
            rest += sock.recv(65536) or pytest.fail("closed in a stream")
    else:
        while len(rest) < int(headers["content-length"]):
            rest += sock.recv(65536) or pytest.fail("closed in a body")
    return int(start.split()[1]), headers, rest


def post(body: object, *, extra: str = "", key: str = KEY) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{extra}"
    )
    return f"{head}content-length: {len(data)}\r\n\r\n".encode() + data


def question(**fields: object) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "x"}], **fields}


def exchange(address: tuple[str, int], data: bytes) -> tuple[int, dict[str, str], Any]:
    with socket.create_connection(address) as sock:
        sock.settimeout(10)
        sock.sendall(data)
        status, headers, body = read_answer(sock)
    return status, headers, json.loads(body)


def until_done(address: tuple[str, int], data: bytes) -> bytes:
    """What comes until the last event of a stream, or the end of another answer."""
    said = b""
    with socket.create_connection(address) as sock:
        sock.settimeout(10)
        sock.sendall(data)
        while b"[DONE]" not in said and b'"error"' not in said:
            said += sock.recv(1 << 16)
    return said


def test_one_connection_serves_many_requests_and_pipelined_ones(tmp_path: Path) -> None:
    with (
        serving(config(tmp_path), Scripted()) as address,
        socket.create_connection(address) as sock,
    ):
        sock.settimeout(10)
        sock.sendall(post(question()))
        assert read_answer(sock)[0] == 200
        sock.sendall(post(question(stream=True)))
        status, headers, body = read_answer(sock)
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert body.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        sock.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
        answers = b""
        while answers.count(b'{"status":"ok"}') < 2:
            answers += sock.recv(65536) or pytest.fail("closed")


@pytest.mark.parametrize(
    ("request_line", "key", "status", "code"),
    [
        ("GET /v1/models", None, 401, "invalid_api_key"),
        ("GET /v1/models", "Basic abc", 401, "invalid_api_key"),
        ("GET /v1/models", "Bearer", 401, "invalid_api_key"),
        ("GET /v1/models", "Bearer pw-wrong", 401, "invalid_api_key"),
        ("GET /v1/nothing", "Bearer pw-wrong", 401, "invalid_api_key"),
        ("POST /v1/chat/completions", "Bearer pw-wrong", 401, "invalid_api_key"),
        ("GET /v1/nothing", f"Bearer {KEY}", 404, "unknown_url"),
        ("GET /", None, 404, "unknown_url"),
        ("GET /v1/chat/completions", f"Bearer {KEY}", 405, "method_not_allowed"),
        ("DELETE /v1/models/x", f"Bearer {KEY}", 405, "method_not_allowed"),
        ("GET /v1/models/%6Done", f"Bearer {KEY}", 404, "model_not_found"),
        ("POST /v1/chat/completions", f"bearer  {KEY} ", 400, None),
    ],
)
def test_every_refusal_has_its_status_and_code(
    tmp_path: Path, request_line: str, key: str | None, status: int, code: str | None
) -> None:
    header = "" if key is None else f"authorization: {key}\r\n"
    data = f"{request_line} HTTP/1.1\r\nhost: x\r\n{header}content-length: 1\r\n\r\n{{".encode()
    with serving(config(tmp_path), Scripted()) as address:
        found, headers, body = exchange(address, data)
    assert (found, body["error"]["code"]) == (status, code)
    assert body["error"]["type"] == "invalid_request_error"
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert headers["x-request-id"].startswith("req-")
    assert headers.get("allow") == {"G": "POST", "D": "GET"}.get(
        request_line[0] if status == 405 else ""
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\na: 1\r\n b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\nx", 400),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 40000 + b"\r\n\r\n", 400),
    ],
)
def test_what_two_servers_could_read_differently_is_refused(
    tmp_path: Path, data: bytes, status: int
) -> None:
    with serving(config(tmp_path), Scripted()) as address:
        found, headers, body = exchange(address, data)
    assert (found, body["error"]["type"]) == (status, "invalid_request_error")
    assert headers["connection"] == "close"


def test_a_body_above_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer {KEY}\r\n"
    declared = f"{head}content-length: 20001\r\n\r\n".encode()
    chunked = (
        f"{head}transfer-encoding: chunked\r\n\r\n".encode()
        + (b"2710\r\n" + b"x" * 10000 + b"\r\n") * 3
    )
    with serving(config(tmp_path), Scripted()) as address:
        for data in (declared, chunked):
            status, _, body = exchange(address, data)
            assert (status, body["error"]["code"]) == (413, "request_too_large")


def test_a_chunked_body_and_expect_continue_are_understood(tmp_path: Path) -> None:
    data = json.dumps(question()).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer {KEY}\r\n"
    chunks = b"".join(b"%x;note\r\n%b\r\n" % (len(p), p) for p in (data[:9], data[9:]))
    with (
        serving(config(tmp_path), Scripted()) as address,
        socket.create_connection(address) as sock,
    ):
        sock.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode() + chunks)
        sock.sendall(b"0\r\nsome: trailer\r\n\r\n")
        assert read_answer(sock)[0] == 200
        sock.sendall(f"{head}expect: 100-continue\r\ncontent-length: {len(data)}\r\n\r\n".encode())
        assert sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(data)
        assert read_answer(sock)[0] == 200


def test_an_old_client_reads_a_stream_until_it_closes(tmp_path: Path) -> None:
    data = post(question(stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    with (
        serving(config(tmp_path), Scripted()) as address,
        socket.create_connection(address) as sock,
    ):
        sock.sendall(data)
        answer = b""
        while part := sock.recv(65536):
            answer += part
    assert b"transfer-encoding" not in answer
    assert answer.endswith(b"data: [DONE]\n\n")


def test_a_sane_request_id_is_kept_and_another_replaced(tmp_path: Path) -> None:
    with serving(config(tmp_path), Scripted()) as address:
        for given, kept in (("trace-1.A:b", True), ("two words", False), ("x" * 129, False)):
            data = f"GET /healthz HTTP/1.1\r\nx-request-id: {given}\r\n\r\n".encode()
            assert (exchange(address, data)[1]["x-request-id"] == given) is kept


def test_one_request_too_many_is_told_to_come_back(tmp_path: Path) -> None:
    going, go = threading.Event(), threading.Event()

    def work(request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        going.set()
        go.wait(10)
        yield from plain(request, cancellation)

    with serving(config(tmp_path, PORTWAY_CONCURRENCY="1"), Scripted(work)) as address:
        with socket.create_connection(address) as first:
            first.sendall(post(question(stream=True)))
            assert going.wait(10)
            status, headers, body = exchange(address, post(question()))
            assert (status, headers["retry-after"]) == (429, "1")
            assert body["error"]["code"] == "rate_limit_exceeded"
            assert body["error"]["type"] == "rate_limit_error"
            go.set()
            assert read_answer(first)[0] == 200
        for _ in range(3):
            assert exchange(address, post(question()))[0] == 200


def test_whoever_has_read_the_end_of_a_stream_may_ask_again_at_once(tmp_path: Path) -> None:
    """Also before the meter has settled it and its line is written."""
    with serving(config(tmp_path, PORTWAY_CONCURRENCY="1"), Scripted(plain)) as address:
        answers = [until_done(address, post(question(stream=True)))[9:12] for _ in range(50)]
    assert answers == [b"200"] * 50


def test_the_deadline_is_a_504_before_the_stream_and_an_event_within_it(tmp_path: Path) -> None:
    def never(request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        if request.stream:
            yield piece({"content": "hi"})
        stopped = threading.Event()
        cancellation.listen(stopped.set)
        assert stopped.wait(10)

    with serving(config(tmp_path, PORTWAY_TIMEOUT_SECONDS="0.2"), Scripted(never)) as address:
        status, _, body = exchange(address, post(question()))
        assert (status, body["error"]["code"]) == (504, "deadline_exceeded")
        with socket.create_connection(address) as sock:
            sock.sendall(post(question(stream=True)))
            status, _, data = read_answer(sock)
    assert status == 200
    assert b'"code":"deadline_exceeded"' in data
    assert b"[DONE]" not in data


def test_a_silent_stream_is_kept_alive_by_comments(tmp_path: Path) -> None:
    go = threading.Event()

    def slow(request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        yield piece({"content": "hi"})
        assert go.wait(10)
        yield piece({}, "stop")

    with (
        serving(config(tmp_path), Scripted(slow), heartbeat_seconds=0.02) as address,
        socket.create_connection(address) as sock,
    ):
        sock.sendall(post(question(stream=True)))
        data = b""
        while data.count(b": ping\n\n") < 2:
            data += sock.recv(65536)
        go.set()
        while b"[DONE]" not in data:
            data += sock.recv(65536)


def test_a_fault_of_ours_is_a_500_that_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        raise KeyError(f"secret {request.messages}")

    with serving(config(tmp_path), Scripted(broken)) as address:
        status, _, body = exchange(address, post(question()))
    assert (status, body["error"]["code"]) == (500, "internal_error")
    assert "secret" not in str(body)
    log = capsys.readouterr().out
    assert "KeyError at test_http_server.py" in log
    assert "secret" not in log


def test_a_slow_reader_holds_the_upstream_back(tmp_path: Path) -> None:
    made: list[int] = []
    stopped = threading.Event()

    def flood(request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        cancellation.listen(stopped.set)
        for number in range(100_000):
            made.append(number)
            yield piece({"content": "x" * 10_000})

    with (
        serving(config(tmp_path), Scripted(flood)) as address,
        socket.create_connection(address) as sock,
    ):
        sock.sendall(post(question(stream=True)))
        sock.recv(100)
        before = -1
        while len(made) != before:
            before = len(made)
            time.sleep(0.2)
        assert len(made) < 5_000
        sock.close()
        assert stopped.wait(10)


def test_clients_that_leave_at_any_moment_leave_no_slot_behind(tmp_path: Path) -> None:
    def slowly(request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        for _ in range(5):
            time.sleep(0.001)
            yield piece({"content": "x"})
        yield piece({}, "stop")

    def leave(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(40):
            with socket.create_connection(address) as sock:
                sock.sendall(post(question(stream=chance.random() < 0.5)))
                time.sleep(chance.random() * 0.008)

    with serving(config(tmp_path, PORTWAY_CONCURRENCY="2"), Scripted(slowly)) as address:
        threads = [threading.Thread(target=leave, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses: list[int] = []
        deadline = time.monotonic() + 10
        while statuses[-20:] != [200] * 20 and time.monotonic() < deadline:
            statuses.append(exchange(address, post(question()))[0])
        assert statuses[-20:] == [200] * 20
        with socket.create_connection(address) as first:
            first.sendall(post(question(stream=True)))
            assert exchange(address, post(question()))[0] == 200
            assert read_answer(first)[0] == 200


def test_more_connections_than_can_be_held_are_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portway.runtime.http_server._SPARE_CONNECTIONS", 0)
    monkeypatch.setattr("portway.runtime.http_server._CONNECTIONS_PER_SLOT", 1)
    hello = b"GET /healthz HTTP/1.1\r\n\r\n"
    with serving(config(tmp_path, PORTWAY_CONCURRENCY="1"), Scripted()) as address:
        with socket.create_connection(address) as held:
            held.sendall(hello)
            assert read_answer(held)[0] == 200
            with socket.create_connection(address) as turned_away:
                status, headers, _ = read_answer(turned_away)
                assert (status, headers["retry-after"]) == (503, "5")
        held_again = 503
        while held_again == 503:
            with socket.create_connection(address) as sock:
                sock.sendall(hello)
                held_again = read_answer(sock)[0]
