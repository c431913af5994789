"""Framing: HTTP messages and server-sent events cut anywhere."""

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.runtime import sse
from portway.runtime.http_wire import (
    Disconnected,
    Reader,
    TooSlow,
    chunk,
    last_chunk,
)
from portway.runtime.jsons import encode
from portway.runtime.upstream_errors import error_message, translate


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in at})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@given(st.lists(st.text()), st.lists(st.integers(0, 10_000)))
def test_events_are_the_same_however_they_were_cut(texts: list[str], at: list[int]) -> None:
    written = b"".join(sse.event(text) for text in texts)
    assert list(sse.events(cut(written, at))) == [encode(text) for text in texts]


def test_events_may_have_comments_names_and_other_line_ends() -> None:
    raw = b': ping\r\n\r\nevent: x\r\ndata: {"a":\r\ndata:1}\r\n\r\ndata: [DONE]\n\nid: 5\n\n'
    assert list(sse.events([raw])) == [b'{"a":\n1}', b"[DONE]"]


@given(st.lists(st.binary(min_size=1, max_size=50)), st.lists(st.integers(0, 10_000), max_size=5))
def test_a_chunked_body_is_the_same_however_it_was_cut(pieces: list[bytes], at: list[int]) -> None:
    written = b"".join(chunk(piece) for piece in pieces) + last_chunk({"a": "b"}) + b"next"
    near, far = socket.socketpair()
    with near, far:
        writer = threading.Thread(target=lambda: [far.sendall(p) for p in cut(written, at)])
        writer.start()
        reader = Reader(near)
        found = b"".join(reader.body({"transfer-encoding": "chunked"}))
        assert (found, reader.exactly(4)) == (b"".join(pieces), b"next")
        writer.join()


def test_a_body_that_ends_early_is_not_a_whole_one() -> None:
    for headers, sent in (
        ({"content-length": "5"}, b"abc"),
        ({"transfer-encoding": "chunked"}, b"5\r\nab"),
        ({"transfer-encoding": "chunked"}, chunk(b"ab")),
    ):
        near, far = socket.socketpair()
        with near:
            far.sendall(sent)
            far.close()
            with pytest.raises(Disconnected):
                list(Reader(near).body(headers))


def test_a_sender_that_is_too_slow_is_given_up() -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"GET / HTTP/1.1\r\n")
        reader = Reader(near, deadline=0)
        with pytest.raises(TooSlow):
            reader.head()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "Unauthorized"}, "Unauthorized"),
        ({"error": {"message": "no"}}, "no"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"loc": ["body"]}]}, "[{'loc': ['body']}]"),
        ({"object": "error", "message": "old"}, "old"),
        (None, ""),
        ([], ""),
    ],
)
def test_a_message_is_found_in_every_shape_of_error(body: object, message: str) -> None:
    assert error_message(body) == message


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "bad thing", (400, None)),
        (422, "bad thing", (400, None)),
        (400, "This model's maximum context length is 8 tokens.", (400, "context_length_exceeded")),
        (
            400,
            "The decoder prompt (length 9) is longer than the maximum model length of 8.",
            (400, "context_length_exceeded"),
        ),
        (401, "Unauthorized", (502, "upstream_error")),
        (404, "The model `x` does not exist.", (404, "model_not_found")),
        (413, "", (413, "request_too_large")),
        (429, "", (429, "rate_limit_exceeded")),
        (500, "CUDA", (502, "upstream_error")),
        (503, "loading", (503, "upstream_unavailable")),
        (504, "", (504, "deadline_exceeded")),
    ],
)
def test_a_model_servers_error_is_put_in_openais_words(
    status: int, message: str, expected: tuple[int, str | None]
) -> None:
    body = {"error": {"message": message, "type": "BadRequestError", "code": status}}
    found = translate(status, body, {"retry-after": "soon"}, "m")
    assert (found.status, found.code) == expected
    assert isinstance(found.code, str | None)


def test_half_a_surrogate_pair_still_travels() -> None:
    assert encode({"a": "\ud83d"}) == b'{"a":"\\ud83d"}'
    assert encode({"a": "é"}) == '{"a":"é"}'.encode()
