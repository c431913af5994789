"""JSON values as they travel: narrowing helpers and one way to write them."""

import binascii
import json
from typing import Any, TypeAlias, cast

JsonObject: TypeAlias = dict[str, Any]


def as_object(value: object) -> JsonObject | None:
    """Return the value when it is a JSON object, else None."""
    return cast("JsonObject", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[Any] | None:
    """Return the value when it is a JSON array, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def as_text(value: object) -> str | None:
    """Return the value when it is a string, else None."""
    return value if isinstance(value, str) else None


def is_integer(value: object) -> bool:
    """Whether the value is a JSON integer (true and false are not)."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether the value is a JSON number (true and false are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def encode(value: object, *, blobs: bool = False) -> bytes:
    """Write a value as compact UTF-8 JSON; half a surrogate pair travels as its escape.

    With `blobs`, bytes in it are written as base64, as AWS has them.
    """
    default = _blob if blobs else None
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=default)
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), default=default).encode()


def _blob(value: object) -> str:
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} is not JSON")
    return binascii.b2a_base64(value, newline=False).decode()


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def decode(data: bytes) -> object:
    """Read strict UTF-8 JSON.

    Raises:
        ValueError: it is not JSON, not UTF-8, nested too deeply, or holds NaN or Infinity.
    """
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
