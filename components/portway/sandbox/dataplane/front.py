"""HTTP/1.1 on loopback for every simulated platform: unbuffered both ways, disconnects propagate.

A handler gets one ``Exchange`` per request. When the client goes away while the handler runs, the
handler's task is cancelled: what it holds (an upstream connection, a place in a pool) it gives back
in ``finally``.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from urllib.parse import unquote

import h11

log = logging.getLogger(__name__)

Header = tuple[str, str]
READ_BYTES = 65536
MAX_PIPELINED_BYTES = 1 << 20
SKIP_SECONDS = 2.0
MAX_SKIPPED_BYTES = 64 << 20
LISTEN_ATTEMPTS, LISTEN_PAUSE_SECONDS = 10, 0.3
LOOPBACK = "127.0.0.1"


class BodyTooLarge(Exception):
    """The request's body is longer than the handler allows."""


class Disconnected(Exception):
    """The client went away before its request was whole."""


class Channel:
    """One client connection: h11's state machine and the bytes on either side of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=READ_BYTES)
        self._reader = reader
        self._writer = writer
        self.body_read = asyncio.Event()

    async def receive(self) -> h11.Event | type[h11.PAUSED]:
        """The next event of the client's."""
        while True:
            event = self.http.next_event()
            if event is not h11.NEED_DATA:
                if isinstance(event, h11.EndOfMessage):
                    self.body_read.set()
                return event  # pyright: ignore[reportReturnType] - NEED_DATA was just excluded
            if self.http.they_are_waiting_for_100_continue:
                await self.transmit(h11.InformationalResponse(status_code=100, headers=[]))
            self.http.receive_data(await self._reader.read(READ_BYTES))

    async def transmit(self, event: h11.Event) -> None:
        """Send ``event`` and wait until the client takes it."""
        data = self.http.send(event)
        if data:
            self._writer.write(data)
            await self._writer.drain()

    async def gone(self) -> None:
        """Return when the client disconnects; bytes of a next request are kept for later."""
        await self.body_read.wait()
        kept = 0
        while kept < MAX_PIPELINED_BYTES:
            data = await self._reader.read(READ_BYTES)
            if not data:
                return
            kept += len(data)
            self.http.receive_data(data)
        await asyncio.Event().wait()

    async def skip_body(self) -> None:
        """Read what the handler left of the body; unread bytes would make a close lose the answer."""
        with contextlib.suppress(TimeoutError, h11.RemoteProtocolError):
            async with asyncio.timeout(SKIP_SECONDS):
                for _ in range(MAX_SKIPPED_BYTES // READ_BYTES):
                    if self.http.their_state is not h11.SEND_BODY:
                        return
                    await self.receive()

    def next_cycle(self) -> None:
        """Get ready for the connection's next request."""
        self.http.start_next_cycle()
        self.body_read = asyncio.Event()

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        """Cut the connection, so that the client sees its answer is not whole."""
        self._writer.transport.abort()


class Exchange:
    """One request, and the way to answer it.

    Attributes:
        method: in capitals.
        target: path and query as sent.
        headers: names in lower case, in the order sent.
        trailers: what followed the body, once it is read.
        has_body: whether there is a body to read.
        started: whether an answer has begun.
    """

    def __init__(self, channel: Channel, request: h11.Request) -> None:
        self._channel = channel
        self.method = request.method.decode("ascii")
        self.target = request.target.decode("latin-1")
        self.headers: list[Header] = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers
        ]
        self.trailers: list[Header] = []
        self.has_body = _has_body(request)
        self.started = False

    @property
    def raw_path(self) -> str:
        """The path as sent, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(self.raw_path)

    @property
    def query(self) -> str:
        """The query string as sent."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The first header called ``name`` (in lower case)."""
        return next((value for key, value in self.headers if key == name), None)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body as it arrives.

        Raises:
            Disconnected: the client went away in the middle.
        """
        while self.has_body:
            event = await self._channel.receive()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self.trailers = [
                    (k.decode("latin-1"), v.decode("latin-1")) for k, v in event.headers
                ]
                return
            else:
                raise Disconnected

    async def body(self, limit_bytes: int | None = None) -> bytes:
        """The whole body.

        Raises:
            BodyTooLarge: it is longer than ``limit_bytes``.
            Disconnected: the client went away in the middle.
        """
        parts: list[bytes] = []
        size = 0
        async with contextlib.aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if limit_bytes is not None and size > limit_bytes:
                    raise BodyTooLarge
                parts.append(chunk)
        return b"".join(parts)

    async def start(self, status: int, headers: Iterable[Header]) -> None:
        """Begin the answer; without a content-length it is sent in chunks."""
        self.started = True
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._channel.transmit(h11.Response(status_code=status, headers=encoded))

    async def send(self, data: bytes) -> None:
        """Send a piece of the body now."""
        if data:
            await self._channel.transmit(h11.Data(data=data))

    async def end(self) -> None:
        """Finish the answer."""
        await self._channel.transmit(h11.EndOfMessage())

    async def reply(
        self,
        status: int,
        body: bytes | str,
        content_type: str = "application/json",
        headers: Iterable[Header] = (),
    ) -> None:
        """Answer in one piece."""
        data = body.encode() if isinstance(body, str) else body
        length = ("content-length", str(len(data)))
        await self.start(status, [("content-type", content_type), length, *headers])
        if self.method != "HEAD":
            await self.send(data)
        await self.end()

    def abort(self) -> None:
        """Cut the connection: an answer that has begun cannot be finished."""
        self._channel.abort()


Handler = Callable[[Exchange], Awaitable[None]]


class Front:
    """A listening port whose requests go to one handler."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def listen(self, port: int = 0) -> int:
        """Listen on loopback; 0 takes any free port. Returns the port.

        A port that is taken is tried again for a few seconds: an outgoing connection may have it.

        Raises:
            OSError: the port stays taken.
        """
        for _ in range(LISTEN_ATTEMPTS - 1):
            with contextlib.suppress(OSError):
                self._server = await asyncio.start_server(self._connected, LOOPBACK, port)
                break
            await asyncio.sleep(LISTEN_PAUSE_SECONDS)
        else:
            self._server = await asyncio.start_server(self._connected, LOOPBACK, port)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        channel = Channel(reader, writer)
        try:
            await self._serve(channel)
        except asyncio.CancelledError:
            channel.abort()  # the front closes; asyncio would log a cancelled connection
        except (OSError, Disconnected, h11.LocalProtocolError):
            channel.abort()
        except h11.RemoteProtocolError as error:
            await _refuse_malformed(channel, error)
        finally:
            self._tasks.discard(task)
            await channel.close()

    async def _serve(self, channel: Channel) -> None:
        while True:
            request = await channel.receive()
            if not isinstance(request, h11.Request):
                return
            exchange = Exchange(channel, request)
            if not exchange.has_body:
                await channel.receive()
            await self._answer(channel, exchange)
            await channel.skip_body()
            if channel.http.our_state is not h11.DONE or channel.http.their_state is not h11.DONE:
                return
            channel.next_cycle()

    async def _answer(self, channel: Channel, exchange: Exchange) -> None:
        handling = asyncio.ensure_future(self._handler(exchange))
        leaving = asyncio.create_task(channel.gone())
        try:
            await asyncio.wait({handling, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if handling.done():
                handling.result()
            else:
                channel.abort()
        except (OSError, Disconnected, h11.ProtocolError):
            raise
        except Exception:
            log.exception("%s %s failed", exchange.method, exchange.raw_path)
            if exchange.started:
                raise Disconnected from None
            await exchange.reply(500, "Internal Server Error", "text/plain")
        finally:
            handling.cancel()
            leaving.cancel()
            await asyncio.gather(handling, leaving, return_exceptions=True)


def _has_body(request: h11.Request) -> bool:
    names = {name for name, _ in request.headers}
    return b"transfer-encoding" in names or (
        b"content-length" in names and dict(request.headers)[b"content-length"] != b"0"
    )


async def _refuse_malformed(channel: Channel, error: h11.RemoteProtocolError) -> None:
    if channel.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        channel.abort()
        return
    with contextlib.suppress(OSError, h11.LocalProtocolError):
        status = error.error_status_hint
        headers = [(b"connection", b"close"), (b"content-length", b"0")]
        await channel.transmit(h11.Response(status_code=status, headers=headers))
        await channel.transmit(h11.EndOfMessage())
