"""Bedrock's own OpenAI chat completions: the models that have them, in OpenAI's words.

Its error objects are of the kind that OpenAI's clients read; the checks behind them are those of a
model server, because no list of Bedrock's own was found.
"""

import asyncio
import json
import uuid
from typing import Any

from portway.sandbox.dataplane.bedrock_catalogue import Served
from portway.sandbox.dataplane.chat import respond
from portway.sandbox.dataplane.front import Exchange
from portway.sandbox.dataplane.openai_wire import Rejected, error_body, read_request
from portway.sandbox.dataplane.vllm_arguments import Options

PATH = "/openai/v1/chat/completions"
_VENDOR = "openai."
"""The models that have it (Amazon Bedrock user guide: all OpenAI models)."""


def asked_model(body: bytes) -> tuple[str, bool]:
    """The model that a request names ("" for none), and whether it wants a stream."""
    try:
        given: Any = json.loads(body)
        return str(given.get("model") or ""), bool(given.get("stream"))
    except (ValueError, AttributeError, RecursionError):
        return "", False


def has_it(model_id: str) -> bool:
    """Whether Bedrock serves ``model_id`` there."""
    return model_id.startswith(_VENDOR)


async def answer(
    exchange: Exchange, served: Served, body: bytes, delay_seconds: float, request_id: str
) -> None:
    """Answer a request that is signed and allowed."""
    options = Options(
        ["--model", str(served.identity.weights), "--served-model-name", served.model_id,
         "--max-model-len", str(served.context_tokens), "--enable-auto-tool-choice",
         "--tool-call-parser", "openai"]
    )  # fmt: skip
    told = [("x-amzn-requestid", request_id)]
    try:
        request = read_request(body, options)
    except Rejected as error:
        await exchange.reply(error.status, error_body(error), headers=told)
        return
    identifier = f"chatcmpl-{uuid.uuid4()}"
    answers = [respond(served.identity, ask) for ask in request.asks]
    if not request.stream:
        await asyncio.sleep(max(one.output_tokens for one in answers) * delay_seconds)
        whole = json.dumps(request.whole(identifier, answers), ensure_ascii=False)
        await exchange.reply(200, whole, headers=told)
        return
    await exchange.start(200, [("content-type", "text/event-stream"), *told])
    for chunk, pause in request.chunks(identifier, answers):
        if pause:
            await asyncio.sleep(delay_seconds)
        text = json.dumps(chunk, ensure_ascii=False, separators=(",", ":"))
        await exchange.send(f"data: {text}\n\n".encode())
    await exchange.send(b"data: [DONE]\n\n")
    await exchange.end()
