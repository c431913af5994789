"""The embedded Bedrock runtime: Converse and ConverseStream with real framing, after real IAM checks.

The caller is the role whose key signed the request, the region is the one it signed for. Simulated: what
a signature's value is, guardrails, throttling, and the text, which is the stand-in model's.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Callable
from urllib.parse import unquote

from portway.sandbox.dataplane import converse, eventstream
from portway.sandbox.dataplane.amazon_cloud import Caller, Unsigned, caller, refusal
from portway.sandbox.dataplane.bedrock_catalogue import Catalogue, Served, UnknownModel
from portway.sandbox.dataplane.chat import Answer, Ask, respond
from portway.sandbox.dataplane.front import BodyTooLarge, Exchange
from portway.sandbox.dataplane.settings import Settings
from portway.sandbox.dataplane.world import World

log = logging.getLogger(__name__)

OWNER = "bedrock"
MAX_BODY_BYTES = 25 << 20
_ACTIONS = {
    "converse": "bedrock:InvokeModel",
    "converse-stream": "bedrock:InvokeModelWithResponseStream",
}


class ApiError(Exception):
    """An AWS error: its status, its code, its message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keep what the answer needs."""
        super().__init__(message)
        self.status = status
        self.code = code


class Bedrock:
    """``bedrock-runtime`` of every region at once."""

    def __init__(
        self, world: Callable[[], World], settings: Settings, catalogue: Catalogue | None = None
    ) -> None:
        self._world = world
        self._delay = settings.token_delay_seconds
        self._catalogue = catalogue or Catalogue()

    async def handle(self, exchange: Exchange) -> None:
        """Answer one API call."""
        request_id = str(uuid.uuid4())
        try:
            operation, served, ask = await self._admit(exchange)
            answer = respond(served.identity, ask)
            if operation == "converse":
                await self._whole(exchange, ask, answer, request_id)
            else:
                await self._stream(exchange, ask, answer, request_id)
        except ApiError as error:
            headers = [("x-amzn-errortype", error.code), ("x-amzn-requestid", request_id)]
            body = json.dumps({"message": str(error)})
            await exchange.reply(error.status, body, headers=headers)
        except asyncio.CancelledError:
            log.info("bedrock request %s was aborted by its client", request_id)
            raise

    async def _admit(self, exchange: Exchange) -> tuple[str, Served, Ask]:
        parts = exchange.raw_path.strip("/").split("/")
        operation = parts[-1]
        if exchange.method != "POST" or parts[0] != "model" or operation not in _ACTIONS:
            raise ApiError(
                404,
                "UnknownOperationException",
                "the sandbox's Bedrock has Converse and ConverseStream only",
            )
        try:
            who = caller(exchange, self._world())
        except Unsigned as error:
            raise ApiError(403, error.code, str(error)) from error
        try:
            served = self._catalogue.find(unquote("/".join(parts[1:-1])), who.region, who.account)
            self._authorize(who, served, _ACTIONS[operation])
            ask = converse.read(await exchange.body(MAX_BODY_BYTES), served.context_tokens)
        except (UnknownModel, converse.Invalid) as error:
            raise ApiError(400, "ValidationException", str(error)) from error
        except BodyTooLarge as error:
            raise ApiError(413, "ValidationException", "The request is too large.") from error
        return operation, served, ask

    def _authorize(self, who: Caller, served: Served, action: str) -> None:
        context = {"bedrock__InferenceProfileArn": served.profile_arn} if served.profile_arn else {}
        for resource in served.resources:
            sentence = refusal(self._world(), who, action, resource, **context)
            if sentence is not None:
                raise ApiError(403, "AccessDeniedException", sentence)

    async def _whole(self, exchange: Exchange, ask: Ask, answer: Answer, request_id: str) -> None:
        started = time.monotonic()
        await asyncio.sleep(answer.output_tokens * self._delay)
        body = converse.whole(ask, answer, _milliseconds(started))
        headers = [("x-amzn-requestid", request_id)]
        await exchange.reply(200, json.dumps(body, ensure_ascii=False), headers=headers)

    async def _stream(self, exchange: Exchange, ask: Ask, answer: Answer, request_id: str) -> None:
        started = time.monotonic()
        headers = [("content-type", eventstream.CONTENT_TYPE), ("x-amzn-requestid", request_id)]
        await exchange.start(200, headers)
        for kind, payload in converse.events(ask, answer, 0):
            if kind == "contentBlockDelta":
                await asyncio.sleep(self._delay)
            if kind == "metadata":
                payload["metrics"] = {"latencyMs": _milliseconds(started)}
            await exchange.send(eventstream.event(kind, payload))
        await exchange.end()


def _milliseconds(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
