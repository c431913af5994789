"""Bedrock's Converse and ConverseStream over signed HTTP, with the shapes that the AWS SDK has.

Shapes and paths: the AWS SDK's `bedrock-runtime` model (`Converse`, `ConverseStream`).
"""

import binascii
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

from .aws import AwsError, Service, read_error, read_object
from .eventstream import BrokenStream, Message, messages
from .jsons import JsonObject, as_list, as_object
from .origin import BrokenAnswer, Reply
from .pump import Cancellation

_MOST_BYTES = 32 << 20
_DOCUMENTS = frozenset({"input", "json", "additionalModelResponseFields"})
"""Members whose value is any JSON, and stays as it is."""

_BLOBS = frozenset({"bytes", "redactedContent"})


class EventStream:
    """The events of one answer, each an object with the event's name as its only key. Close it."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def __iter__(self) -> Iterator[JsonObject]:
        """Yield events as they arrive.

        Raises:
            AwsError: for an exception or an error among them.
            BrokenStream: the bytes are no event stream.
            OSError: the connection broke, or nothing came in time.
        """
        for message in messages(self._reply.pieces()):
            yield _event(message)

    def close(self) -> None:
        """Give the connection up; where the answer was read to its end it is kept."""
        self._reply.close()


class ConverseClient:
    """The two calls, of one region. Thread-safe."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def converse(self, arguments: JsonObject, cancellation: Cancellation) -> JsonObject:
        """Answer whole.

        Raises:
            AwsError: Bedrock refused, or the model failed.
            OSError: see `Origin.ask`.
            WireError: there are no credentials.
        """
        with closing(self._ask("converse", arguments, cancellation)) as reply:
            return _as_sdk(read_object(reply.read(_MOST_BYTES)))

    def converse_stream(self, arguments: JsonObject, cancellation: Cancellation) -> EventStream:
        """Begin an answer; raises as `converse` does."""
        return EventStream(self._ask("converse-stream", arguments, cancellation))

    def _ask(self, operation: str, arguments: JsonObject, cancellation: Cancellation) -> Reply:
        model_id = quote(str(arguments["modelId"]), safe="")
        body = {name: value for name, value in arguments.items() if name != "modelId"}
        return self._service.ask(f"/model/{model_id}/{operation}", body, cancellation)


def _event(message: Message) -> JsonObject:
    headers = message.headers
    kind = headers.get(":message-type")
    if kind == "exception":
        told = read_error(0, {}, message.payload)
        raise AwsError(headers.get(":exception-type", ""), told.message, told.body)
    if kind == "error":
        raise AwsError(headers.get(":error-code", ""), headers.get(":error-message", ""))
    name = headers.get(":event-type")
    if kind != "event" or name is None:
        raise BrokenStream("a message is neither an event nor an exception")
    try:
        return {name: _as_sdk(read_object(message.payload))}
    except BrokenAnswer:
        raise BrokenStream(f"the payload of {name[:100]} is no JSON object") from None


def _as_sdk(found: JsonObject) -> JsonObject:
    """An object without members that are null, and with blobs as bytes."""
    try:
        return {name: _member(name, value) for name, value in found.items() if value is not None}
    except binascii.Error as error:
        raise BrokenAnswer(f"a blob is not base64: {error}") from None


def _member(name: str, value: object) -> object:
    if name in _DOCUMENTS:
        return value
    if name in _BLOBS and isinstance(value, str):
        return binascii.a2b_base64(value)
    return _value(value)


def _value(value: object) -> object:
    if (items := as_list(value)) is not None:
        return [*map(_value, items)]
    inner = as_object(value)
    return value if inner is None else _as_sdk(inner)
