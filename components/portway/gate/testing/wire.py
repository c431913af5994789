"""Values as the engine sends them to a pack."""

from typing import Any

from google.protobuf import struct_pb2

from portway.gate.testing.given import NotKnown, Output, Secret, is_list, is_mapping

UNKNOWN_ON_THE_WIRE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - Pulumi's public marker of a secret


def struct(properties: object) -> struct_pb2.Struct:
    """``properties`` as a message: numbers are floats, unknowns and secrets carry their signatures."""
    message = struct_pb2.Struct()
    message.update(_wire(properties))
    return message


def _wire(value: object) -> Any:  # noqa: ANN401 - untyped in the SDK
    if isinstance(value, NotKnown):
        return UNKNOWN_ON_THE_WIRE
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET_SIGNATURE, "value": _wire(value.value)}
    if isinstance(value, Output):
        return _wire(value.value)
    if is_mapping(value):
        return {str(key): _wire(child) for key, child in value.items()}
    if is_list(value):
        return [_wire(child) for child in value]
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)
