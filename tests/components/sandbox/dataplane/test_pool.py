"""Pools: members made on demand, shared up to a concurrency, ended when idle."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.instance import StartFailed
from portway.sandbox.dataplane.pool import Exhausted, Limits, Pool
from portway.sandbox.dataplane.processes import Processes
from portway.sandbox.dataplane.settings import Settings
from portway.sandbox.layout import Layout
from portway.sandbox.store import Store


class Member:
    made: int = 0
    fails: bool = False

    def __init__(self) -> None:
        type(self).made += 1
        self.alive = True

    async def start(self) -> None:
        await asyncio.sleep(0)
        if type(self).fails:
            self.alive = False
            raise StartFailed("app", "exited", "no")

    async def stop(self) -> None:
        self.alive = False


@pytest.fixture(autouse=True)
def reset() -> None:
    Member.made = 0
    Member.fails = False


def limits(
    least: int = 0, most: int = 2, concurrency: int = 2, idle: float = 60, queue: float = 0
) -> Limits:
    return Limits(least, most, concurrency, idle, queue)


def run(folder: Path, given: Limits, test: Callable[[Pool[Member]], Awaitable[None]]) -> None:
    async def inner() -> None:
        layout = Layout(folder)
        layout.create()
        context = Context(Store(layout.store), layout, Settings(), Processes(layout.run))
        pool: Pool[Member] = Pool(context, Member, given)
        try:
            await asyncio.wait_for(test(pool), 20)
        finally:
            await pool.close()
            await context.settle(1)

    asyncio.run(inner())


def test_uses_share_a_member_until_it_is_full(tmp_path: Path) -> None:
    async def test(pool: Pool[Member]) -> None:
        async with AsyncExitStack() as uses:
            members = [await uses.enter_async_context(pool.use()) for _ in range(4)]
            assert [member is members[0] for member in members] == [True, True, False, False]
            with pytest.raises(Exhausted):
                await pool.verify()
        assert (pool.size, pool.in_use, Member.made) == (2, 0, 2)

    run(tmp_path, limits(), test)


def test_a_use_waits_in_the_queue_for_a_member_to_become_free(tmp_path: Path) -> None:
    async def test(pool: Pool[Member]) -> None:
        async def short() -> Member:
            async with pool.use() as member:
                await asyncio.sleep(0.05)
                return member

        members = await asyncio.gather(*(short() for _ in range(4)))
        assert len(set(map(id, members))) == 1

    run(tmp_path, limits(most=1, concurrency=1, queue=10), test)


def test_idle_members_are_ended_down_to_the_least(tmp_path: Path) -> None:
    async def test(pool: Pool[Member]) -> None:
        async with pool.use(), pool.use():
            assert pool.size == 2
        while pool.size > 1:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.6)
        assert pool.size == 1

    run(tmp_path, limits(least=1, concurrency=1, idle=0.1), test)


def test_the_least_are_there_without_a_use(tmp_path: Path) -> None:
    async def test(pool: Pool[Member]) -> None:
        while pool.size < 2:
            await asyncio.sleep(0.02)

    run(tmp_path, limits(least=2), test)


def test_a_member_that_dies_is_replaced(tmp_path: Path) -> None:
    async def test(pool: Pool[Member]) -> None:
        async with pool.use() as first:
            first.alive = False
        async with pool.use() as second:
            assert second is not first

    run(tmp_path, limits(most=2), test)


def test_who_waited_for_a_member_that_does_not_start_is_told_and_the_next_one_tries_again(
    tmp_path: Path,
) -> None:
    async def test(pool: Pool[Member]) -> None:
        Member.fails = True
        for _ in range(2):
            with pytest.raises(StartFailed, match="no"):
                await pool.verify()
        assert (pool.size, Member.made) == (0, 2)
        Member.fails = False
        await pool.verify()

    run(tmp_path, limits(), test)


def test_a_pool_that_closes_lets_uses_end(tmp_path: Path) -> None:
    async def test(pool: Pool[Member]) -> None:
        entered = asyncio.Event()

        async def use() -> bool:
            async with pool.use() as member:
                entered.set()
                await asyncio.sleep(0.2)
                return member.alive

        using = asyncio.create_task(use())
        await entered.wait()
        await pool.close(drain_seconds=10)
        assert await using
        with pytest.raises(Exhausted):
            await pool.verify()

    run(tmp_path, limits(), test)


def test_a_member_that_is_preferred_is_used_while_it_has_room(tmp_path: Path) -> None:
    async def test(pool: Pool[Member]) -> None:
        async with AsyncExitStack() as held:
            for _ in range(3):
                await held.enter_async_context(pool.use())
        quiet = pool.members[1]
        async with AsyncExitStack() as held:
            used = [
                await held.enter_async_context(pool.use(lambda one: one is quiet)) for _ in range(3)
            ]
        assert [one is quiet for one in used] == [True, True, False]

    run(tmp_path, limits(concurrency=2), test)
