"""The Extensions API of one execution environment: who runs beside the function, and waits."""

import asyncio
import json
import uuid
from typing import Any

from portway.sandbox.dataplane.front import Exchange

EXTENSIONS = "/2020-01-01/extension"
MAX_BODY_BYTES = 64 << 10


class Extensions:
    """Extensions that only live as long as their environment: the Lambda Web Adapter is one.

    Nothing is told to them: one that asks for INVOKE is refused, and SHUTDOWN is the end of its process.
    """

    def __init__(self, function_arn: str) -> None:
        self._function = function_arn.rpartition(":")[2]
        self.names: dict[str, str] = {}

    async def handle(self, exchange: Exchange) -> None:
        """Answer one call below ``EXTENSIONS``."""
        match (exchange.method, exchange.path.removeprefix(EXTENSIONS)):
            case ("POST", "/register"):
                await self._register(exchange)
            case ("GET", "/event/next"):
                await self._next(exchange)
            case _:
                await refuse(
                    exchange, 404, "NotFound", "the sandbox's Extensions API has no such path"
                )

    async def _register(self, exchange: Exchange) -> None:
        name = exchange.header("lambda-extension-name")
        body = await exchange.body(MAX_BODY_BYTES)
        try:
            given: Any = json.loads(body or b"{}")
            asked: list[Any] = given.get("events") or []
        except (ValueError, AttributeError):
            await refuse(exchange, 400, "InvalidRequestFormat", "the body is not a JSON object")
            return
        if not name:
            await refuse(exchange, 403, "Extension.InvalidExtensionName", "Invalid extension name")
            return
        if "INVOKE" in asked:
            message = f"the sandbox tells extensions of no invocation, and {name} asks for them"
            await refuse(exchange, 400, "InvalidEventType", message)
            return
        identifier = str(uuid.uuid4())
        self.names[identifier] = name
        found = {
            "functionName": self._function,
            "functionVersion": "$LATEST",
            "handler": "bootstrap",
        }
        headers = [("lambda-extension-identifier", identifier)]
        await exchange.reply(200, json.dumps(found), headers=headers)

    async def _next(self, exchange: Exchange) -> None:
        if exchange.header("lambda-extension-identifier") not in self.names:
            await refuse(exchange, 403, "Extension.UnknownExtensionIdentifier", "Unknown extension")
            return
        await asyncio.Event().wait()


async def refuse(exchange: Exchange, status: int, kind: str, message: str) -> None:
    """An error in the form of both APIs."""
    body = json.dumps({"errorType": kind, "errorMessage": message})
    await exchange.reply(status, body)
