"""Passing a request on to a process on loopback, and its answer back, piece by piece."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

import h11

from portway.sandbox.dataplane.front import LOOPBACK, READ_BYTES, Disconnected, Exchange, Header

HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


class UpstreamFailed(Exception):
    """The process behind the front did not accept the request or did not answer it."""


async def forward(
    exchange: Exchange,
    port: int,
    *,
    added: Iterable[Header] = (),
    answer_headers: Iterable[Header] = (),
) -> None:
    """Pass ``exchange`` on to ``port``, with the headers ``added``.

    Args:
        exchange: the request, whose body nobody has read yet.
        port: where the process listens, on loopback.
        added: replaces the client's headers of the same names.
        answer_headers: the platform's own, put on the answer unless the process sent them.

    Raises:
        UpstreamFailed: the process gave no answer, or broke one off (``exchange.started``).
        RemoteProtocolError: the client's body is not HTTP.
    """
    async with _connection(port) as (reader, writer):
        http = h11.Connection(h11.CLIENT)
        writer.write(_request(http, exchange, added))
        sending = asyncio.create_task(_send_body(http, exchange, writer))
        try:
            await _pass_answer(http, reader, exchange, answer_headers)
        except UpstreamFailed:
            if sending.done() and (malformed := sending.exception()) is not None:
                raise malformed from None
            raise
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


@asynccontextmanager
async def _connection(
    port: int,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError as error:
        raise UpstreamFailed(str(error)) from error
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _request(http: h11.Connection, exchange: Exchange, added: Iterable[Header]) -> bytes:
    extra = list(added)
    replaced = {name.lower() for name, _ in extra}
    kept = [
        (name, value)
        for name, value in exchange.headers
        if name not in HOP_BY_HOP and name not in replaced and name != "expect"
    ]
    if exchange.header("transfer-encoding") is not None:
        kept.append(("transfer-encoding", "chunked"))
    headers = [*kept, *extra, ("connection", "close")]
    request = h11.Request(
        method=exchange.method.encode("ascii"),
        target=exchange.target.encode("latin-1"),
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
    )
    return http.send(request) or b""


async def _send_body(
    http: h11.Connection, exchange: Exchange, writer: asyncio.StreamWriter
) -> None:
    """Send the body; an answer may come, and be the end of it, before all of it is sent."""
    with contextlib.suppress(OSError):
        try:
            async with contextlib.aclosing(exchange.chunks()) as chunks:
                async for chunk in chunks:
                    writer.write(http.send(h11.Data(data=chunk)) or b"")
                    await writer.drain()
        except Disconnected:
            writer.close()
            return
        except h11.RemoteProtocolError:
            writer.close()
            raise
        writer.write(http.send(h11.EndOfMessage()) or b"")
        await writer.drain()


async def _pass_answer(
    http: h11.Connection,
    reader: asyncio.StreamReader,
    exchange: Exchange,
    answer_headers: Iterable[Header],
) -> None:
    while True:
        event = await _next(http, reader)
        if isinstance(event, h11.Response):
            await exchange.start(event.status_code, _answer_headers(event, answer_headers))
        elif isinstance(event, h11.Data):
            await exchange.send(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            await exchange.end()
            return


async def _next(http: h11.Connection, reader: asyncio.StreamReader) -> object:
    while True:
        try:
            event = http.next_event()
        except h11.RemoteProtocolError as error:
            raise UpstreamFailed(str(error)) from error
        if isinstance(event, h11.ConnectionClosed):
            raise UpstreamFailed("the process closed the connection without an answer")
        if event is not h11.NEED_DATA:
            return event
        try:
            http.receive_data(await reader.read(READ_BYTES))
        except OSError as error:
            raise UpstreamFailed(str(error)) from error


def _answer_headers(event: h11.Response, platform: Iterable[Header]) -> list[Header]:
    own = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in event.headers
        if name.decode("latin-1") not in HOP_BY_HOP
    ]
    names = {name for name, _ in own}
    return [*own, *((name, value) for name, value in platform if name not in names)]
