"""Bedrock's own OpenAI chat completions: this process guards, signs and passes on.

`/openai/v1/chat/completions` of `bedrock-runtime`, signed like any AWS request (Amazon Bedrock user
guide, "Invoke a model with the OpenAI Chat Completions API").
"""

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from .aws import Frozen, find_credentials, signed_headers
from .bedrock_errors import by_code
from .config import Config
from .errors import WireError, internal, unavailable
from .jsons import JsonObject, as_list, as_object, as_text, encode
from .pump import Cancellation
from .reasoning import SplitStream, split_whole
from .retry import Retry
from .upstream import ChatRequest
from .upstream_errors import error_message
from .upstream_http import HttpUpstream

_PORTS = {"http": 80, "https": 443}


def open_native(config: Config) -> "BedrockOpenAI":
    """Bedrock in the configured region, with credentials as the SDK finds them."""
    given = os.environ.get("AWS_ENDPOINT_URL_BEDROCK_RUNTIME") or os.environ.get("AWS_ENDPOINT_URL")
    origin = given or f"https://bedrock-runtime.{config.aws_region}.amazonaws.com"
    return BedrockOpenAI(config, origin, find_credentials())


class BedrockOpenAI(HttpUpstream):
    """One model that Bedrock serves with OpenAI's own requests and answers."""

    chat_path = "/openai/v1/chat/completions"

    def __init__(
        self, config: Config, origin: str, credentials: Callable[[], Frozen | None]
    ) -> None:
        if config.bedrock_model is None or config.aws_region is None:
            raise internal("no Bedrock model or no region is configured")
        parts = urlsplit(origin)
        scheme, host = parts.scheme, parts.hostname or ""
        super().__init__(config, f"{scheme}://{host}:{parts.port or _PORTS.get(scheme, 443)}")
        self._host = parts.netloc
        self._model_id = config.bedrock_model
        self._region = config.aws_region
        self._credentials = credentials
        self._tls = ssl.create_default_context() if scheme == "https" else None

    def complete(self, request: ChatRequest, cancellation: Cancellation) -> JsonObject:
        """See `Upstream.complete`."""
        retry = Retry(cancellation)
        while True:
            try:
                answer = super().complete(request, cancellation)
            except WireError as error:
                if not retry.again(error):
                    raise
            else:
                return {**answer, "choices": [*map(_split, as_list(answer.get("choices")) or [])]}

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        """See `Upstream.stream`."""
        retry = Retry(cancellation)
        while True:
            begun = False
            try:
                for piece in SplitStream().pieces(super().stream(request, cancellation)):
                    begun = True
                    yield piece
            except WireError as error:
                if begun or not retry.again(error):
                    raise
            else:
                return

    def check(self) -> None:
        """Ready once configured: asking Bedrock would cost tokens."""

    def _body(self, request: ChatRequest, *, with_default: bool) -> bytes:
        del with_default  # the models there have far more room than our own default
        body: JsonObject = {**request.body, "model": self._model_id}
        body.pop("max_tokens", None)
        body["max_completion_tokens"] = request.max_tokens or request.default_max_tokens
        if request.stream:
            body["stream_options"] = {"include_usage": True}
        return encode(body)

    def _signed(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> dict[str, str]:
        return signed_headers(self._credentials(), self._region, method, path, headers, body)

    def _refused(self, status: int, error: object, headers: dict[str, str]) -> WireError:
        code = headers.get("x-amzn-errortype", "").partition(":")[0]
        if code:
            return by_code(code, error_message(error), self._config.model)
        if status in {401, 403}:
            return by_code("AccessDeniedException", error_message(error), self._config.model)
        return super()._refused(status, error, headers)

    def _connect(self, seconds: float | None) -> socket.socket:
        sock = super()._connect(seconds)
        if self._tls is None:
            return sock
        try:
            return self._tls.wrap_socket(sock, server_hostname=self._address[0])
        except OSError as error:
            sock.close()
            raise unavailable(
                "The model's service cannot be reached.", unasked=True, detail=type(error).__name__
            ) from error


def _split(choice: object) -> object:
    """A choice whose reasoning stands in a field of its own, as other servers have it."""
    found = as_object(choice) or {}
    message = as_object(found.get("message"))
    text = as_text((message or {}).get("content"))
    if message is None or text is None:
        return choice
    reasoning, content = split_whole(text)
    if reasoning is None:
        return choice
    return {**found, "message": {**message, "content": content, "reasoning_content": reasoning}}
