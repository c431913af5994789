"""Bedrock's Converse and ConverseStream as an upstream."""

from collections.abc import Iterator
from contextlib import closing
from typing import Protocol

from .aws import BEDROCK, Service
from .bedrock_answer import chunks, completion
from .bedrock_client import ConverseClient
from .bedrock_errors import translate
from .bedrock_request import converse_arguments
from .config import Config
from .errors import WireError, internal
from .jsons import JsonObject
from .pump import Cancellation
from .retry import completed, streamed
from .upstream import ChatRequest, Upstream


class Events(Protocol):
    """The events of one stream."""

    def __iter__(self) -> Iterator[JsonObject]:
        """Yield them as they arrive."""
        ...

    def close(self) -> None:
        """Give the connection up."""
        ...


class Converse(Protocol):
    """The two calls of Bedrock; see `ConverseClient`."""

    def converse(self, arguments: JsonObject, cancellation: Cancellation) -> JsonObject:
        """Answer whole."""
        ...

    def converse_stream(self, arguments: JsonObject, cancellation: Cancellation) -> Events:
        """Answer with events."""
        ...


def open_bedrock(config: Config) -> Upstream:
    """Bedrock in the configured region, through the interface that the configuration names."""
    if config.bedrock.api == "openai":
        from .bedrock_openai import open_native  # noqa: PLC0415 - one of the two is needed

        return open_native(config)
    if config.aws_region is None:
        raise internal("no region is configured")
    service = Service(BEDROCK, config.aws_region, config.timeout_seconds)
    return BedrockUpstream(config, ConverseClient(service))


class BedrockUpstream:
    """One Bedrock model or inference profile, through Converse."""

    def __init__(self, config: Config, client: Converse) -> None:
        if config.bedrock_model is None:
            raise internal("no Bedrock model is configured")
        self._model_id = config.bedrock_model
        self._settings = config.bedrock
        self._model = config.model
        self._client = client

    def complete(self, request: ChatRequest, cancellation: Cancellation) -> JsonObject:
        """See `Upstream.complete`."""
        arguments = self._arguments(request)

        def ask() -> JsonObject:
            try:
                return completion(self._client.converse(arguments, cancellation))
            except WireError:
                raise
            except Exception as error:
                raise translate(error, self._model) from error

        return completed(cancellation, ask)

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        """See `Upstream.stream`. Giving the event stream up is how Bedrock is told to stop."""
        arguments = self._arguments(request)
        return streamed(cancellation, lambda: self._once(arguments, cancellation))

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
            with closing(self._client.converse_stream(arguments, cancellation)) as events:
                yield from chunks(events)
        except WireError:
            raise
        except Exception as error:
            raise translate(error, self._model) from error

    def check(self) -> None:
        """Ready once configured: asking Bedrock would cost tokens."""
