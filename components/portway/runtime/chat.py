"""`POST /v1/chat/completions`: from a validated request to a response, whole or streamed."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing

from . import shape, sse
from .config import Config
from .errors import CLIENT_CLOSED, WireError, internal, rate_limited, upstream_error
from .exchange import Request, Response, json_response, new_id
from .jsons import JsonObject, as_object
from .log import Record
from .metered import Held, Metering
from .pump import Cancelled, pump
from .upstream import ChatRequest, Upstream
from .validate import chat_request

_Pieces = Generator[JsonObject | None, None, None]

HEARTBEAT_SECONDS = 15.0
"""Silence after which a stream sends a comment, below the idle limits of common proxies."""


class Chat:
    """Answers chat requests, at most `config.concurrency` at once."""

    def __init__(
        self,
        config: Config,
        upstream: Upstream,
        metering: Metering,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._config = config
        self._upstream = upstream
        self._metering = metering
        self._heartbeat_seconds = heartbeat_seconds
        self._slots = threading.BoundedSemaphore(config.concurrency)

    def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            WireError: it fails before the first piece of the answer.
            Cancelled: the client hung up.
        """
        body = request.read_body()
        chat = chat_request(body, self._config, request.record.request_id)
        request.record.stream = chat.stream
        if not self._slots.acquire(blocking=False):
            raise rate_limited(
                f"{self._config.concurrency} requests are being answered, which is this "
                "instance's limit; try again shortly."
            )
        slot = _Slot(self._slots)
        try:
            return self._metered(request, chat, len(body), slot)
        except BaseException:
            slot.free()
            raise

    def _metered(
        self, request: Request, chat: ChatRequest, body_bytes: int, slot: "_Slot"
    ) -> Response:
        held = self._metering.reserve(chat, body_bytes)
        try:
            if chat.stream:
                return self._streamed(request, chat, slot, held)
            response = self._whole(request, chat, held)
        except BaseException as error:
            held.end(request.record, error)
            raise
        held.end(request.record)
        slot.free()
        return response

    def _whole(self, request: Request, chat: ChatRequest, held: Held) -> Response:
        def work() -> Iterator[JsonObject]:
            yield self._upstream.complete(chat, request.cancellation)

        with closing(self._pump(work, request)) as pieces:
            raw = _first(pieces)
        held.count(raw.get("usage"))
        answer = shape.completion(raw, self._identity())
        _count(answer.get("usage"), request.record)
        return json_response(200, answer)

    def _streamed(self, request: Request, chat: ChatRequest, slot: "_Slot", held: Held) -> Response:
        def work() -> Iterator[JsonObject]:
            return self._upstream.stream(chat, request.cancellation)

        pieces = self._pump(work, request)
        try:
            # The first piece decides between a real status and a stream, so headers wait for it.
            first = _first(pieces)
            request.record.first_token()
            body = _AnswerStream(
                first,
                pieces,
                self._identity(),
                request.record,
                slot,
                held,
                include_usage=chat.include_usage,
            )
        except BaseException:
            pieces.close()
            raise
        headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        return Response(200, headers, stream=body)

    def _pump(self, work: Callable[[], Iterator[JsonObject]], request: Request) -> _Pieces:
        return pump(work, request.cancellation, request.deadline, self._heartbeat_seconds)

    def _identity(self) -> shape.Identity:
        return shape.Identity(f"chatcmpl-{new_id()}", int(time.time()), self._config.model)


def _first(pieces: _Pieces) -> JsonObject:
    for piece in pieces:
        if piece is not None:
            return piece
    raise upstream_error("The model server sent an empty answer.")


class _Slot:
    """A place among the requests served at once, given back exactly once."""

    def __init__(self, slots: threading.BoundedSemaphore) -> None:
        self._slots: threading.BoundedSemaphore | None = slots

    def free(self) -> None:
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.release()


class _AnswerStream:
    """The events of one streamed answer. A failure becomes its last event, never a fake finish."""

    def __init__(
        self,
        first: JsonObject,
        rest: _Pieces,
        identity: shape.Identity,
        record: Record,
        slot: _Slot,
        held: Held,
        *,
        include_usage: bool,
    ) -> None:
        self._rest = rest
        self._identity = identity
        self._record = record
        self._slot = slot
        self._held = held
        self._include_usage = include_usage
        self._usage: JsonObject | None = None
        self._opened = False
        self._finished = False
        self._ended = False
        self._opening = self._event(first)

    def __iter__(self) -> Iterator[bytes]:
        try:
            if self._opening:
                yield self._opening
            for piece in self._rest:
                event = sse.HEARTBEAT if piece is None else self._event(piece)
                if event:
                    yield event
            yield self._last(self._end())
        except WireError as error:
            yield self._last(self._fail(error))
        except Cancelled:
            return
        except Exception as error:  # noqa: BLE001 - a stream that has begun can only say so
            yield self._last(self._fail(internal(type(error).__name__)))
        self._ended = True

    def close(self) -> None:
        """Stop the upstream, settle, give the slot back; note a client that left early."""
        self._rest.close()
        try:
            self._held.end(self._record)
        finally:
            self._slot.free()
        if not self._ended:
            self._record.status = CLIENT_CLOSED
            self._record.error = "client_disconnected"

    def _last(self, event: bytes) -> bytes:
        """Whoever has read the last event may ask again: the slot is free before it is sent."""
        self._rest.close()
        self._slot.free()
        return event

    def _event(self, piece: JsonObject) -> bytes:
        self._note(piece)
        shaped = shape.chunk(
            piece, self._identity, first=not self._opened, with_usage=self._include_usage
        )
        if not shaped["choices"]:
            return b""
        self._opened = True
        return sse.event(shaped)

    def _note(self, piece: JsonObject) -> None:
        self._finished = self._finished or shape.finish_reason(piece) is not None
        usage = as_object(piece.get("usage"))
        if usage is not None:
            self._usage = usage
            self._held.count(usage)
            _count(usage, self._record)

    def _end(self) -> bytes:
        if not self._finished:
            raise upstream_error("The model server broke the answer off.", detail="no finish")
        if not self._include_usage:
            return sse.DONE
        if self._usage is None:
            raise upstream_error("The model server did not say how many tokens it used.")
        return sse.event(shape.usage_chunk(self._usage, self._identity)) + sse.DONE

    def _fail(self, error: WireError) -> bytes:
        self._record.fail(error)
        return sse.event(error.body())


def _count(usage: object, record: Record) -> None:
    counted = as_object(usage) or {}
    for name in ("prompt_tokens", "completion_tokens"):
        if isinstance(counted.get(name), int):
            setattr(record, name, counted[name])
