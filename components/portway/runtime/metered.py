"""Where the meter meets the requests, and what stands there when nothing is metered."""

from typing import Protocol

from .config import Config
from .log import Record
from .upstream import ChatRequest


class Held(Protocol):
    """What was reserved for one request."""

    def count(self, usage: object) -> None:
        """Note an OpenAI usage object of its answer."""
        ...

    def end(self, record: Record, error: BaseException | None = None) -> None:
        """Settle it, once; `error` is why there is no answer. Never raises."""
        ...


class Metering(Protocol):
    """Decides, before the model is asked, whether the budget has room for a request."""

    def reserve(self, chat: ChatRequest, body_bytes: int) -> Held:
        """Reserve the most that a request can use; `body_bytes` is its length as it was sent.

        Raises:
            WireError: it may not be answered.
        """
        ...

    def close(self) -> None:
        """Settle what is left and let go of the store."""
        ...


class _Nothing:
    def count(self, usage: object) -> None:
        """Nothing is metered."""

    def end(self, record: Record, error: BaseException | None = None) -> None:
        """Nothing was reserved."""


class Unmetered:
    """No limits, no store."""

    _held = _Nothing()

    def reserve(self, chat: ChatRequest, body_bytes: int) -> Held:
        """Let every request pass."""
        del chat, body_bytes
        return self._held

    def close(self) -> None:
        """There is nothing to settle."""


def open_metering(config: Config) -> Metering:
    """The meter that the configuration asks for."""
    if config.meter is None:
        return Unmetered()
    from .meter import Meter  # noqa: PLC0415 - only where something is metered
    from .meter_store import open_store  # noqa: PLC0415 - as above

    # Bedrock answers what fits the model, also above the context that the catalogue names.
    context_tokens = config.context_tokens if config.bedrock_model is None else None
    return Meter(config.meter, open_store(config.meter), context_tokens)
