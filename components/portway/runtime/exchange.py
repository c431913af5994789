"""One request and its response, the same for the HTTP server and the Lambda loop."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .errors import WireError
from .jsons import encode
from .log import Record
from .pump import Cancellation

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


@dataclass(frozen=True)
class Request:
    """A request whose body has not been read yet.

    `path` is percent-decoded and without query; header names are in lower case; `deadline` is a
    `time.monotonic` instant; `read_body` raises `WireError` for a body that cannot be read.
    `target` is path and query as they were sent.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    read_body: Callable[[], bytes]
    deadline: float
    record: Record
    cancellation: Cancellation = field(default_factory=Cancellation)
    target: str = ""


class BodyStream(Protocol):
    """A body that is made while it is sent. `close` must be called, however it ends."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body piece by piece."""
        ...

    def close(self) -> None:
        """Stop making it."""
        ...


@dataclass
class Response:
    """A response; with `stream`, `body` is empty."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    stream: BodyStream | None = None


class Application(Protocol):
    """What answers requests: a service, or the door before several."""

    draining: bool
    """Set while the process winds down: it is then no longer ready."""

    def handle(self, request: Request) -> Response:
        """Answer a request. Every failure is an OpenAI error object; nothing is raised."""
        ...

    def finish(self, record: Record) -> None:
        """Log (and count) a request of whose answer nothing more is sent."""
        ...


class Serving(Protocol):
    """Where an application is served, and within which limits."""

    @property
    def bind(self) -> str:
        """The address to listen on."""
        ...

    @property
    def port(self) -> int:
        """The TCP port; 0 takes any."""
        ...

    @property
    def concurrency(self) -> int:
        """Requests served at once."""
        ...

    @property
    def max_body_bytes(self) -> int:
        """The largest request body."""
        ...

    @property
    def timeout_seconds(self) -> float:
        """The deadline of a request."""
        ...


def json_response(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """A response with a JSON body."""
    return Response(status, {"content-type": "application/json", **(headers or {})}, encode(value))


def error_response(error: WireError) -> Response:
    """An error as its OpenAI error object."""
    return json_response(error.status, error.body(), error.headers())


def request_id(headers: Mapping[str, str]) -> str:
    """The client's `x-request-id` where it is safe to repeat, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else f"req-{new_id()}"


def new_id() -> str:
    """A name that nobody else has: 32 hexadecimal digits. The `uuid` module costs a start more."""
    return os.urandom(16).hex()
