"""The embedded Bedrock runtime: Converse and ConverseStream with real framing, after real IAM checks.

The caller is the role whose key signed the request, the region is the one it signed for. Simulated: what
a signature's value is, and the text, which is the stand-in model's; a guardrail is its words.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Callable
from urllib.parse import unquote

from portway.sandbox.dataplane import bedrock_native as native
from portway.sandbox.dataplane import converse, eventstream
from portway.sandbox.dataplane.amazon_cloud import Caller, Unsigned, caller, refusal
from portway.sandbox.dataplane.bedrock_catalogue import Catalogue, Served, UnknownModel
from portway.sandbox.dataplane.bedrock_resources import Guard, Tagged, find, guard_of
from portway.sandbox.dataplane.chat import Answer, Ask, blocked, respond
from portway.sandbox.dataplane.front import BodyTooLarge, Exchange
from portway.sandbox.dataplane.settings import Settings
from portway.sandbox.dataplane.troubles import MODEL, REFUSALS, Troubles
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
        self,
        world: Callable[[], World],
        settings: Settings,
        catalogue: Catalogue | None = None,
        troubles: Troubles | None = None,
    ) -> None:
        self._world = world
        self._delay = settings.token_delay_seconds
        self._catalogue = catalogue or Catalogue()
        self._troubles = troubles

    async def handle(self, exchange: Exchange) -> None:
        """Answer one API call."""
        request_id = str(uuid.uuid4())
        try:
            if exchange.path == native.PATH and exchange.method == "POST":
                await self._native(exchange, request_id)
                return
            operation, served, ask, stopped = await self._admit(exchange)
            answer = respond(served.identity, ask) if stopped is None else blocked(stopped)
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

    async def _admit(self, exchange: Exchange) -> tuple[str, Served, Ask, str | None]:
        parts = exchange.raw_path.strip("/").split("/")
        operation = parts[-1]
        if exchange.method != "POST" or parts[0] != "model" or operation not in _ACTIONS:
            raise ApiError(
                404,
                "UnknownOperationException",
                "the sandbox's Bedrock has Converse, ConverseStream and OpenAI chat completions only",
            )
        who, data = await self._signed(exchange)
        name = unquote("/".join(parts[1:-1]))
        try:
            served, tagged = find(self._catalogue, self._world(), name, who.region, who.account)
            body = converse.body_of(data)
            guard = guard_of(body, self._world(), who.region, who.account)
            self._authorize(who, served, _ACTIONS[operation], tagged, guard)
            await self._meet_troubles(served)
            ask = converse.read(data, served.context_tokens)
        except (UnknownModel, converse.Invalid) as error:
            raise ApiError(400, "ValidationException", str(error)) from error
        return operation, served, ask, None if guard is None else guard.stops(ask)

    async def _native(self, exchange: Exchange, request_id: str) -> None:
        who, data = await self._signed(exchange)
        name, streams = native.asked_model(data)
        try:
            served = self._catalogue.find(name, who.region, who.account)
        except UnknownModel as error:
            raise ApiError(404, "ResourceNotFoundException", str(error)) from error
        if not native.has_it(served.model_id):
            text = f"model {name} isn't supported on this route"
            raise ApiError(404, "ResourceNotFoundException", text)
        self._authorize(who, served, _ACTIONS["converse-stream" if streams else "converse"])
        await self._meet_troubles(served)
        await native.answer(exchange, served, data, self._delay, request_id)

    async def _signed(self, exchange: Exchange) -> tuple[Caller, bytes]:
        try:
            return caller(exchange, self._world()), await exchange.body(MAX_BODY_BYTES)
        except Unsigned as error:
            raise ApiError(403, error.code, str(error)) from error
        except BodyTooLarge as error:
            raise ApiError(413, "ValidationException", "The request is too large.") from error

    def _authorize(
        self,
        who: Caller,
        served: Served,
        action: str,
        tagged: Tagged | None = None,
        guard: Guard | None = None,
    ) -> None:
        context = {"bedrock__InferenceProfileArn": served.profile_arn} if served.profile_arn else {}
        if guard is not None:
            context["bedrock__GuardrailIdentifier"] = f"{guard.arn}:{guard.version}"
            self._may(who, "bedrock:ApplyGuardrail", guard.arn, {})
        for resource in served.resources:
            own = tagged.tags if tagged is not None and resource == tagged.arn else {}
            tags = {f"aws__ResourceTag/{name}": value for name, value in own.items()}
            self._may(who, action, resource, context | tags)

    def _may(self, who: Caller, action: str, resource: str, context: dict[str, str]) -> None:
        sentence = refusal(self._world(), who, action, resource, **context)
        if sentence is not None:
            raise ApiError(403, "AccessDeniedException", sentence)

    async def _meet_troubles(self, served: Served) -> None:
        for fault in self._troubles.due("invoke", MODEL, served.model_id) if self._troubles else []:
            await asyncio.sleep(fault.latency_seconds)
            if fault.kind in REFUSALS:
                raise ApiError(*REFUSALS[fault.kind])

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
