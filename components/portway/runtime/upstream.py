"""What every model behind this process looks like to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from .jsons import JsonObject
from .pump import Cancellation


@dataclass(frozen=True)
class ChatRequest:
    """A validated chat completion request.

    `body` is what the client sent without null fields. `max_tokens` is what it asked for, None
    when it left that to the service; `default_max_tokens` then applies.
    """

    body: JsonObject
    messages: list[JsonObject]
    stream: bool
    include_usage: bool
    max_tokens: int | None
    default_max_tokens: int
    request_id: str


class Upstream(Protocol):
    """A model that answers chat requests. Methods block, and run in a thread of their own."""

    def complete(self, request: ChatRequest, cancellation: Cancellation) -> JsonObject:
        """Return a `chat.completion` object; its id, created and model are overwritten.

        Raises:
            WireError: there is no answer.
        """
        ...

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[JsonObject]:
        """Yield `chat.completion.chunk` objects, one of them with `usage`.

        Returns only after a complete answer. The same fields are overwritten.

        Raises:
            WireError: there is no answer, or it broke off.
        """
        ...

    def check(self) -> None:
        """Return when the model answers.

        Raises:
            WireError: 503 when it does not.
        """
        ...
