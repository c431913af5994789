"""The event-stream decoder beside the AWS SDK's: on whole streams, on cut ones, on damaged ones."""

import struct
import uuid
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from portway.runtime.eventstream import BrokenStream, Message, messages

VALUES: dict[int, st.SearchStrategy[bytes]] = {
    0: st.just(b""), 1: st.just(b""), 2: st.binary(min_size=1, max_size=1),
    3: st.binary(min_size=2, max_size=2), 4: st.binary(min_size=4, max_size=4),
    5: st.binary(min_size=8, max_size=8), 6: st.binary(max_size=9),
    7: st.text(max_size=9).map(str.encode), 8: st.binary(min_size=8, max_size=8),
    9: st.uuids().map(lambda one: one.bytes),
}  # fmt: skip
SIZED = {6, 7}


def header(name: str, kind: int, value: bytes) -> bytes:
    size = struct.pack(">H", len(value)) if kind in SIZED else b""
    return bytes([len(name.encode())]) + name.encode() + bytes([kind]) + size + value


def framed(headers: bytes, payload: bytes, *, claimed: int | None = None) -> bytes:
    """A message with right checksums; its headers' length may be a lie."""
    length = len(headers) if claimed is None else claimed
    prelude = struct.pack(">II", len(headers) + len(payload) + 16, length)
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    names = draw(st.lists(st.text(min_size=1, max_size=9), max_size=5, unique=True))
    kinds = [draw(st.sampled_from(sorted(VALUES))) for _ in names]
    headers = b"".join(
        header(name, kind, draw(VALUES[kind])) for name, kind in zip(names, kinds, strict=True)
    )
    return framed(headers, draw(st.binary(max_size=60)))


streams = st.lists(frames(), max_size=5)


def theirs(data: bytes) -> list[Message]:
    """What the SDK finds, with the headers that are text."""
    buffer: Any = EventStreamBuffer()
    buffer.add_data(data)
    return [Message(_texts(one), one.payload) for one in buffer]


def _texts(message: Any) -> dict[str, str]:
    raw: dict[str, Any] = message.headers
    return {name: value for name, value in raw.items() if isinstance(value, str)}


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    for cut in cuts:
        yield data[:cut]
        data = data[cut:]
    yield data


def taken(data: bytes, cuts: list[int] | None = None) -> tuple[list[Message], bool]:
    """The messages before the end, and whether the stream was whole."""
    got: list[Message] = []
    stream = messages(pieces(data, cuts or []))
    while True:
        try:
            got.append(next(stream))
        except StopIteration:
            return got, True
        except BrokenStream:
            return got, False


@given(streams, st.lists(st.integers(0, 40), max_size=20))
def test_a_stream_holds_what_the_sdk_finds_wherever_it_is_cut(
    stream: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(stream)
    assert taken(data, cuts) == (theirs(data), True)


@given(streams, st.integers(0, 500))
def test_a_stream_that_ends_early_gives_its_whole_messages_and_says_so(
    stream: list[bytes], end: int
) -> None:
    data = b"".join(stream)[:end]
    whole, size = 0, 0
    while whole < len(stream) and size + len(stream[whole]) <= len(data):
        size += len(stream[whole])
        whole += 1
    assert taken(data) == (theirs(b"".join(stream[:whole])), size == len(data))


@given(streams.filter(bool), st.data())
def test_a_changed_byte_ends_the_stream_at_its_message(
    stream: list[bytes], data: st.DataObject
) -> None:
    good = b"".join(stream)
    at = data.draw(st.integers(0, len(good) - 1))
    change = data.draw(st.integers(1, 255))
    bad = good[:at] + bytes([good[at] ^ change]) + good[at + 1 :]
    before = 0
    while at >= len(b"".join(stream[: before + 1])):
        before += 1
    assert taken(bad) == (theirs(b"".join(stream[:before])), False)


@given(st.binary(min_size=1, max_size=200))
def test_bytes_that_are_no_event_stream_are_refused(data: bytes) -> None:
    got, whole = taken(data)
    assert not whole or got == theirs(data)


NAME = header("a", 7, b"x")


@pytest.mark.parametrize(
    "data",
    [
        framed(NAME + NAME, b""),
        framed(header("a", 10, b""), b""),
        framed(NAME[:-1], b""),
        framed(b"\x05ab", b""),
        framed(b"\x01a\x07\xff\xff", b""),
        framed(header("a", 7, b"\xff"), b""),
        framed(b"\x01\xff\x07\0\0", b""),
        framed(b"", b"", claimed=1),
        framed(b"", b"", claimed=(128 << 10) + 1),
    ],
    ids=[
        "a name twice", "an unknown type", "a short value", "a short name", "a long length",
        "a value not UTF-8", "a name not UTF-8", "headers longer than the message",
        "too many headers",
    ],
)  # fmt: skip
def test_headers_with_right_checksums_may_still_be_wrong(data: bytes) -> None:
    assert taken(data) == ([], False)


def test_a_length_that_none_may_have_is_not_waited_for() -> None:
    prelude = struct.pack(">II", 1 << 31, 0)
    assert taken(prelude + struct.pack(">I", zlib.crc32(prelude))) == ([], False)


def test_headers_that_are_no_text_are_read_past() -> None:
    data = framed(header("id", 9, uuid.uuid4().bytes) + header("at", 8, bytes(8)) + NAME, b"{}")
    assert taken(data) == ([Message({"a": "x"}, b"{}")], True)
