"""What the engine leaves out of a message and the SDK's policies cannot read without."""

from google.protobuf import struct_pb2
from pulumi.runtime import proto

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_EMPTY = {
    "c44067f5952c0a294b673a41bacd8c17": ("text", {"path", "text", "uri"}),
    "0def7320c3a5731c473e5ecbe6d01bc7": ("assets", {"assets", "path", "uri"}),
}
"""By signature of an asset and an archive: what an empty one lacks, and what any other one has."""


def completed(
    request: proto.AnalyzeRequest | proto.AnalyzeStackRequest,
) -> proto.AnalyzeRequest | proto.AnalyzeStackRequest:
    """``request``, in which empty assets and archives say that they are.

    The engine sends nothing for an empty text, and the SDK then fails for the whole stack.
    """
    text = request.SerializeToString()
    if any(signature.encode() in text for signature in _EMPTY):
        resources = (
            [request] if isinstance(request, proto.AnalyzeRequest) else list(request.resources)
        )
        for resource in resources:
            _complete(resource.properties)
    return request


def _complete(properties: struct_pb2.Struct) -> None:
    said = properties.fields.get(_SIGNATURE)
    missing, options = _EMPTY.get(said.string_value if said else "", ("", frozenset[str]()))
    if missing and not options & set(properties.fields):
        properties.update({missing: "" if missing == "text" else {}})
    for value in properties.fields.values():
        _complete_value(value)


def _complete_value(value: struct_pb2.Value) -> None:
    if value.HasField("struct_value"):
        _complete(value.struct_value)
    elif value.HasField("list_value"):
        for item in value.list_value.values:
            _complete_value(item)
