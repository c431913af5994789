"""Values on the engine's wire: protobuf structs to Python and back, and the marked values inside them.

Secrets, assets and archives travel as objects that carry a signature; a value not known before
deployment travels as one fixed string. Clouds work on plain values: ``bare`` takes the secret wrappers
off, ``rewrap`` puts them back where they were.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from google.protobuf import struct_pb2

Json = dict[str, Any]
Value = Any  # any JSON value, marks included

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a public marker of the protocol
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"


@dataclass(frozen=True)
class Asset:
    """A file (or, for an archive, a tree of files) that a program hands to a resource.

    Attributes:
        archive: true for an archive.
        hash: SHA-256 of the content as the engine computed it, hexadecimal.
        path: where the file is, relative to the plugin's working folder; "" when it is not a file.
        text: the content itself, for a string asset.
        members: name → asset or archive, for an archive made of others.
    """

    archive: bool
    hash: str
    path: str = ""
    text: str | None = None
    members: Json | None = None


def is_object(value: Value) -> TypeGuard[Json]:
    """Whether ``value`` is an object (a marked value is one too)."""
    return isinstance(value, dict)


def is_list(value: Value) -> TypeGuard[list[Value]]:
    """Whether ``value`` is a list."""
    return isinstance(value, list)


def from_struct(struct: struct_pb2.Struct) -> Json:
    """A protobuf struct as Python values; whole numbers become ``int``."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: struct_pb2.Value) -> Value:
    match value.WhichOneof("kind"):
        case "struct_value":
            return from_struct(value.struct_value)
        case "list_value":
            return [_from_value(item) for item in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None


def to_struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Python values as a protobuf struct."""
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


def secret(value: Value) -> Json:
    """``value`` marked as secret."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def is_secret(value: Value) -> bool:
    """Whether ``value`` is a secret wrapper (or an output value that is secret)."""
    if not is_object(value):
        return False
    marker = value.get(SIGNATURE)
    return marker == SECRET or (marker == OUTPUT and bool(value.get("secret")))


def bare(value: Value) -> Value:
    """``value`` without secret and output wrappers, at every depth. Assets stay as they are."""
    if is_list(value):
        return [bare(item) for item in value]
    if not is_object(value):
        return value
    match value.get(SIGNATURE):
        case None:
            return {key: bare(item) for key, item in value.items()}
        case m if m == SECRET:
            return bare(value.get("value"))
        case m if m == OUTPUT:
            return bare(value.get("value", UNKNOWN))
        case m if m == RESOURCE:
            return value.get("id", UNKNOWN) or UNKNOWN
        case _:
            return value


def has_secret(value: Value) -> bool:
    """Whether a secret is anywhere inside ``value``."""
    if is_list(value):
        return any(map(has_secret, value))
    if is_object(value):
        return is_secret(value) or any(map(has_secret, value.values()))
    return False


def has_unknown(value: Value) -> bool:
    """Whether anything inside ``value`` is not known before deployment."""
    if is_list(value):
        return any(map(has_unknown, value))
    if is_object(value):
        return any(map(has_unknown, value.values()))
    return value == UNKNOWN


def rewrap(plain: Value, like: Value) -> Value:
    """``plain`` with secrets marked wherever ``like`` has them.

    A list whose length differs from ``like``'s is marked whole when any item of ``like`` was secret: a
    value may have moved, and hiding too much is the safe mistake.
    """
    if is_secret(like):
        return secret(plain)
    if is_object(plain) and is_object(like) and SIGNATURE not in plain:
        return {k: rewrap(v, like[k]) if k in like else v for k, v in plain.items()}
    if is_list(plain) and is_list(like):
        if len(plain) == len(like):
            return [rewrap(p, item) for p, item in zip(plain, like, strict=True)]
        return secret(plain) if has_secret(like) else plain
    # the shape changed: what was an object or a list is now something else
    return secret(plain) if has_secret(like) and plain is not None else plain


def as_asset(value: Value) -> Asset | None:
    """``value`` as an asset or archive, or None if it is neither."""
    if not is_object(value) or value.get(SIGNATURE) not in (ASSET, ARCHIVE):
        return None
    return Asset(
        archive=value[SIGNATURE] == ARCHIVE,
        hash=value.get("hash", ""),
        path=value.get("path", ""),
        text=value.get("text"),
        members=value.get("assets"),
    )


def without_internal(values: Mapping[str, Any]) -> Json:
    """``values`` without the top-level keys a cloud keeps for itself (``__…``)."""
    return {key: value for key, value in values.items() if not key.startswith("__")}
