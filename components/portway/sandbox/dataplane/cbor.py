"""CBOR (RFC 8949) as AWS's RPC v2 protocol uses it: definite and indefinite lengths, epoch times."""

import math
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG, _OTHER = range(8)
_INDEFINITE = 31
_BREAK = 0xFF
_EPOCH_TAG = 1
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_DEEPEST = 64


class Malformed(ValueError):
    """Bytes that are no CBOR of this kind."""


def encode(value: object) -> bytes:
    """A value as CBOR; a ``datetime`` as an epoch time."""
    if isinstance(value, bool) or value is None:
        return bytes([{False: 0xF4, True: 0xF5, None: 0xF6}[value]])
    if isinstance(value, int):
        return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, datetime):
        return _head(_TAG, _EPOCH_TAG) + encode(value.timestamp())
    if isinstance(value, str):
        data = value.encode()
        return _head(_TEXT, len(data)) + data
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        pairs = b"".join(encode(name) + encode(each) for name, each in members.items())
        return _head(_MAP, len(members)) + pairs
    if isinstance(value, list | tuple):
        each = cast("list[object]", value)
        return _head(_LIST, len(each)) + b"".join(map(encode, each))
    raise TypeError(f"{type(value).__name__} is not written as CBOR here")


def decode(data: bytes) -> Any:  # noqa: ANN401 - any value
    """The one value that ``data`` holds.

    Raises:
        Malformed: it does not hold one.
    """
    try:
        value, at = _Reader(data).value(0, 0)
    except (IndexError, struct.error, UnicodeDecodeError, OverflowError, OSError) as error:
        raise Malformed(str(error)) from error
    if at != len(data):
        raise Malformed("bytes follow the value")
    return value


def _head(major: int, count: int) -> bytes:
    for size, (code, form) in enumerate(((24, ">B"), (25, ">H"), (26, ">I"), (27, ">Q"))):
        if count < 24 and not size:  # noqa: PLR2004 - RFC 8949, 3: the count is in the first byte
            return bytes([major << 5 | count])
        if count < 1 << (8 << size):
            return bytes([major << 5 | code]) + struct.pack(form, count)
    raise OverflowError("a number of more than 64 bits")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        if depth > _DEEPEST:
            raise Malformed("it is nested too deeply")
        major, info = self._data[at] >> 5, self._data[at] & 31
        at += 1
        if major == _OTHER:
            return self._other(info, at)
        count, at = self._count(info, at)
        if major in (_BYTES, _TEXT):
            return self._text(major, count, at, depth)
        if major in (_LIST, _MAP):
            return self._items(major, count, at, depth)
        if count is None:
            raise Malformed("a number of indefinite length")
        if major == _TAG:
            inner, at = self.value(at, depth + 1)
            return (datetime.fromtimestamp(inner, UTC) if count == _EPOCH_TAG else inner), at
        return (count if major == _UNSIGNED else -1 - count), at

    def _count(self, info: int, at: int) -> tuple[int | None, int]:
        if info < 24:  # noqa: PLR2004 - RFC 8949, 3
            return info, at
        if info == _INDEFINITE:
            return None, at
        size = 1 << (info - 24)
        if size > 8:  # noqa: PLR2004 - RFC 8949, 3
            raise Malformed("a reserved length")
        return int.from_bytes(self._slice(at, size)), at + size

    def _slice(self, at: int, size: int) -> bytes:
        if at + size > len(self._data):
            raise Malformed("it ends too early")
        return self._data[at : at + size]

    def _other(self, info: int, at: int) -> tuple[Any, int]:
        if info in _FLOATS:
            size = struct.calcsize(_FLOATS[info])
            found = struct.unpack(_FLOATS[info], self._slice(at, size))[0]
            return (found if math.isfinite(found) else None), at + size
        if info not in _SIMPLE:
            raise Malformed("an unknown simple value")
        return _SIMPLE[info], at

    def _text(self, major: int, count: int | None, at: int, depth: int) -> tuple[Any, int]:
        if count is None:
            pieces: list[Any] = []
            while self._data[at] != _BREAK:
                piece, at = self.value(at, depth + 1)
                pieces.append(piece)
            return type(pieces[0])().join(pieces) if pieces else "", at + 1
        data = self._slice(at, count)
        return (data if major == _BYTES else data.decode()), at + count

    def _items(self, major: int, count: int | None, at: int, depth: int) -> tuple[Any, int]:
        found: list[Any] = []
        left = None if count is None else count * (2 if major == _MAP else 1)
        while left != 0 if left is not None else self._data[at] != _BREAK:
            each, at = self.value(at, depth + 1)
            found.append(each)
            left = None if left is None else left - 1
        if left is None:
            at += 1
        if major == _LIST:
            return found, at
        return dict(zip(found[::2], found[1::2], strict=True)), at
