"""One JSON line per request on standard output: what happened, never what was said.

Log-based metrics read `operation`, `provider`, `model`, `error`, `duration_seconds`,
`time_to_first_token_seconds`, `prompt_tokens` and `completion_tokens` off it: their names are fixed.
"""

import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO
from urllib.parse import unquote

from .errors import CLASSES, OTHER, WireError
from .jsons import JsonObject, encode

_LONGEST_PATH = 200
_CHAT_PATH = "/v1/chat/completions"
_lock = threading.Lock()


@dataclass
class Record:
    """What is remembered of one request until it is logged. `started` is a `time.monotonic` instant.

    `duration_seconds` grows until `end`. `metered_tokens` and `metered_micro_usd` are what the meter counted; without one they are absent.
    """

    request_id: str
    method: str
    path: str
    started: float = field(default_factory=time.monotonic)
    status: int = 0
    model: str | None = None
    provider: str | None = None
    stream: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    metered_tokens: int | None = None
    metered_micro_usd: int | None = None
    time_to_first_token_seconds: float | None = None
    error: str | None = None
    detail: str | None = None
    ended_seconds: float | None = None

    @property
    def operation(self) -> str | None:
        """`chat` for a request that asks the model, however it ends; None for any other."""
        return "chat" if unquote(self.path).removesuffix("/") == _CHAT_PATH else None

    @property
    def duration_seconds(self) -> float:
        """From its first byte until it ended, or until now."""
        return _since(self.started) if self.ended_seconds is None else self.ended_seconds

    @property
    def error_class(self) -> str | None:
        """Why it failed, from a closed set; None where it did not."""
        return self.error if self.error is None or self.error in CLASSES else OTHER

    def end(self) -> None:
        """Note that nothing more is sent."""
        self.ended_seconds = self.duration_seconds

    def first_token(self) -> None:
        """Note that the first piece of the answer is on its way."""
        if self.time_to_first_token_seconds is None:
            self.time_to_first_token_seconds = _since(self.started)

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
            "operation": self.operation,
            "provider": self.provider,
            "model": self.model,
            "stream": self.stream,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "time_to_first_token_seconds": self.time_to_first_token_seconds,
            "duration_seconds": self.duration_seconds,
            "error": self.error_class,
        }
        for name in ("metered_tokens", "metered_micro_usd"):
            if (metered := getattr(self, name)) is not None:
                line[name] = metered
        if self.detail is not None:
            line["detail"] = self.detail
        return line


def is_quiet_probe(record: Record) -> bool:
    """Whether it is a health probe that went well, which nobody reads about."""
    return record.path in {"/healthz", "/readyz"} and record.error is None


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
    return round(time.monotonic() - started, 4)


def _severity(status: int, error: str | None) -> str:
    if status >= 500 or (status < 400 and error is not None):  # noqa: PLR2004 - HTTP's classes
        return "ERROR"
    return "WARNING" if error is not None else "INFO"
