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
from .upstream import ChatRequest


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


def open_bedrock(config: Config) -> "BedrockUpstream":
    """Bedrock in the configured region, with credentials as the SDK finds them."""
    client = make_client(
        "bedrock-runtime",
        config.aws_region,
        read_timeout=config.timeout_seconds,
        max_pool_connections=max(10, config.concurrency),
    )
    return BedrockUpstream(config, cast("BedrockClient", client))


class BedrockUpstream:
    """One Bedrock model or inference profile."""

    def __init__(self, config: Config, client: BedrockClient) -> None:
        if config.bedrock_model is None:
            raise internal("no Bedrock model is configured")
        self._model_id = config.bedrock_model
        self._model = config.model
        self._client = client

    def complete(self, request: ChatRequest, cancellation: Cancellation) -> JsonObject:
        """See `Upstream.complete`. Bedrock finishes a call that nobody waits for any more."""
        del cancellation
        arguments = converse_arguments(request, self._model_id)
        try:
            response = self._client.converse(**arguments)
        except Exception as error:
            raise translate(error, self._model) from error
        return completion(response)

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        """See `Upstream.stream`. Giving the event stream up is how Bedrock is told to stop."""
        arguments = converse_arguments(request, self._model_id)
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
