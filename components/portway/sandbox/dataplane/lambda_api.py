"""The Runtime API of one execution environment: one invocation at a time, answered whole or streamed."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator
from typing import Any

from portway.sandbox.dataplane.context import Signal
from portway.sandbox.dataplane.front import Exchange, Front
from portway.sandbox.dataplane.lambda_extensions import EXTENSIONS, Extensions, refuse

VERSION = "/2018-06-01/runtime"
MAX_BUFFERED_BYTES = 6 << 20
MAX_STREAMED_BYTES = 200 << 20
PIECES_AHEAD = 16


class InvocationFailed(Exception):
    """The function did not answer: it raised, ran out of time or memory, or its process ended."""


class Invocation:
    """One event and its answer, as a stream of pieces.

    Attributes:
        content_type: of the answer, once it has begun.
        streaming: whether the function streams it.
    """

    def __init__(self, event: bytes, timeout_seconds: float) -> None:
        self.id = str(uuid.uuid4())
        self.event = event
        self.deadline_ms = round((time.time() + timeout_seconds) * 1000)
        self.begun = asyncio.Event()
        self.done = asyncio.Event()
        self.content_type = ""
        self.streaming = False
        self._error: InvocationFailed | None = None
        self._abandoned = False
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue(PIECES_AHEAD)

    def begin(self, content_type: str, *, streaming: bool) -> None:
        """The function starts to answer."""
        self.content_type, self.streaming = content_type, streaming
        self.begun.set()

    async def add(self, piece: bytes) -> None:
        """A piece of the answer; waits while nobody takes the ones before."""
        while not self._abandoned and not self.done.is_set():
            try:
                async with asyncio.timeout(1):
                    await self._pieces.put(piece)
            except TimeoutError:
                continue
            return

    def finish(self) -> None:
        """The answer is whole."""
        self.begun.set()
        self.done.set()

    def fail(self, error: InvocationFailed) -> None:
        """There is no answer, or it breaks off."""
        if not self.done.is_set():
            self._error = error
            self.done.set()
            self.begun.set()

    def abandon(self) -> None:
        """Nobody reads the answer any more; the function goes on to its end, as on Lambda."""
        self._abandoned = True
        while not self._pieces.empty():
            self._pieces.get_nowait()

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The answer as it comes.

        Raises:
            InvocationFailed: there is none, or it breaks off.
        """
        ended = asyncio.create_task(self.done.wait())
        try:
            while not ended.done() or not self._pieces.empty():
                getting = asyncio.create_task(self._pieces.get())
                await asyncio.wait({getting, ended}, return_when=asyncio.FIRST_COMPLETED)
                if getting.done() or not self._pieces.empty():
                    yield await getting
                else:
                    getting.cancel()
            if self._error is not None:
                raise self._error
        finally:
            ended.cancel()


class RuntimeApi:
    """What the function's process talks to."""

    def __init__(self, function_arn: str) -> None:
        self._arn = function_arn
        self._front = Front(self._handle)
        self.extensions = Extensions(function_arn)
        self._next: asyncio.Queue[Invocation] = asyncio.Queue(1)
        self.current: Invocation | None = None
        self.polling = False
        self.init_error = ""
        self.changed = Signal()

    async def listen(self) -> int:
        """Listen; returns the port."""
        return await self._front.listen()

    async def close(self) -> None:
        """Stop."""
        await self._front.close()

    def give(self, invocation: Invocation) -> None:
        """Hand ``invocation`` to the function, which waits for one."""
        self._next.put_nowait(invocation)

    async def _handle(self, exchange: Exchange) -> None:
        if exchange.path.startswith(f"{EXTENSIONS}/"):
            await self.extensions.handle(exchange)
            return
        parts = exchange.path.removeprefix(VERSION).strip("/").split("/")
        match (exchange.method, *parts):
            case ("GET", "invocation", "next"):
                await self._give_next(exchange)
            case ("POST", "invocation", identifier, "response"):
                await self._take_response(exchange, identifier)
            case ("POST", "invocation", identifier, "error"):
                await self._take_error(exchange, identifier)
            case ("POST", "init", "error"):
                self.init_error = _error_text(await exchange.body(MAX_BUFFERED_BYTES))
                self.changed.fire()
                await exchange.reply(202, '{"status":"OK"}')
            case _:
                await refuse(
                    exchange, 404, "NotFound", "the sandbox's Runtime API has no such path"
                )

    async def _give_next(self, exchange: Exchange) -> None:
        self.polling = True
        self.changed.fire()
        try:
            invocation = await self._next.get()
        finally:
            self.polling = False
        self.current = invocation
        headers = [
            ("lambda-runtime-aws-request-id", invocation.id),
            ("lambda-runtime-deadline-ms", str(invocation.deadline_ms)),
            ("lambda-runtime-invoked-function-arn", self._arn),
            ("lambda-runtime-trace-id", f"Root=1-{invocation.id.replace('-', '')[:32]};Sampled=0"),
        ]
        await exchange.reply(200, invocation.event, headers=headers)

    async def _take_response(self, exchange: Exchange, identifier: str) -> None:
        invocation = self._known(identifier)
        if invocation is None:
            await refuse(exchange, 400, "InvalidRequestID", "Invalid request ID")
            return
        mode = exchange.header("lambda-runtime-function-response-mode") or ""
        streaming = mode.lower() == "streaming"
        limit = MAX_STREAMED_BYTES if streaming else MAX_BUFFERED_BYTES
        invocation.begin(exchange.header("content-type") or "", streaming=streaming)
        try:
            size = 0
            async for piece in exchange.chunks():
                size += len(piece)
                if size > limit:
                    message = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
                    invocation.fail(InvocationFailed(message))
                    self.changed.fire()
                    await refuse(exchange, 413, "Function.ResponseSizeTooLarge", message)
                    return
                await invocation.add(piece)
        except BaseException:
            invocation.fail(InvocationFailed("the function's process broke its answer off"))
            self.changed.fire()
            raise
        trailers = dict(exchange.trailers)
        if trailers.get("lambda-runtime-function-error-type"):
            invocation.fail(InvocationFailed(trailers["lambda-runtime-function-error-type"]))
        invocation.finish()
        self.changed.fire()
        await exchange.reply(202, '{"status":"OK"}')

    async def _take_error(self, exchange: Exchange, identifier: str) -> None:
        text = _error_text(await exchange.body(MAX_BUFFERED_BYTES))
        invocation = self._known(identifier)
        if invocation is None:
            await refuse(exchange, 400, "InvalidRequestID", "Invalid request ID")
            return
        invocation.fail(InvocationFailed(text))
        self.changed.fire()
        await exchange.reply(202, '{"status":"OK"}')

    def _known(self, identifier: str) -> Invocation | None:
        current = self.current
        return current if current is not None and current.id == identifier else None


def _error_text(body: bytes) -> str:
    try:
        error: Any = json.loads(body)
        return f"{error['errorType']}: {error['errorMessage']}"
    except (ValueError, KeyError, TypeError):
        return "the function reported an error without a message"
