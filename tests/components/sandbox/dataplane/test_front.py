"""The fronts: unbuffered both ways, keep-alive, disconnects that propagate."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx

from portway.sandbox.dataplane.front import BodyTooLarge, Exchange, Front, Handler
from portway.sandbox.dataplane.proxy import UpstreamFailed, forward


@asynccontextmanager
async def serving(handler: Handler) -> AsyncGenerator[int]:
    front = Front(handler)
    await front.listen()
    try:
        yield front.port
    finally:
        await front.close()


@asynccontextmanager
async def behind_a_proxy(handler: Handler) -> AsyncGenerator[int]:
    async with serving(handler) as port:

        async def pass_on(exchange: Exchange) -> None:
            try:
                await forward(
                    exchange, port, added=[("x-added", "yes")], answer_headers=[("server", "front")]
                )
            except UpstreamFailed as error:
                if exchange.started:
                    exchange.abort()
                else:
                    await exchange.reply(503, str(error))

        async with serving(pass_on) as outer:
            yield outer


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))  # pyright: ignore[reportArgumentType] - an async function's coroutine


async def echo(exchange: Exchange) -> None:
    body = await exchange.body()
    headers = [("x-path", exchange.path), ("x-seen", exchange.header("x-added") or "no")]
    await exchange.reply(200, body, "text/plain", headers)


def test_bodies_and_headers_pass_in_both_directions_on_one_connection() -> None:
    async def test() -> None:
        async with behind_a_proxy(echo) as port, httpx.AsyncClient() as client:
            for size in (0, 10, 3_000_000):
                answer = await client.post(f"http://127.0.0.1:{port}/a%20b?c", content=b"x" * size)
                assert len(answer.content) == size
                assert answer.headers["x-path"] == "/a b"
                assert (answer.headers["x-seen"], answer.headers["server"]) == ("yes", "front")

    run(test)


def test_chunked_bodies_pass_and_so_does_head() -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        for _ in range(3):
            yield b"piece"

    async def test() -> None:
        async with behind_a_proxy(echo) as port, httpx.AsyncClient() as client:
            address = f"http://127.0.0.1:{port}/"
            assert (await client.post(address, content=pieces())).content == b"piece" * 3
            head = await client.head(address)
            assert (head.status_code, head.content) == (200, b"")

    run(test)


def test_each_piece_is_there_before_the_next_one_is_made() -> None:
    async def test() -> None:
        taken = asyncio.Event()

        async def in_turn(exchange: Exchange) -> None:
            await exchange.start(200, [("content-type", "text/plain")])
            await exchange.send(b"first")
            await taken.wait()
            await exchange.send(b"second")
            await exchange.end()

        async with (
            behind_a_proxy(in_turn) as port,
            httpx.AsyncClient() as client,
            client.stream("GET", f"http://127.0.0.1:{port}/") as answer,
        ):
            raw = answer.aiter_raw()
            assert await anext(raw) == b"first"
            taken.set()
            assert await anext(raw) == b"second"

    run(test)


def test_a_client_that_leaves_cancels_the_handler_behind_the_proxy() -> None:
    async def test() -> None:
        begun, cancelled = asyncio.Event(), asyncio.Event()

        async def endless(exchange: Exchange) -> None:
            await exchange.body()
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        async with behind_a_proxy(endless) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi")
            await begun.wait()
            writer.close()
            await cancelled.wait()

    run(test)


def test_an_answer_that_breaks_off_is_cut_and_never_looks_whole() -> None:
    async def half(exchange: Exchange) -> None:
        await exchange.start(200, [])
        await exchange.send(b"half")
        raise ValueError("broken")

    async def test() -> None:
        async with behind_a_proxy(half) as port, httpx.AsyncClient() as client:
            with contextlib.suppress(httpx.TransportError):
                await client.get(f"http://127.0.0.1:{port}/")
                raise AssertionError("a broken answer looked whole")

    run(test)


def test_a_handler_that_fails_is_an_error_and_a_process_that_is_gone_is_unavailable() -> None:
    async def fails(exchange: Exchange) -> None:
        raise ValueError("broken")

    async def gone(exchange: Exchange) -> None:
        exchange.abort()

    async def test() -> None:
        async with httpx.AsyncClient() as client:
            async with behind_a_proxy(fails) as port:
                assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 500
            async with behind_a_proxy(gone) as port:
                assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 503

    run(test)


def test_a_refusal_arrives_although_the_body_was_not_read() -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.reply(403, "no", "text/plain")

    async def limited(exchange: Exchange) -> None:
        try:
            await exchange.body(1000)
        except BodyTooLarge:
            await exchange.reply(413, "large", "text/plain")

    async def test() -> None:
        async with httpx.AsyncClient() as client:
            for handler, status in ((refuse, 403), (limited, 413)):
                async with serving(handler) as port:
                    for _ in range(2):
                        answer = await client.post(
                            f"http://127.0.0.1:{port}/", content=b"x" * 5_000_000
                        )
                        assert answer.status_code == status

    run(test)


def test_a_body_that_is_not_http_is_refused_behind_a_proxy_too() -> None:
    async def test() -> None:
        async with behind_a_proxy(echo) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
            writer.close()

    run(test)


def test_what_is_not_http_is_refused() -> None:
    async def test() -> None:
        async with serving(echo) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x16\x03\x01 not http\r\n\r\n")
            assert b" 400 " in await reader.readline()
            writer.close()

    run(test)


def test_a_port_that_is_taken_is_taken_over_when_it_becomes_free() -> None:
    async def test() -> None:
        async with serving(echo) as port:
            second = Front(echo)
            waiting = asyncio.create_task(second.listen(port))
            await asyncio.sleep(0.05)
            assert not waiting.done()
        assert await waiting == port
        await second.close()

    run(test)
