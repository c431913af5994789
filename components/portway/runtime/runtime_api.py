"""The Lambda Runtime API: taking invocations and posting answers, streamed.

Source: AWS Lambda developer guide, "Building a custom runtime" and "Using the Lambda runtime API".
"""

import socket
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

from .http_wire import Head, Reader, chunk, head_bytes, last_chunk
from .jsons import JsonObject, encode

_ROOT = "/2018-06-01/runtime"
_PRELUDE_END = bytes(8)
_ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
_ERROR_BODY = "Lambda-Runtime-Function-Error-Body"
_REPLY_SECONDS = 10.0


class RuntimeApiError(Exception):
    """The Runtime API did not do its part; the process cannot go on."""


@dataclass(frozen=True)
class Invocation:
    """One event. `deadline_ms` is unix milliseconds, 0 when none was given."""

    id: str
    deadline_ms: int
    trace_id: str | None
    event: bytes


class RuntimeApi:
    """A client of the Runtime API at `host:port`, with a connection per call."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host, int(port)) if host else (address, 80)
        self._host = address

    def next(self) -> Invocation:
        """Wait for the next invocation.

        Raises:
            RuntimeApiError: the API answered with something else.
        """
        with self._call("GET", "/invocation/next", {}) as sock:
            head, body = _reply(sock)
        request_id = head.headers.get("lambda-runtime-aws-request-id", "")
        if head.start[1] != "200" or not request_id:
            raise RuntimeApiError(f"invocation/next answered {head.start[1]}")
        deadline = head.headers.get("lambda-runtime-deadline-ms", "0")
        return Invocation(
            id=request_id,
            deadline_ms=int(deadline) if deadline.isdecimal() else 0,
            trace_id=head.headers.get("lambda-runtime-trace-id"),
            event=body,
        )

    def stream(self, invocation_id: str, prelude: JsonObject, body: Iterable[bytes]) -> None:
        """Post a streamed HTTP response: its prelude (status and headers), then its body.

        An exception from `body` is told in the trailers and raised again.

        Raises:
            OSError: the connection broke, which is how a client that left may show.
        """
        headers = {
            "Content-Type": "application/vnd.awslambda.http-integration-response",
            "Lambda-Runtime-Function-Response-Mode": "streaming",
            "Transfer-Encoding": "chunked",
            "Trailer": f"{_ERROR_TYPE}, {_ERROR_BODY}",
        }
        with self._call("POST", f"/invocation/{invocation_id}/response", headers) as sock:
            sock.sendall(chunk(encode(prelude) + _PRELUDE_END))
            try:
                for piece in body:
                    if piece:
                        sock.sendall(chunk(piece))
            except OSError:
                raise
            except Exception as error:
                sock.sendall(last_chunk(_error_trailers(error)))
                raise
            sock.sendall(last_chunk())
            sock.settimeout(_REPLY_SECONDS)
            Reader(sock).head()

    def fail(self, invocation_id: str, kind: str, message: str) -> None:
        """Report that an invocation has no response at all."""
        self._report(f"/invocation/{invocation_id}/error", kind, message)

    def fail_init(self, kind: str, message: str) -> None:
        """Report that the process cannot start."""
        self._report("/init/error", kind, message)

    def _report(self, path: str, kind: str, message: str) -> None:
        body = encode({"errorType": kind, "errorMessage": message, "stackTrace": []})
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            _ERROR_TYPE: kind,
        }
        with self._call("POST", path, headers) as sock:
            sock.sendall(body)
            sock.settimeout(_REPLY_SECONDS)
            Reader(sock).head()

    @contextmanager
    def _call(
        self, method: str, path: str, headers: dict[str, str]
    ) -> Generator[socket.socket, None, None]:
        with socket.create_connection(self._address) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start = f"{method} {_ROOT}{path} HTTP/1.1"
            sock.sendall(head_bytes(start, {"Host": self._host, "Connection": "close", **headers}))
            yield sock


def _reply(sock: socket.socket) -> tuple[Head, bytes]:
    reader = Reader(sock)
    head = reader.head()
    if head is None:
        raise RuntimeApiError("the Runtime API closed the connection")
    return head, b"".join(reader.body(head.headers, until_close=True))


def _error_trailers(error: Exception) -> dict[str, str]:
    import base64  # noqa: PLC0415 - needed only when something failed

    kind = f"Runtime.{type(error).__name__}"
    text = encode({"errorType": kind, "errorMessage": "the answer broke off"})
    return {_ERROR_TYPE: kind, _ERROR_BODY: base64.b64encode(text).decode()}
