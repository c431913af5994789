"""Lambda behind function URLs: permissions, concurrency, time limits, buffered and streamed answers."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from portway.sandbox.dataplane.amazon_cloud import (
    FUNCTION,
    FUNCTION_URL,
    PERMISSION,
    STAGE,
    Unsigned,
    caller,
    refusal,
)
from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.front import LOOPBACK, BodyTooLarge, Exchange, Front
from portway.sandbox.dataplane.lambda_answers import buffer_answer, ids, stream_answer
from portway.sandbox.dataplane.lambda_api import MAX_BUFFERED_BYTES, Invocation, InvocationFailed
from portway.sandbox.dataplane.lambda_environment import Function
from portway.sandbox.dataplane.lambda_events import Malformed, event
from portway.sandbox.dataplane.lambda_functions import Deployed, Throttled
from portway.sandbox.dataplane.lambda_rest import RestStage
from portway.sandbox.dataplane.world import World, text
from portway.sandbox.store import Row

log = logging.getLogger(__name__)

FORBIDDEN = "Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"


class LambdaHost:
    """Every deployed function and function URL of every account and region."""

    def __init__(self, context: Context, endpoints: Mapping[str, str]) -> None:
        self._context = context
        self._endpoints = endpoints
        self._functions: dict[str, Deployed] = {}
        self._urls: dict[str, Url] = {}
        self._stages: dict[str, RestStage] = {}

    async def reconcile(self, world: World) -> None:
        """Serve what is deployed now, and nothing else."""
        functions = {str(row.key): row for row in world.of(FUNCTION)}
        urls = {str(row.key): row for row in world.of(FUNCTION_URL)}
        for owner in self._urls.keys() - urls.keys():
            self._context.spawn(self._urls.pop(owner).close())
        for owner in self._functions.keys() - functions.keys():
            self._context.spawn(self._functions.pop(owner).close())
        for owner, row in functions.items():
            if owner not in self._functions:
                self._functions[owner] = Deployed(self._context, self._endpoints)
            self._functions[owner].apply(row, world)
        for owner, row in urls.items():
            if owner not in self._urls:
                self._urls[owner] = Url(self._context, self._find)
            await self._urls[owner].apply(row, world)
        stages = {str(row.key): row for row in world.of(STAGE)}
        for owner in self._stages.keys() - stages.keys():
            self._context.spawn(self._stages.pop(owner).close())
        for owner, row in stages.items():
            if owner not in self._stages:
                self._stages[owner] = RestStage(self._context, self._named)
            await self._stages[owner].apply(row, world)

    def describe(self) -> list[dict[str, Any]]:
        """What runs, for people."""
        return [one.describe() for one in (*self._urls.values(), *self._stages.values())]

    async def close(self) -> None:
        """End every environment."""
        edges = (*self._urls.values(), *self._stages.values())
        await asyncio.gather(*(edge.close() for edge in edges))
        await asyncio.gather(*(function.close() for function in self._functions.values()))

    def peaks(self, arn: str) -> Mapping[int, int]:
        """The most executions of a function at once, by minute (unix seconds)."""
        for each in self._functions.values():
            if each.function is not None and each.function.arn == arn:
                return each.peaks
        return {}

    def _find(self, url: Row) -> Deployed | None:
        return self._named(url.key.scope, text(url.inputs, "functionName"))

    def _named(self, scope: str, name: str) -> Deployed | None:
        for function in self._functions.values():
            if function.is_named(scope, name):
                return function
        return None


class Url:
    """One function URL."""

    def __init__(self, context: Context, find: Callable[[Row], Deployed | None]) -> None:
        self._context = context
        self._find = find
        self._front = Front(self.handle)
        self._row: Row | None = None
        self._world: World | None = None

    async def apply(self, row: Row, world: World) -> None:
        """Take a new snapshot; listen the first time."""
        self._row, self._world = row, world
        try:
            if not self._front.port:
                await self._front.listen(self._context.port(str(row.key)))
        except OSError as error:
            message = f"the sandbox cannot listen for the function URL: {error}"
            self._context.report(row, ready=False, message=message)
        else:
            self._context.report(row, ready=True)

    def describe(self) -> dict[str, Any]:
        """What runs, for people."""
        deployed = self._find(self._row) if self._row else None
        name = deployed.function.name if deployed and deployed.function else "?"
        return {
            "owner": str(self._row.key) if self._row else "",
            "resource": f"Lambda function URL of {name}",
            "endpoint": f"http://{LOOPBACK}:{self._front.port}",
            "instances": deployed.pool.size if deployed and deployed.pool else 0,
        }

    async def close(self) -> None:
        """Stop listening."""
        await self._front.close()

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request as a function URL would."""
        assert self._row is not None
        assert self._world is not None
        deployed = self._find(self._row)
        if deployed is None or deployed.function is None:
            await _refuse(exchange, 404, "ResourceNotFoundException", "Function not found")
            return
        if not self._allowed(exchange, deployed.function, self._row, self._world):
            await _refuse(exchange, 403, "AccessDeniedException", FORBIDDEN)
            return
        try:
            body = await exchange.body(MAX_BUFFERED_BYTES)
            payload = json.dumps(self._event(exchange, body, deployed.function)).encode()
        except BodyTooLarge:
            payload = b""
        if not payload or len(payload) > MAX_BUFFERED_BYTES:
            message = f"Request must be smaller than {MAX_BUFFERED_BYTES} bytes for the InvokeFunction operation"
            await _refuse(exchange, 413, "RequestTooLargeException", message)
            return
        await self._invoke(
            exchange, deployed, Invocation(payload, deployed.function.timeout_seconds)
        )

    def _event(self, exchange: Exchange, body: bytes, function: Function) -> dict[str, Any]:
        return event(exchange, body, f"{LOOPBACK}:{self._front.port}", function.account)

    async def _invoke(self, exchange: Exchange, deployed: Deployed, invocation: Invocation) -> None:
        assert self._row is not None
        self._context.spawn(deployed.invoke(invocation))
        streams = text(self._row.inputs, "invokeMode") == "RESPONSE_STREAM"
        try:
            await invocation.begun.wait()
            await (stream_answer if streams else buffer_answer)(exchange, invocation)
        except Throttled as error:
            await _refuse(exchange, 429, "TooManyRequestsException", str(error))
        except (InvocationFailed, Malformed) as error:
            log.warning("%s: %s", invocation.id, error)
            if exchange.started:
                exchange.abort()
            else:
                await exchange.reply(502, "Internal Server Error", headers=ids(invocation))
        finally:
            invocation.abandon()

    def _allowed(self, exchange: Exchange, function: Function, row: Row, world: World) -> bool:
        kind = text(row.inputs, "authorizationType")
        if kind == "AWS_IAM":
            return _signed_and_allowed(exchange, function, world)
        permissions = [
            each.inputs for each in world.of(PERMISSION)
            if each.key.scope == row.key.scope
            and text(each.inputs, "function") in (function.name, function.arn)
            and text(each.inputs, "qualifier") == text(row.inputs, "qualifier")
            and text(each.inputs, "principal") == "*"
        ]  # fmt: skip
        by_url = any(
            text(p, "action") == "lambda:InvokeFunctionUrl"
            and text(p, "functionUrlAuthType") in ("", kind)
            for p in permissions
        )
        return by_url and any(text(p, "action") == "lambda:InvokeFunction" for p in permissions)


def _signed_and_allowed(exchange: Exchange, function: Function, world: World) -> bool:
    try:
        who = caller(exchange, world)
    except Unsigned:
        return False
    by_url = refusal(
        world, who, "lambda:InvokeFunctionUrl", function.arn, lambda__FunctionUrlAuthType="AWS_IAM"
    )
    direct = refusal(
        world, who, "lambda:InvokeFunction", function.arn, lambda__InvokedViaFunctionUrl="true"
    )
    return by_url is None and direct is None


async def _refuse(exchange: Exchange, status: int, code: str, message: str) -> None:
    await exchange.reply(
        status, json.dumps({"Message": message}), headers=[("x-amzn-errortype", code)]
    )
