"""Frames of ``application/vnd.amazon.eventstream``: lengths, string headers, payload, two checksums."""

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7
_OVERHEAD_BYTES = 16


def event(kind: str, payload: Mapping[str, Any]) -> bytes:
    """One event of type ``kind``."""
    return _frame({":event-type": kind, ":message-type": "event"}, payload)


def exception(kind: str, message: str) -> bytes:
    """An error in the middle of a stream; nothing follows it."""
    headers = {":exception-type": kind, ":message-type": "exception"}
    return _frame(headers, {"message": message})


def _frame(headers: Mapping[str, str], payload: Mapping[str, Any]) -> bytes:
    body = json.dumps(payload, ensure_ascii=False).encode()
    every = {":content-type": "application/json", **headers}
    named = b"".join(_header(name, value) for name, value in every.items())
    prelude = struct.pack(">II", _OVERHEAD_BYTES + len(named) + len(body), len(named))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + named + body
    return message + struct.pack(">I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    data = value.encode()
    return (
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _STRING, len(data)) + data
    )
