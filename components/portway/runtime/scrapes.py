"""The signals on a port of their own, for Prometheus to scrape: `GET /metrics` and nothing else."""

import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import cast

from .config import Config
from .histogram import Histogram
from .log import Record, is_quiet_probe, write
from .signals import ERROR, MODEL, OPERATION, PROVIDER, TOKEN_TYPE

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPERATION_SERVED = "chat"

# Bucket boundaries that the OpenTelemetry conventions for generative AI metrics recommend.
_DURATION_BOUNDS = tuple(0.01 * 2**power for power in range(14))
_FIRST_TOKEN_BOUNDS = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
_TOKEN_BOUNDS = tuple(float(4**power) for power in range(14))
_PATIENCE_SECONDS = 5


class Scraped:
    """Counts every chat request, and serves the counts beside the service's own port."""

    def __init__(self, config: Config) -> None:
        """Bind the port.

        Raises:
            OSError: it cannot be bound.
        """
        self._whose = {
            _label(OPERATION): OPERATION_SERVED,
            _label(PROVIDER): config.provider,
            _label(MODEL): config.model,
        }
        self._duration = Histogram(
            "gen_ai_server_request_duration_seconds",
            "Time from a request's first byte to the last byte of its answer.",
            _DURATION_BOUNDS,
        )
        self._first_token = Histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "Time from a request's first byte to the first piece of its streamed answer.",
            _FIRST_TOKEN_BOUNDS,
        )
        self._tokens = Histogram(
            "gen_ai_client_token_usage",
            "Tokens that a request read (input) and its answer holds (output).",
            _TOKEN_BOUNDS,
        )
        self._duration.declare(self._whose)
        self._first_token.declare(self._whose)
        for kind in ("input", "output"):
            self._tokens.declare(self._of(kind))
        self._server = _Server(config, self.exposition)
        host, port = self._server.socket.getsockname()[:2]
        self.address: str | None = f"{host}:{port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="scrapes")
        self._thread.daemon = True
        self._thread.start()

    def finish(self, record: Record) -> None:
        """Write the request's line, and count it where it was a chat request."""
        if is_quiet_probe(record):
            return
        write(record.line())
        if record.operation is None:
            return
        failed = {} if record.error is None else {_label(ERROR): record.error_class or ""}
        self._duration.observe({**self._whose, **failed}, record.duration_seconds)
        if record.time_to_first_token_seconds is not None:
            self._first_token.observe(self._whose, record.time_to_first_token_seconds)
        for kind, tokens in (("input", record.prompt_tokens), ("output", record.completion_tokens)):
            if tokens is not None:
                self._tokens.observe(self._of(kind), tokens)

    def exposition(self) -> bytes:
        """Every histogram as text."""
        every = (self._duration, self._first_token, self._tokens)
        return "".join(line for each in every for line in each.lines()).encode()

    def close(self) -> None:
        """Stop answering scrapes."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _of(self, kind: str) -> dict[str, str]:
        return {**self._whose, _label(TOKEN_TYPE): kind}


class _Server(socketserver.TCPServer):
    """Answers one scrape at a time: whoever is slow keeps other scrapes waiting, never the service."""

    allow_reuse_address = True

    def __init__(self, config: Config, exposition: Callable[[], bytes]) -> None:
        self.exposition = exposition
        self.address_family = socket.AF_INET6 if ":" in config.bind else socket.AF_INET
        super().__init__((config.bind, config.metrics_port or 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A scraper that went away is nobody's trouble."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE_SECONDS

    def do_GET(self) -> None:
        """Answer a scrape."""
        found = self.path.partition("?")[0] == "/metrics"
        body = cast("_Server", self.server).exposition() if found else b"GET /metrics\n"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", CONTENT_TYPE if found else "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """What the Server header says: nothing about versions."""
        return "portway"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Scrapes are not logged."""


def _label(attribute: str) -> str:
    return attribute.replace(".", "_")
