"""Deployed functions: their execution environments, concurrency and provisioned concurrency."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from portway.sandbox.dataplane.amazon_cloud import PROVISIONED
from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.instance import StartFailed
from portway.sandbox.dataplane.lambda_api import Invocation, InvocationFailed
from portway.sandbox.dataplane.lambda_environment import Environment, Function
from portway.sandbox.dataplane.pool import Exhausted, Limits, Pool
from portway.sandbox.dataplane.world import World, fingerprint, number, text
from portway.sandbox.store import Row

ACCOUNT_CONCURRENCY = 1000
MINUTE_SECONDS = 60
MOST_MINUTES = 1440


class Throttled(InvocationFailed):
    """There may be no more executions at once."""


class Deployed:
    """One function and its execution environments; changing it replaces them as they become free."""

    def __init__(self, context: Context, endpoints: Mapping[str, str]) -> None:
        self._context = context
        self._endpoints = endpoints
        self._seen: tuple[int, float] | None = None
        self._scope = ""
        self._active = 0
        self.peaks: dict[int, int] = {}
        """The most executions at once, by the minute (unix seconds) in which they began."""
        self.function: Function | None = None
        self.pool: Pool[Environment] | None = None

    def apply(self, row: Row, world: World) -> None:
        """Take a new snapshot."""
        function = Function.read(row, world)
        limits = self._limits(function, row.key.scope, world)
        if self._seen == fingerprint(row):
            if self.pool is not None:
                self.pool.limits = limits
            return
        self._seen, self._scope, self.function = fingerprint(row), row.key.scope, function
        if self.pool is not None:
            self._context.spawn(self.pool.close(function.timeout_seconds))
        self.pool = Pool(self._context, self._environment, limits)
        missing = function.package is None
        message = "InvalidParameterValueException: the function has no package" if missing else ""
        self._context.report(row, ready=not missing, message=message)

    def is_named(self, scope: str, name: str) -> bool:
        """Whether ``name`` (a name or an ARN) means this function."""
        function = self.function
        return (
            function is not None and scope == self._scope and name in (function.name, function.arn)
        )

    async def close(self) -> None:
        """End every environment."""
        if self.pool is not None:
            await self.pool.close()

    async def invoke(self, invocation: Invocation) -> None:
        """Run ``invocation`` to its end, whoever waits for the answer."""
        assert self.pool is not None
        try:
            async with self.pool.use() as environment, self._counted():
                await environment.run(invocation)
        except Exhausted:
            invocation.fail(Throttled("Rate Exceeded."))
        except StartFailed as error:
            invocation.fail(InvocationFailed(str(error)))

    @asynccontextmanager
    async def _counted(self) -> AsyncGenerator[None]:
        self._active += 1
        minute = int(time.time()) // MINUTE_SECONDS * MINUTE_SECONDS
        self.peaks[minute] = max(self.peaks.get(minute, 0), self._active)
        if len(self.peaks) > MOST_MINUTES:
            del self.peaks[min(self.peaks)]
        try:
            yield
        finally:
            self._active -= 1

    def _environment(self) -> Environment:
        assert self.function is not None
        return Environment(self._context, self.function, self._endpoints)

    def _limits(self, function: Function, scope: str, world: World) -> Limits:
        most = ACCOUNT_CONCURRENCY if function.reserved is None else function.reserved
        warm = [
            int(number(row.inputs, "provisionedConcurrentExecutions", 0))
            for row in world.of(PROVISIONED)
            if row.key.scope == scope
            and text(row.inputs, "functionName") in (function.name, function.arn)
        ]
        settings = self._context.settings
        least = min(sum(warm), most, int(settings.most_warm))
        return Limits(least, most, 1, settings.idle_seconds, 0)
