"""An OpenAI-compatible model server beside this process, with its deviations translated.

One connection per request: closing it is how a model server learns that nobody waits any more.
"""

import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from . import sse
from .config import Config
from .dial import cut_by, dial
from .errors import WireError, internal, unavailable, upstream_error
from .http_wire import Disconnected, Head, MalformedMessage, Reader, TooSlow, head_bytes
from .jsons import JsonObject, as_object, decode, encode
from .pump import Cancellation
from .upstream import ChatRequest
from .upstream_errors import is_too_long, stream_error, translate

_CONNECT_SECONDS = 5.0
_CHECK_SECONDS = 2.0
_CHAT = "/v1/chat/completions"
_PORTS = {"http": 80, "https": 443}


class _Reply:
    """A response whose body is still to be read."""

    def __init__(self, status: int, headers: dict[str, str], reader: Reader) -> None:
        self.status = status
        self.headers = headers
        self._reader = reader

    def pieces(self) -> Iterator[bytes]:
        try:
            yield from self._reader.body(self.headers, until_close=True)
        except (Disconnected, MalformedMessage, TooSlow) as error:
            raise upstream_error(
                "The model server broke the answer off.", detail=type(error).__name__
            ) from error

    def json(self) -> object:
        try:
            return decode(b"".join(self.pieces()))
        except ValueError:
            return None


class HttpUpstream:
    """vLLM or another OpenAI-compatible server at `http://host:port`."""

    chat_path = _CHAT

    def __init__(self, config: Config, origin: str | None = None) -> None:
        parts = urlsplit(origin or config.upstream)
        port = parts.port or _PORTS.get(parts.scheme)
        if parts.hostname is None or port is None:
            raise internal(f"no host and port in {origin or config.upstream}")
        self._address = (parts.hostname, port)
        self._host = parts.netloc
        self._tls = parts.scheme == "https"
        self._config = config

    def complete(self, request: ChatRequest, cancellation: Cancellation) -> JsonObject:
        """See `Upstream.complete`."""
        with self._chat(request, cancellation) as reply:
            answer = as_object(reply.json())
        if answer is None:
            raise upstream_error("The model server sent an answer that is not JSON.")
        return answer

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        """See `Upstream.stream`: a stream that does not end with [DONE] broke off."""
        with self._chat(request, cancellation) as reply:
            for data in sse.events(reply.pieces()):
                if data == b"[DONE]":
                    return
                yield _piece(data)
        raise upstream_error("The model server broke the answer off.", detail="no [DONE]")

    def check(self) -> None:
        """See `Upstream.check`: asks `GET /health`."""
        with self._request("GET", "/health", b"", "", Cancellation(), _CHECK_SECONDS) as reply:
            if reply.status != 200:  # noqa: PLR2004 - HTTP OK
                raise unavailable(
                    "The model server is not ready.", detail=f"/health {reply.status}"
                )

    @contextmanager
    def _chat(
        self, request: ChatRequest, cancellation: Cancellation
    ) -> Generator[_Reply, None, None]:
        for with_default in (True, False):
            body = self._body(request, with_default=with_default)
            with self._request(
                "POST", self.chat_path, body, request.request_id, cancellation
            ) as reply:
                if reply.status == 200:  # noqa: PLR2004 - HTTP OK
                    yield reply
                    return
                error = reply.json()
            # A prompt that leaves less room than our default is answered within that room: without
            # max_tokens the server fills what is left, which is then less than our limit.
            if request.max_tokens is None and with_default and is_too_long(error):
                continue
            raise self._refused(reply.status, error, reply.headers)

    def _refused(self, status: int, error: object, headers: dict[str, str]) -> WireError:
        """What a client sees of an unsuccessful answer."""
        return translate(status, error, headers, self._config.model)

    def _signed(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> dict[str, str]:
        """The headers as they are sent: some servers want them signed."""
        del method, path, body
        return headers

    def _body(self, request: ChatRequest, *, with_default: bool) -> bytes:
        body: JsonObject = {**request.body, "model": self._config.upstream_model}
        body.pop("max_completion_tokens", None)
        limit = request.max_tokens
        if limit is None and with_default:
            limit = request.default_max_tokens
        if limit is not None:
            body["max_tokens"] = limit
        if request.stream:
            body["stream_options"] = {"include_usage": True}
        return encode(body)

    @contextmanager
    def _request(
        self,
        method: str,
        path: str,
        body: bytes,
        request_id: str,
        cancellation: Cancellation,
        seconds: float | None = None,
    ) -> Generator[_Reply, None, None]:
        headers = {"host": self._host, "connection": "close", "accept": "*/*"}
        if request_id:
            headers["x-request-id"] = request_id
        if body:
            headers |= {"content-type": "application/json", "content-length": str(len(body))}
        headers = self._signed(method, path, headers, body)
        with self._connect(seconds) as sock, cut_by(cancellation, sock):
            yield _ask(sock, head_bytes(f"{method} {path} HTTP/1.1", headers) + body)

    def _connect(self, seconds: float | None) -> socket.socket:
        host, port = self._address
        try:
            sock = dial(host, port, tls=self._tls, seconds=seconds or _CONNECT_SECONDS)
        except OSError as error:
            raise unavailable(
                "The model server is not up.",
                unasked=True,
                detail=error.strerror or type(error).__name__,
            ) from error
        sock.settimeout(seconds)
        return sock


def _ask(sock: socket.socket, message: bytes) -> _Reply:
    reader = Reader(sock)
    try:
        sock.sendall(message)
        status, headers = _status(reader.head())
    except (OSError, ValueError, Disconnected, MalformedMessage, TooSlow) as error:
        raise unavailable(
            "The model server does not answer.", detail=type(error).__name__
        ) from error
    return _Reply(status, headers, reader)


def _status(head: Head | None) -> tuple[int, dict[str, str]]:
    if head is None:
        raise Disconnected
    return int(head.start[1]), head.headers


def _piece(data: bytes) -> JsonObject:
    try:
        piece = as_object(decode(data))
    except ValueError:
        piece = None
    if piece is None:
        raise upstream_error("The model server sent a piece that is not JSON.")
    if piece.get("error") is not None:
        raise stream_error(piece)
    return piece
