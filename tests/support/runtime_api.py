"""A Lambda Runtime API that hands out events and keeps what the function posts."""

import base64
import json
import queue
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass
class Posted:
    """What a function posted for one invocation: piece by piece, then the trailers."""

    path: str
    headers: dict[str, str]
    pieces: "queue.Queue[bytes | None]" = field(default_factory=queue.Queue[bytes | None])
    trailers: dict[str, str] = field(default_factory=dict[str, str])

    def body(self, timeout_seconds: float = 10) -> bytes:
        """Everything up to the end of the body."""
        found = b""
        while (piece := self.pieces.get(timeout=timeout_seconds)) is not None:
            found += piece
        return found

    def http(self) -> tuple[dict[str, Any], bytes]:
        """The prelude and what follows its eight zero bytes."""
        prelude, payload = self.body().split(bytes(8), 1)
        return json.loads(prelude), payload


@dataclass
class FakeRuntimeApi:
    """Started by `with`; `address` is what `AWS_LAMBDA_RUNTIME_API` holds."""

    events: "queue.Queue[dict[str, Any] | None]" = field(
        default_factory=queue.Queue[dict[str, Any] | None]
    )
    posted: "queue.Queue[Posted]" = field(default_factory=queue.Queue[Posted])
    deadline_ms: int = 0

    def __enter__(self) -> "FakeRuntimeApi":
        api = self

        class Handler(_Handler):
            api_of = api

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.events.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def call(self, event: dict[str, Any]) -> Posted:
        """Hand out an event and return what is posted, as soon as its headers are there."""
        self.events.put(event)
        return self.posted.get(timeout=20)


def url_event(
    method: str, path: str, body: str = "", *, key: str = "", **fields: object
) -> dict[str, Any]:
    """A function URL event, payload version 2.0."""
    headers = {"content-type": "application/json", "host": "abc.lambda-url.eu-west-1.on.aws"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1"},
            "stage": "$default",
        },
        "body": body,
        "isBase64Encoded": False,
        **fields,
    }


def base64_event(method: str, path: str, body: bytes, key: str) -> dict[str, Any]:
    """The same with a body that the function URL took for binary."""
    text = base64.b64encode(body).decode()
    return url_event(method, path, text, key=key, isBase64Encoded=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api_of: FakeRuntimeApi

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def do_GET(self) -> None:
        api = self.api_of
        event = api.events.get()
        if self.path != "/2018-06-01/runtime/invocation/next" or event is None:
            self._reply(410)
            return
        data = json.dumps(event).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "id-1")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(api.deadline_ms))
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        posted = Posted(self.path, {k.lower(): v for k, v in self.headers.items()})
        self.api_of.posted.put(posted)
        if posted.headers.get("transfer-encoding") == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                posted.pieces.put(self.rfile.read(size))
                self.rfile.readline()
            while line := self.rfile.readline().strip():
                name, _, value = line.decode().partition(":")
                posted.trailers[name.lower()] = value.strip()
        else:
            posted.pieces.put(self.rfile.read(int(posted.headers["content-length"])))
        posted.pieces.put(None)
        self._reply(202)

    def _reply(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()
