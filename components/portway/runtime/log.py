"""One JSON line per request on standard output: what happened, never what was said."""

import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

from .errors import WireError
from .jsons import JsonObject, encode

_LONGEST_PATH = 200
_lock = threading.Lock()


@dataclass
class Record:
    """What is remembered of one request until it is logged. Times are `time.monotonic` seconds.

    `metered_tokens` and `metered_micro_usd` are what the meter counted; without one they are absent.
    """

    request_id: str
    method: str
    path: str
    started: float = field(default_factory=time.monotonic)
    status: int = 0
    model: str | None = None
    stream: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    metered_tokens: int | None = None
    metered_micro_usd: int | None = None
    first_token_ms: float | None = None
    error: str | None = None
    detail: str | None = None

    def first_token(self) -> None:
        """Note that the first piece of the answer is on its way."""
        if self.first_token_ms is None:
            self.first_token_ms = _since(self.started)

    def fail(self, error: WireError) -> None:
        """Note why the request failed."""
        self.error = error.code or error.kind
        self.detail = error.detail

    def line(self) -> JsonObject:
        """The log line. `severity` is what Cloud Logging reads; `detail` is for the operator."""
        line: JsonObject = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "severity": _severity(self.status, self.error),
            "request_id": self.request_id,
            "method": self.method,
            "path": self.path[:_LONGEST_PATH],
            "status": self.status,
            "model": self.model,
            "stream": self.stream,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "first_token_ms": self.first_token_ms,
            "duration_ms": _since(self.started),
            "error": self.error,
        }
        for name in ("metered_tokens", "metered_micro_usd"):
            if (metered := getattr(self, name)) is not None:
                line[name] = metered
        if self.detail is not None:
            line["detail"] = self.detail
        return line


def write_request(record: Record, out: TextIO | None = None) -> None:
    """Write the request's line, except for health probes that went well."""
    if record.path in {"/healthz", "/readyz"} and record.error is None:
        return
    write(record.line(), out)


def write_event(event: str, severity: str = "INFO", **fields: str | float | None) -> None:
    """Write a line about the process itself."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    write({"time": now, "severity": severity, "event": event, **fields})


def write(line: JsonObject, out: TextIO | None = None) -> None:
    """Write one line whole, however many threads write."""
    text = encode(line).decode() + "\n"
    stream = out or sys.stdout
    with _lock:
        stream.write(text)
        stream.flush()


def _since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)


def _severity(status: int, error: str | None) -> str:
    if status >= 500 or (status < 400 and error is not None):  # noqa: PLR2004 - HTTP's classes
        return "ERROR"
    return "WARNING" if error is not None else "INFO"
