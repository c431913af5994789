"""A model server that behaves as vLLM does on the wire, its deviations from OpenAI included.

It answers any prompt with `WORDS`, counts a word as a token, and records what it was asked.
"""

import json
import select
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

WORDS = ("Paris ", "is ", "the ", "capital.")
TEXT = "".join(WORDS)
SERVED = "served-name"


@dataclass
class FakeVllm:
    """Started by `with`; `url` is its origin. Change `behaviour` between requests.

    `behaviour` is one of: answer, hang (before the first piece), pause (after the first piece,
    until `go` is set), break_off (no [DONE]), drop (closes in mid-chunk), error_in_stream, refuse
    (500), abort (finish reason of an aborted request), unhealthy.
    """

    max_model_len: int = 100
    behaviour: str = "answer"
    seen: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    request_ids: list[str | None] = field(default_factory=list[str | None])
    hung_up: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "FakeVllm":
        fake = self

        class Handler(_Handler):
            server_of = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: FakeVllm

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(503 if self.server_of.behaviour == "unhealthy" else 200, b"")
        elif self.path == "/v1/models":
            self._json(200, {"object": "list", "data": [{"id": SERVED, "object": "model"}]})
        else:
            self._json(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        fake = self.server_of
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/chat/completions":
            self._json(405, {"detail": "Method Not Allowed"})
            return
        fake.seen.append(body)
        fake.request_ids.append(self.headers.get("x-request-id"))
        if (problem := self._problem(body)) is not None:
            self._json(*problem)
        elif fake.behaviour == "hang":
            self._wait()
        elif body.get("stream"):
            self._stream(body)
        else:
            self._whole(body)

    def _problem(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        fake = self.server_of
        if fake.behaviour == "refuse":
            return 500, _error(500, "InternalServerError", "CUDA error: out of memory at 0xdead")
        if body.get("model") not in (None, SERVED):
            message = f"The model `{body['model']}` does not exist."
            return 404, _error(404, "NotFoundError", message)
        used = _prompt_tokens(body)
        asked = used + int(body.get("max_tokens") or 1)
        if asked > fake.max_model_len:
            message = (
                f"This model's maximum context length is {fake.max_model_len} tokens. However, you "
                f"requested {asked} tokens ({used} in the messages, {asked - used} in the "
                "completion). Please reduce the length of the messages or completion."
            )
            return 400, _error(400, "BadRequestError", message)
        return None

    def _whole(self, body: dict[str, Any]) -> None:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": TEXT,
            "reasoning": None,
            "tool_calls": [],
        }
        reason = "abort" if self.server_of.behaviour == "abort" else "stop"
        choice: dict[str, Any] = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": reason,
        }
        self._json(
            200,
            {
                "id": "chatcmpl-upstream",
                "object": "chat.completion",
                "created": 1,
                "model": SERVED,
                "choices": [{**choice, "stop_reason": None}],
                "service_tier": None,
                "usage": _usage(body),
                "prompt_logprobs": None,
                "kv_transfer_params": None,
            },
        )

    def _stream(self, body: dict[str, Any]) -> None:
        fake = self.server_of
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self._event({"role": "assistant", "content": ""})
        for i, word in enumerate(WORDS):
            self._event({"content": word})
            if i == 0 and fake.behaviour == "pause" and not self._wait():
                return
            if i == 1 and fake.behaviour == "error_in_stream":
                self._data(json.dumps(_error(500, "InternalServerError", "EngineDeadError")))
                self._data("[DONE]")
                self._chunk(b"")
                return
            if i == 1 and fake.behaviour == "drop":
                self.wfile.write(b"ff\r\ndata: ")
                self.close_connection = True
                return
        self._event({}, "stop")
        options: dict[str, Any] = body.get("stream_options") or {}
        if options.get("include_usage"):
            self._data(json.dumps({**_stamp(), "choices": [], "usage": _usage(body)}))
        if fake.behaviour != "break_off":
            self._data("[DONE]")
        self._chunk(b"")

    def _event(self, delta: dict[str, Any], finish: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        self._data(json.dumps({**_stamp(), "choices": [choice]}))

    def _data(self, text: str) -> None:
        self._chunk(f"data: {text}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _json(self, status: int, value: object) -> None:
        self._send(status, json.dumps(value).encode())

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _wait(self) -> bool:
        """Wait for `go`; False when the client hung up instead, which vLLM also notices."""
        fake = self.server_of
        while not fake.go.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.01)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                fake.hung_up.set()
                self.close_connection = True
                return False
        return True


def _stamp() -> dict[str, Any]:
    return {
        "id": "chatcmpl-upstream",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": SERVED,
    }


def _error(code: int, kind: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _prompt_tokens(body: dict[str, Any]) -> int:
    return sum(len(str(message.get("content")).split()) for message in body["messages"])


def _usage(body: dict[str, Any]) -> dict[str, Any]:
    prompt = _prompt_tokens(body)
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + len(WORDS),
        "completion_tokens": len(WORDS),
        "prompt_tokens_details": None,
    }
