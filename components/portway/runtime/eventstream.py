"""`application/vnd.amazon.eventstream`: the messages in a stream of bytes, each checked. Pure.

A message: its length and that of its headers (four bytes each, big-endian), the CRC-32 of those
eight bytes, headers, payload, and the CRC-32 of all before it (Smithy, "Amazon Event Stream
specification"). A header: the length of its name, the name, a type and a value.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_PRELUDE = 12
_FRAME = 16
_MOST_HEADER_BYTES = 128 << 10
_MOST_BYTES = 24 << 20
_STRING = 7
_SIZED = frozenset({6, _STRING})
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a value by type: true, false, byte, short, integer, long, timestamp, UUID."""


class BrokenStream(Exception):
    """Bytes that are no event stream, were changed on their way, or end within a message."""


@dataclass(frozen=True)
class Message:
    """One message; of its headers those that are text."""

    headers: dict[str, str]
    payload: bytes


def messages(pieces: Iterable[bytes]) -> Iterator[Message]:
    """Yield the messages of a stream, wherever it was cut into pieces.

    Raises:
        BrokenStream: after the last message that was whole.
    """
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while (size := _size(waiting)) is not None and len(waiting) >= size:
            data = bytes(waiting[:size])
            del waiting[:size]
            yield _message(data)
    if waiting:
        raise BrokenStream("it ends within a message")


def _size(waiting: bytearray) -> int | None:
    """The length of the first message; None while its prelude is not there."""
    if len(waiting) < _PRELUDE:
        return None
    if zlib.crc32(waiting[:8]) != _number(waiting[8:12]):
        raise BrokenStream("the checksum of a prelude is wrong")
    size, header_bytes = _number(waiting[:4]), _number(waiting[4:8])
    if not header_bytes + _FRAME <= size <= _MOST_BYTES or header_bytes > _MOST_HEADER_BYTES:
        raise BrokenStream("a message has a length that none may have")
    return size


def _message(data: bytes) -> Message:
    if zlib.crc32(data[:-4]) != _number(data[-4:]):
        raise BrokenStream("the checksum of a message is wrong")
    end = _PRELUDE + _number(data[4:8])
    return Message(_headers(data[_PRELUDE:end]), data[end:-4])


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    seen: set[bytes] = set()
    at = 0
    while at < len(data):
        name, at = _taken(data, at + 1, data[at])
        kind, at = _taken(data, at, 1)
        size = _FIXED.get(kind[0])
        if kind[0] in _SIZED:
            length, at = _taken(data, at, 2)
            size = _number(length)
        if size is None or name in seen:
            raise BrokenStream("a header has an unknown type or is given twice")
        value, at = _taken(data, at, size)
        seen.add(name)
        if kind[0] == _STRING:
            found[_text(name)] = _text(value)
    return found


def _taken(data: bytes, start: int, size: int) -> tuple[bytes, int]:
    end = start + size
    if end > len(data):
        raise BrokenStream("a header is longer than its message says")
    return data[start:end], end


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BrokenStream("a header is not UTF-8") from None


def _number(data: bytes | bytearray) -> int:
    return int.from_bytes(data, "big")
