"""Bedrock's own OpenAI chat completions: this process guards, signs and passes on.

`/openai/v1/chat/completions` of `bedrock-runtime`, signed like any AWS request (Amazon Bedrock user
guide, "Invoke a model with the OpenAI Chat Completions API").
"""

from collections.abc import Callable, Iterator

from .aws import BEDROCK, endpoint, signed_headers
from .aws_credentials import Frozen, find_credentials
from .bedrock_errors import by_code
from .config import Config
from .errors import WireError, internal
from .jsons import JsonObject, as_list, as_object, as_text, encode
from .pump import Cancellation
from .reasoning import SplitStream, split_whole
from .retry import completed, streamed
from .tls import prepare
from .upstream import ChatRequest
from .upstream_errors import error_message
from .upstream_http import HttpUpstream


def open_native(config: Config) -> "BedrockOpenAI":
    """Bedrock in the configured region."""
    if config.aws_region is None:
        raise internal("no region is configured")
    return BedrockOpenAI(config, endpoint(BEDROCK, config.aws_region), find_credentials())


class BedrockOpenAI(HttpUpstream):
    """One model that Bedrock serves with OpenAI's own requests and answers."""

    chat_path = "/openai/v1/chat/completions"

    def __init__(
        self, config: Config, origin: str, credentials: Callable[[], Frozen | None]
    ) -> None:
        if config.bedrock_model is None or config.aws_region is None:
            raise internal("no Bedrock model or no region is configured")
        super().__init__(config, origin)
        if self._tls:
            prepare(self._address[0])
        self._model_id = config.bedrock_model
        self._region = config.aws_region
        self._credentials = credentials

    def complete(self, request: ChatRequest, cancellation: Cancellation) -> JsonObject:
        """See `Upstream.complete`."""

        def ask() -> JsonObject:
            answer = super(BedrockOpenAI, self).complete(request, cancellation)
            return {**answer, "choices": [*map(_split, as_list(answer.get("choices")) or [])]}

        return completed(cancellation, ask)

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        """See `Upstream.stream`."""

        def ask() -> Iterator[JsonObject]:
            return SplitStream().pieces(super(BedrockOpenAI, self).stream(request, cancellation))

        return streamed(cancellation, ask)

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
