"""One AWS endpoint on loopback, asked by the runtime's client and by the AWS SDK's own, in turn."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest.mock import patch

import botocore.session
from botocore.config import Config

REGION = "eu-west-1"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "a/session+token==",
    "AWS_LAMBDA_FUNCTION_NAME": "chat",
    "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3f;Parent=53995c3f42cd8ad8;Sampled=1",
}


@dataclass(frozen=True)
class Sent:
    """One request as it arrived; names of headers in lower case."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def signature(self) -> dict[str, str]:
        """All that says who asks, and when."""
        names = ("authorization", "x-amz-date", "x-amz-security-token", "x-amzn-trace-id")
        return {name: self.headers[name] for name in names}


@dataclass
class Endpoint:
    """What it answers next, and what it was asked."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b"{}"
    seen: list[Sent] = field(default_factory=list[Sent])
    url: str = ""


@contextmanager
def serving() -> Generator[Endpoint]:
    """An endpoint that answers until the end of the block."""
    found = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.seen.append(Sent(self.path, headers, body))
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Sdk:
    """The AWS SDK's clients, made once: `call` asks as the runtime did, at the moment that it did."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: Any = botocore.session.Session()
        self._clients: dict[str, Any] = {}
        self._body: bytes | None = None

    def call(self, service: str, operation: str, like: Sent | None = None, **arguments: Any) -> Any:
        """The SDK's answer. With ``like``, its body is replaced by that one's before it is signed."""
        client = self._client(service)
        if like is None:
            return getattr(client, operation)(**arguments)
        moment = datetime.strptime(like.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        self._body = like.body
        try:
            with patch("botocore.auth.get_current_datetime", return_value=moment):
                return getattr(client, operation)(**arguments)
        finally:
            self._body = None

    def close(self) -> None:
        """Close its connections."""
        for client in self._clients.values():
            client.close()

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1})
            made = self._session.create_client(
                service, region_name=REGION, endpoint_url=self._url, config=config
            )
            made.meta.events.register_last("before-sign", self._replaced)
            self._clients[service] = made
        return self._clients[service]

    def _replaced(self, request: Any, **_: object) -> None:
        if self._body is not None:
            request.data = self._body
