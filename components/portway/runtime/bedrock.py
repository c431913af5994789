"""Bedrock's Converse and ConverseStream as an upstream."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol, cast

from .aws import make_client
from .bedrock_answer import chunks, completion
from .bedrock_errors import translate
from .bedrock_request import converse_arguments
from .config import Config
from .errors import WireError, internal
from .jsons import JsonObject
from .pump import Cancellation
from .retry import Retry
from .upstream import ChatRequest, Upstream


class EventStream(Protocol):
    """The SDK's stream of events."""

    def __iter__(self) -> Iterator[JsonObject]:
        """Yield events; raises the SDK's error for an exception event."""
        ...

    def close(self) -> None:
        """Give the connection up."""
        ...


class BedrockClient(Protocol):
    """The two calls used of the AWS SDK's `bedrock-runtime` client."""

    def converse(self, **arguments: object) -> JsonObject:
        """Answer whole."""
        ...

    def converse_stream(self, **arguments: object) -> JsonObject:
        """Answer with an event stream under `stream`."""
        ...


def open_bedrock(config: Config) -> Upstream:
    """Bedrock in the configured region, with credentials as the SDK finds them."""
    if config.bedrock.api == "openai":
        from .bedrock_openai import open_native  # noqa: PLC0415 - one of the two is needed

        return open_native(config)
    client = make_client(
        "bedrock-runtime",
        config.aws_region,
        read_timeout=config.timeout_seconds,
        max_pool_connections=max(10, config.concurrency),
    )
    return BedrockUpstream(config, cast("BedrockClient", client))


class BedrockUpstream:
    """One Bedrock model or inference profile, through Converse."""

    def __init__(self, config: Config, client: BedrockClient) -> None:
        if config.bedrock_model is None:
            raise internal("no Bedrock model is configured")
        self._model_id = config.bedrock_model
        self._settings = config.bedrock
        self._model = config.model
        self._client = client

    def complete(self, request: ChatRequest, cancellation: Cancellation) -> JsonObject:
        """See `Upstream.complete`. Bedrock finishes a call that nobody waits for any more."""
        arguments = self._arguments(request)
        retry = Retry(cancellation)
        while True:
            try:
                response = self._client.converse(**arguments)
            except Exception as error:
                failure = translate(error, self._model)
                if not retry.again(failure):
                    raise failure from error
            else:
                return completion(response)

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        """See `Upstream.stream`. Giving the event stream up is how Bedrock is told to stop."""
        arguments = self._arguments(request)
        retry = Retry(cancellation)
        while True:
            begun = False
            try:
                # A throttle may arrive as the first event of a stream that began with 200.
                for piece in self._once(arguments, cancellation):
                    begun = True
                    yield piece
            except WireError as error:
                if begun or not retry.again(error):
                    raise
            else:
                return

    def _arguments(self, request: ChatRequest) -> JsonObject:
        arguments = converse_arguments(request, self._model_id)
        if self._settings.profile_arn is not None:
            arguments["modelId"] = self._settings.profile_arn
        if self._settings.guardrail is not None:
            name, version = self._settings.guardrail
            guardrail = {"guardrailIdentifier": name, "guardrailVersion": version}
            # Checked before it is sent on: the asynchronous mode lets pass what it then finds.
            mode = {"streamProcessingMode": "sync"} if request.stream else {}
            arguments["guardrailConfig"] = {**guardrail, **mode}
        return arguments

    def _once(self, arguments: JsonObject, cancellation: Cancellation) -> Iterator[JsonObject]:
        try:
            events: EventStream = self._client.converse_stream(**arguments)["stream"]
        except Exception as error:
            raise translate(error, self._model) from error

        def wake() -> None:
            _interrupt(events)

        cancellation.listen(wake)
        try:
            yield from chunks(events)
        except (WireError, GeneratorExit):
            raise
        except Exception as error:
            raise translate(error, self._model) from error
        finally:
            cancellation.forget(wake)
            with suppress(Exception):
                events.close()

    def check(self) -> None:
        """Ready once configured: asking Bedrock would cost tokens."""


def _interrupt(events: EventStream) -> None:
    """Wake a thread that is reading; closing alone would wait for it."""
    shutdown = getattr(getattr(events, "_raw_stream", None), "shutdown", None)
    if callable(shutdown):
        with suppress(Exception):
            shutdown()
