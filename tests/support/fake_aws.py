"""Bedrock's Converse and Secrets Manager on loopback, for the AWS SDK's own client.

Event-stream framing: AWS SDK documentation, `application/vnd.amazon.eventstream`.
"""

import json
import select
import socket
import struct
import threading
import zlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote


def frame(kind: str, payload: dict[str, Any], *, exception: bool = False) -> bytes:
    """One event-stream message."""
    data = json.dumps(payload).encode()
    names = {
        ":exception-type" if exception else ":event-type": kind,
        ":content-type": "application/json",
        ":message-type": "exception" if exception else "event",
    }
    headers = b"".join(
        bytes([len(name)])
        + name.encode()
        + b"\x07"
        + struct.pack(">H", len(value))
        + value.encode()
        for name, value in names.items()
    )
    prelude = struct.pack(">II", 12 + len(headers) + len(data) + 4, len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + data
    return message + struct.pack(">I", zlib.crc32(message))


def text_events(*texts: str, stop: str = "end_turn") -> list[bytes]:
    """The frames of a text answer."""
    return [
        frame("messageStart", {"role": "assistant"}),
        *(
            frame("contentBlockDelta", {"delta": {"text": text}, "contentBlockIndex": 0})
            for text in texts
        ),
        frame("contentBlockStop", {"contentBlockIndex": 0}),
        frame("messageStop", {"stopReason": stop}),
        frame(
            "metadata",
            {
                "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
                "metrics": {"latencyMs": 1},
            },
        ),
    ]


@dataclass
class FakeAws:
    """Started by `with`. `error` is (status, type, message) for the next calls when set."""

    secret: str = ""
    error: tuple[int, str, str] | None = None
    events: list[bytes] = field(default_factory=lambda: text_events("Pa", "ris"))
    pause_after: int | None = None
    go: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])

    def __enter__(self) -> "FakeAws":
        fake = self

        class Handler(_Handler):
            aws = fake

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

    def environment(self) -> dict[str, str]:
        """What points the AWS SDK here."""
        return {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.url,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_REGION": "eu-west-1",
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    aws: FakeAws

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def do_POST(self) -> None:
        aws = self.aws
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.headers.get("x-amz-target") == "secretsmanager.GetSecretValue":
            self._json(200, {"ARN": body["SecretId"], "SecretString": aws.secret})
            return
        aws.seen.append((unquote(self.path), body))
        if aws.error is not None:
            status, kind, message = aws.error
            self._json(status, {"message": message}, kind)
        elif self.path.endswith("/converse-stream"):
            self._stream()
        else:
            self._json(
                200,
                {
                    "output": {"message": {"role": "assistant", "content": [{"text": "Paris"}]}},
                    "stopReason": "end_turn",
                    "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
                    "metrics": {"latencyMs": 1},
                },
            )

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/vnd.amazon.eventstream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for i, event in enumerate(self.aws.events):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
            if i == self.aws.pause_after and not self._wait():
                return
        self.wfile.write(b"0\r\n\r\n")

    def _wait(self) -> bool:
        while not self.aws.go.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.01)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                self.aws.hung_up.set()
                self.close_connection = True
                return False
        return True

    def _json(self, status: int, value: object, error: str | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        if error is not None:
            self.send_header("x-amzn-errortype", error)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
