"""The door over loopback, before ends that answer byte by byte as told."""

import json
import socket
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from portway.runtime.config import BadConfig
from portway.runtime.door import read_door_config
from support.door_ends import (
    STREAM_HEAD,
    Asked,
    RunningDoor,
    Script,
    chunked,
    door_environment,
    json_reply,
    replying,
    routes_text,
    running_door,
    scripted_ends,
)
from support.runtime_process import KEY, started
from support.waiting import until

AUTH = {"authorization": f"Bearer {KEY}"}
CHAT = "/v1/chat/completions"
BUSY = json_reply({"error": {"code": "rate_limit_exceeded"}}, "429 Too Many Requests")
SPENT = json_reply({"error": {}}, "429 Too Many Requests", "x-should-retry: false")
GONE = json_reply({"error": {"code": "upstream_unavailable"}}, "503 Service Unavailable")
FINE = json_reply({"by": "fine"})


def hang_up(sock: socket.socket, asked: Asked) -> None:
    """Close without a byte."""


def open_request(
    door: RunningDoor, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[HTTPConnection, HTTPResponse]:
    connection = HTTPConnection(urlsplit(door.url).netloc, timeout=20)
    connection.request(method, path, body or None, {**AUTH, **headers})
    return connection, connection.getresponse()


def ask(
    door: RunningDoor, method: str = "POST", path: str = CHAT, body: bytes = b"{}", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection, response = open_request(door, method, path, body, **headers)
    try:
        return response.status, {n.lower(): v for n, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def code_of(body: bytes) -> str:
    return json.loads(body)["error"]["code"]


def status_of(door: RunningDoor) -> dict[str, Any]:
    status, _, body = ask(door, "GET", "/door/status", b"")
    assert status == 200
    return json.loads(body)


def test_a_request_and_its_answer_pass_byte_for_byte_with_the_ends_own_key(tmp_path: Path) -> None:
    body = '{"text": "ä  \\u00e4"}'.encode()
    answer = json_reply({"by": "a"}, "200 OK", "x-own: 1", "server: vllm", "x-request-id: other")
    with (
        scripted_ends(a=replying(answer)) as ends,
        running_door(tmp_path, {"a": 100}, ends) as door,
    ):
        found = ask(
            door, "POST", f"{CHAT}?a=%20b&c", body, **{"x-request-id": "mine", "x-app": "z"}
        )
    assert (found[0], found[2]) == (200, b'{"by": "a"}')
    assert found[1]["x-request-id"] == "mine"
    assert (found[1]["x-own"], found[1]["content-length"]) == ("1", "11")
    (asked,) = ends["a"].asked
    assert asked.start == f"POST {CHAT}?a=%20b&c HTTP/1.1"
    assert asked.body == body
    assert asked.headers["authorization"] == "Bearer pw-key-of-a"
    assert asked.headers["host"] == urlsplit(ends["a"].url).netloc
    assert (asked.headers["x-request-id"], asked.headers["x-app"]) == ("mine", "z")
    assert KEY not in str(asked)


def test_only_the_doors_own_key_opens_it_and_no_end_hears_of_other_requests(tmp_path: Path) -> None:
    with scripted_ends(a=replying(FINE)) as ends, running_door(tmp_path, {"a": 100}, ends) as door:
        for path in (CHAT, "/v1/models", "/door/status"):
            status, _, body = ask(door, "GET", path, b"", authorization="Bearer pw-key-of-a")
            assert (status, code_of(body)) == (401, "invalid_api_key")
        assert ask(door, "GET", "/metrics", b"")[0] == 404
        assert ask(door, "POST", "/door/status")[0] == 405
        assert [ask(door, "GET", path, b"")[0] for path in ("/healthz", "/readyz")] == [200, 200]
        assert ask(door, "POST", CHAT, b"x" * 20001)[0] == 413
    assert ends["a"].asked == []


def test_streams_arrive_piece_by_piece_and_whole(tmp_path: Path) -> None:
    pieces = [b'data: {"n":%d}\n\n' % n for n in range(5)] + [b"data: [DONE]\n\n"]
    go = threading.Semaphore(0)

    def script(sock: socket.socket, asked: Asked) -> None:
        del asked
        sock.sendall(STREAM_HEAD)
        for piece in pieces:
            go.acquire()
            sock.sendall(chunked(piece))
        sock.sendall(b"0\r\n\r\n")

    with scripted_ends(a=script) as ends, running_door(tmp_path, {"a": 100}, ends) as door:
        go.release()
        connection, response = open_request(door, "POST", CHAT, b"{}")
        got = [response.read1()]
        for _ in pieces[1:]:
            go.release()
            got.append(response.read1())
        assert got == pieces, "each piece is there before the next is made"
        assert response.read() == b""
        connection.close()
        until(lambda: status_of(door)["ends"]["a"]["in_flight"] == 0, "its end")


@pytest.mark.parametrize("script", [hang_up, replying(GONE), replying(BUSY), None])
def test_a_request_that_got_nothing_is_answered_by_another_end(
    tmp_path: Path, script: Script | None
) -> None:
    weights = {"bad": 99, "fine": 1}
    with (
        scripted_ends(bad=script or hang_up, fine=replying(FINE)) as ends,
        running_door(tmp_path, weights, ends) as door,
    ):
        if script is None:
            ends["bad"].close()
        answers = [ask(door, body=b"{}")[::2] for _ in range(5)]
        counted = status_of(door)["ends"]
    assert answers == [(200, b'{"by": "fine"}')] * 5
    assert counted["bad"]["retried"] == counted["bad"]["failed"] == counted["bad"]["requests"] > 0
    assert counted["fine"] == {"in_flight": 0, "requests": 5, "failed": 0, "retried": 0}


def test_no_request_goes_to_an_end_of_weight_zero_not_even_in_need(tmp_path: Path) -> None:
    with (
        scripted_ends(bad=hang_up, drained=replying(FINE)) as ends,
        running_door(tmp_path, {"bad": 100, "drained": 0}, ends) as door,
    ):
        status, headers, body = ask(door)
    assert (status, code_of(body)) == (503, "upstream_unavailable")
    assert headers["retry-after"] == "5"
    assert ends["drained"].asked == []


@pytest.mark.parametrize("answer", [SPENT, json_reply({}, "500 Oops"), json_reply({}, "404 No")])
def test_an_answer_that_another_end_would_not_better_is_the_answer(
    tmp_path: Path, answer: bytes
) -> None:
    with (
        scripted_ends(a=replying(answer), b=replying(answer)) as ends,
        running_door(tmp_path, {"a": 50, "b": 50}, ends) as door,
    ):
        status, _, body = ask(door)
    assert str(status).encode() == answer[9:12]
    assert body == answer.partition(b"\r\n\r\n")[2]
    assert sum(len(end.asked) for end in ends.values()) == 1


def test_when_every_end_is_busy_the_last_one_says_so_itself(tmp_path: Path) -> None:
    with (
        scripted_ends(a=replying(BUSY), b=replying(BUSY)) as ends,
        running_door(tmp_path, {"a": 50, "b": 50}, ends) as door,
    ):
        assert (ask(door)[0], len(ends["a"].asked), len(ends["b"].asked)) == (429, 1, 1)


def cut_after(*pieces: bytes) -> Script:
    return replying(STREAM_HEAD + b"".join(map(chunked, pieces)))


def test_an_answer_that_breaks_off_is_never_begun_again(tmp_path: Path) -> None:
    event = b"data: {}\n\n"
    scripts = {
        "event": cut_after(event),
        "middle": cut_after(event, b'data: {"unfin'),
        "sized": replying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
        "head": replying(b"HTTP/1.1 200 OK\r\nconte"),
    }
    found: dict[str, object] = {}
    with scripted_ends(fine=replying(FINE), **scripts) as ends:
        for name in scripts:
            with running_door(tmp_path, {name: 100, "fine": 0}, ends) as door:
                try:
                    found[name] = ask(door)[::2]
                except IncompleteRead as error:
                    found[name] = error.partial
                assert status_of(door)["ends"][name]["failed"] == 1
    told = b'"code":"upstream_error"'
    assert isinstance(found["event"], tuple)
    assert isinstance(found["event"][1], bytes)
    assert found["event"][1].startswith(event + b"data: ")
    assert told in found["event"][1], "between two events the stream can say what happened"
    assert found["middle"] == event + b'data: {"unfin', "and elsewhere it is cut"
    assert isinstance(found["sized"], tuple)
    assert isinstance(found["head"], tuple)
    assert [found["sized"][0], found["head"][0]] == [502, 502]
    assert ends["fine"].asked == []


def test_an_end_hears_at_once_that_the_client_hung_up(tmp_path: Path) -> None:
    heard = threading.Event()

    def script(sock: socket.socket, asked: Asked) -> None:
        del asked
        sock.sendall(STREAM_HEAD + chunked(b"data: {}\n\n"))
        if sock.recv(1) == b"":
            heard.set()

    with scripted_ends(a=script) as ends, running_door(tmp_path, {"a": 100}, ends) as door:
        connection, response = open_request(door, "POST", CHAT, b"{}")
        assert response.read1() == b"data: {}\n\n"
        assert status_of(door)["ends"]["a"]["in_flight"] == 1
        response.close()
        connection.close()
        assert heard.wait(10)
        until(lambda: status_of(door)["ends"]["a"]["in_flight"] == 0, "its end")
        assert status_of(door)["ends"]["a"]["failed"] == 0, "a client that leaves is nobody's fault"


def test_an_end_slower_than_the_deadline_is_a_504_and_not_asked_of_another(tmp_path: Path) -> None:
    released = threading.Event()

    def script(sock: socket.socket, asked: Asked) -> None:
        del sock, asked
        released.wait(10)

    with (
        scripted_ends(a=script, b=script) as ends,
        running_door(tmp_path, {"a": 50, "b": 50}, ends, PORTWAY_TIMEOUT_SECONDS="0.2") as door,
    ):
        status, _, body = ask(door)
        released.set()
    assert (status, code_of(body)) == (504, "deadline_exceeded")
    assert sum(len(end.asked) for end in ends.values()) == 1


def test_fifty_streams_at_a_time_lose_nothing_while_the_weights_shift(tmp_path: Path) -> None:
    count, pieces = 50, 6
    stop = threading.Event()

    def speaking(name: str) -> Script:
        def script(sock: socket.socket, asked: Asked) -> None:
            asked_id = asked.headers["x-request-id"]
            sock.sendall(STREAM_HEAD)
            for number in range(pieces):
                event = json.dumps({"by": name, "id": asked_id, "n": number})
                sock.sendall(chunked(f"data: {event}\n\n".encode()))
                time.sleep(0.005)
            sock.sendall(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")

        return script

    answered: list[tuple[str, str, bool]] = []
    faults: list[str] = []

    def client(number: int, door: RunningDoor) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            mine = f"c{number}-{turn}"
            try:
                status, _, body = ask(door, "POST", CHAT, b"{}", **{"x-request-id": mine})
                events = [json.loads(e[6:]) for e in body.split(b"\n\n")[:-2]]
            except (OSError, ValueError, IncompleteRead) as error:
                faults.append(f"{mine}: {error!r}")
                return
            by = {event["by"] for event in events}
            whole = status == 200 and body.endswith(b"data: [DONE]\n\n") and len(by) == 1
            right = [(e["id"], e["n"]) for e in events] == [(mine, n) for n in range(pieces)]
            answered.append((mine, ",".join(by), whole and right))

    steps = [{"a": 100 - share, "b": share} for share in (0, 5, 25, 50, 100)]
    with (
        scripted_ends(a=speaking("a"), b=speaking("b")) as ends,
        running_door(tmp_path, steps[0], ends) as door,
    ):
        clients = [threading.Thread(target=client, args=(n, door)) for n in range(count)]
        for thread in clients:
            thread.start()
        for weights in [*steps, *reversed(steps), {"a": 0, "b": 100}]:
            door.shift(weights)
            until(lambda expected=weights: status_of(door)["weights"] == expected, "the weights")
            before = len(answered)
            until(lambda before=before: len(answered) >= before + count or bool(faults), "answers")
        until(lambda: status_of(door)["ends"]["a"]["in_flight"] == 0, "its end")
        drained = len(ends["a"].asked)
        seen = len(answered)
        until(lambda: len(answered) >= seen + count or bool(faults), "answers")
        stop.set()
        for thread in clients:
            thread.join(20)
    assert faults == []
    assert [one for one in answered if not one[2]] == [], "truncated, mixed or wrong"
    got = Counter(end for _, end, _ in answered)
    assert (got["a"], got["b"]) == (len(ends["a"].asked), len(ends["b"].asked)), "asked once each"
    assert got["a"] > count
    assert got["b"] > count
    assert len(ends["a"].asked) == drained, "an end of weight 0 gets nothing new"


def test_a_door_told_to_stop_finishes_its_streams_and_leaves(tmp_path: Path, archive: Path) -> None:
    go = threading.Event()

    def script(sock: socket.socket, asked: Asked) -> None:
        del asked
        sock.sendall(STREAM_HEAD + chunked(b"data: 1\n\n"))
        go.wait(10)
        sock.sendall(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    with scripted_ends(a=script) as ends:
        routes = tmp_path / "routes.json"
        routes.write_text(routes_text({"a": 100}, ends))
        with started(archive, door_environment(tmp_path, routes)) as process:
            weights = process.next_line()
            assert (weights["event"], weights["weights"]) == ("weights", "a 100")
            process.serving()
            connection = HTTPConnection(urlsplit(process.url).netloc, timeout=20)
            connection.request("POST", CHAT, b"{}", AUTH)
            response = connection.getresponse()
            assert response.read1() == b"data: 1\n\n"
            process.terminate()
            assert process.next_line()["event"] == "stopping"
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.1", connection.port), timeout=5)
            go.set()
            assert response.read() == b"data: [DONE]\n\n"
            connection.close()
            line = process.next_line()
            assert (line["status"], line["error"], line["detail"]) == (200, None, "answered by a")
            assert process.wait() == (0, "")


def test_a_door_that_cannot_start_says_why_and_no_secret(tmp_path: Path, archive: Path) -> None:
    routes = tmp_path / "routes.json"
    routes.write_text('{"weights": {"a": 100}, "ends": {"a": {"url": "nowhere", "key": "s3cret"}}}')
    with started(archive, door_environment(tmp_path, routes)) as process:
        assert process.wait() == (2, "portway runtime: the end a has no URL\n")
    with pytest.raises(BadConfig) as caught:
        read_door_config({"PORTWAY_ROUTES_FILE": "x", "PORT": "http"})
    assert [fault.split()[0] for fault in caught.value.faults] == [
        "PORTWAY_SERVICE",
        "PORTWAY_API_KEYS_FILE",
        "PORTWAY_MAX_BODY_BYTES",
        "PORTWAY_CONCURRENCY",
        "PORTWAY_TIMEOUT_SECONDS",
        "PORTWAY_MAX_INSTANCES",
        "PORT",
    ]
