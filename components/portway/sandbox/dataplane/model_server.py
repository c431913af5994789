"""A stand-in for vLLM's OpenAI-compatible server: a real process with its arguments and its manners.

It deviates from the OpenAI API where vLLM does (the measured list in the product's conformance notes):
``{"error": "Unauthorized"}`` for a wrong key, no ``GET /v1/models/{id}``, integer error codes, the
default model when none is named, ``{"detail": …}`` for unknown paths and methods. Simulated: no
weights are loaded (a folder must hold a description and one file of them), text comes from ``portway.sandbox.dataplane.text``, sampling parameters are accepted
and change nothing, ``/v1/completions`` and the other routes of vLLM are not there.

Run as ``python -m portway.sandbox.dataplane.model_server <vllm serve arguments>``.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import os
import signal
import sys
import time
import uuid
from typing import Any

from portway.sandbox.dataplane.chat import Answer, respond
from portway.sandbox.dataplane.front import Exchange, Front
from portway.sandbox.dataplane.openai_wire import ChatRequest, Rejected, error_body, read_request
from portway.sandbox.dataplane.settings import Settings
from portway.sandbox.dataplane.text import count
from portway.sandbox.dataplane.vllm_arguments import Options, why_not_loaded

log = logging.getLogger("vllm")

MAX_BODY_BYTES = 64 << 20


class ModelServer:
    """One loaded model and its routes."""

    def __init__(self, options: Options, settings: Settings) -> None:
        self._options = options
        self._delay = settings.token_delay_seconds
        self._turn = asyncio.Semaphore(options.sequences)
        self._created = int(time.time())
        self._waiting = self._running = self._served = self._aborted = 0
        self._prompt_tokens = self._generated_tokens = 0
        self._routes = {
            "/health": ("GET", self._health),
            "/ping": ("GET", self._health),
            "/version": ("GET", self._version),
            "/metrics": ("GET", self._metrics),
            "/v1/models": ("GET", self._models),
            "/v1/chat/completions": ("POST", self._chat),
        }

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        if exchange.path.startswith("/v1") and not self._allowed(exchange):
            await exchange.reply(401, '{"error":"Unauthorized"}')
            return
        method, route = self._routes.get(exchange.path, (None, None))
        if route is None:
            await exchange.reply(404, '{"detail":"Not Found"}')
        elif method != exchange.method:
            await exchange.reply(
                405, '{"detail":"Method Not Allowed"}', headers=[("allow", method or "")]
            )
        else:
            await route(exchange)

    def _allowed(self, exchange: Exchange) -> bool:
        if not self._options.keys:
            return True
        scheme, _, given = (exchange.header("authorization") or "").partition(" ")
        checks = [hmac.compare_digest(given.encode(), key.encode()) for key in self._options.keys]
        return scheme.lower() == "bearer" and any(checks)

    async def _health(self, exchange: Exchange) -> None:
        await exchange.reply(200, b"")

    async def _version(self, exchange: Exchange) -> None:
        await exchange.reply(200, '{"version":"0.29.0+sandbox"}')

    async def _metrics(self, exchange: Exchange) -> None:
        label = f'{{model_name="{self._options.names[0]}",engine="0"}}'
        figures = {
            "vllm:num_requests_running gauge": self._running,
            "vllm:num_requests_waiting gauge": self._waiting,
            "vllm:prompt_tokens_total counter": self._prompt_tokens,
            "vllm:generation_tokens_total counter": self._generated_tokens,
            "vllm:request_success_total counter": self._served,
            "vllm:request_aborted_total counter": self._aborted,
        }
        lines: list[str] = []
        for name, figure in figures.items():
            lines += [f"# TYPE {name}", f"{name.split()[0]}{label} {figure}"]
        await exchange.reply(
            200, "\n".join(lines) + "\n", "text/plain; version=0.0.4; charset=utf-8"
        )

    async def _models(self, exchange: Exchange) -> None:
        options = self._options
        models: list[dict[str, Any]] = [
            {"id": name, "object": "model", "created": self._created, "owned_by": "vllm",
             "root": options.weights, "parent": None, "max_model_len": options.context_tokens,
             "permission": []}
            for name in options.names
        ]  # fmt: skip
        await exchange.reply(200, json.dumps({"object": "list", "data": models}))

    async def _chat(self, exchange: Exchange) -> None:
        try:
            request = read_request(await exchange.body(MAX_BODY_BYTES), self._options)
        except Rejected as error:
            await exchange.reply(error.status, error_body(error))
            return
        identifier = f"chatcmpl-{uuid.uuid4().hex}"
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        self._running += 1
        try:
            self._prompt_tokens += count(request.asks[0].turns)
            await self._generate(exchange, request, identifier)
            self._served += 1
        except BaseException:
            self._aborted += 1
            log.info("Aborted request %s", identifier)
            raise
        finally:
            self._running -= 1
            self._turn.release()

    async def _generate(self, exchange: Exchange, request: ChatRequest, identifier: str) -> None:
        answers = [respond(self._options.identity, ask) for ask in request.asks]
        if request.stream:
            await self._stream(exchange, request, identifier, answers)
            return
        await self._think(max(answer.output_tokens for answer in answers))
        await exchange.reply(
            200, json.dumps(request.whole(identifier, answers), ensure_ascii=False)
        )

    async def _think(self, tokens: int) -> None:
        self._generated_tokens += tokens
        await asyncio.sleep(tokens * self._delay)

    async def _stream(
        self, exchange: Exchange, request: ChatRequest, identifier: str, answers: list[Answer]
    ) -> None:
        headers = [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("cache-control", "no-cache"),
        ]
        await exchange.start(200, headers)
        for chunk, pause in request.chunks(identifier, answers):
            if pause:
                await self._think(1)
            await _send(exchange, chunk)
        await exchange.send(b"data: [DONE]\n\n")
        await exchange.end()


async def _send(exchange: Exchange, chunk: dict[str, Any]) -> None:
    text = json.dumps(chunk, ensure_ascii=False, separators=(",", ":"))
    await exchange.send(f"data: {text}\n\n".encode())


async def serve(options: Options, settings: Settings) -> None:
    """Load, listen, and serve until SIGTERM.

    Raises:
        OSError: the port is taken.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    log.info("Loading weights of %s", options.identity)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), settings.model_load_seconds)
    front = Front(ModelServer(options, settings).handle)
    await front.listen(options.port)
    log.info("Application startup complete on port %d", front.port)
    await ended.wait()
    await front.close()


def main() -> None:
    """Start the server as the container's command would."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    options = Options(sys.argv[1:])
    if not os.environ.get("NVIDIA_VISIBLE_DEVICES"):
        log.error("RuntimeError: Failed to infer device type: the container was given no GPU")
        sys.exit(1)
    if trouble := why_not_loaded(options, os.environ):
        log.error(trouble)
        sys.exit(1)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options, Settings.from_environment()))


if __name__ == "__main__":
    main()
