"""What a function answers, sent on: piece by piece, or whole."""

import contextlib

from portway.sandbox.dataplane.front import Exchange, Header
from portway.sandbox.dataplane.lambda_api import MAX_BUFFERED_BYTES, Invocation
from portway.sandbox.dataplane.lambda_events import (
    INTEGRATION_TYPE,
    SEPARATOR,
    Head,
    Malformed,
    head_of,
    read_envelope,
    read_prelude,
)
from portway.sandbox.dataplane.proxy import HOP_BY_HOP

MAX_PRELUDE_BYTES = 64 << 10


async def stream_answer(exchange: Exchange, invocation: Invocation) -> None:
    """RESPONSE_STREAM: piece by piece; an answer that is not streamed arrives as it is, envelope and all."""
    pieces = invocation.pieces()
    async with contextlib.aclosing(pieces):
        rest = b""
        head = Head(200, [("content-type", invocation.content_type or "application/octet-stream")])
        if invocation.streaming and invocation.content_type == INTEGRATION_TYPE:
            async for piece in pieces:
                rest += piece
                if SEPARATOR in rest or len(rest) > MAX_PRELUDE_BYTES:
                    break
            prelude, separator, rest = rest.partition(SEPARATOR)
            if not separator:
                raise Malformed("the answer ended before its prelude did")
            head = read_prelude(prelude)
        elif not invocation.streaming:
            # All of it first: what fails must still be answered with 502.
            rest = b"".join([piece async for piece in pieces])
            head = head_of({"headers": {"content-type": "application/octet-stream"}})
        await exchange.start(head.status, _headers(head, invocation))
        await exchange.send(rest)
        async for piece in pieces:
            await exchange.send(piece)
    await exchange.end()


async def buffer_answer(exchange: Exchange, invocation: Invocation) -> None:
    """BUFFERED: the whole answer at once, at most 6 MB of it."""
    data = b"".join([piece async for piece in invocation.pieces()])
    if len(data) > MAX_BUFFERED_BYTES:
        raise Malformed("the answer is longer than 6 MB")
    if invocation.streaming and invocation.content_type == INTEGRATION_TYPE:
        prelude, _, body = data.partition(SEPARATOR)
        head = read_prelude(prelude)
    else:
        head, body = read_envelope(data)
    headers = [*_headers(head, invocation), ("content-length", str(len(body)))]
    await exchange.start(head.status, headers)
    await exchange.send(body)
    await exchange.end()


def _headers(head: Head, invocation: Invocation) -> list[Header]:
    dropped = {*HOP_BY_HOP, "content-length"}
    kept = [(name, value) for name, value in head.headers if name not in dropped]
    return [*kept, *ids(invocation)]


def ids(invocation: Invocation) -> list[Header]:
    """What every answer of Lambda carries."""
    return [("x-amzn-requestid", invocation.id)]
