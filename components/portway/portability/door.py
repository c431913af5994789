"""The front door of a service: the name clients keep, and the weights by which it sends them on."""

from collections.abc import Mapping
from typing import Protocol


class Door(Protocol):
    """A deployed stack ``<service>.<environment>.door``.

    Attributes:
        stack: its name.
        endpoint: the URL that clients call, through every move the same.
        api_key: what clients present there. Never to be shown.
    """

    @property
    def stack(self) -> str:
        """``<service>.<environment>.door``."""
        ...

    @property
    def endpoint(self) -> str:
        """The URL that clients call."""
        ...

    @property
    def api_key(self) -> str:
        """What clients present; secret."""
        ...

    def weights(self) -> Mapping[str, int]:
        """The weights as deployed: percent by the name of an end's stack; they sum to 100."""
        ...

    def set_weights(self, weights: Mapping[str, int]) -> None:
        """Send new requests by ``weights``; returns when they obey. Doing it again changes nothing.

        An end that ``weights`` leaves out or sets to 0 gets no new request; those it is answering
        go on to their end.

        Raises:
            BadInput: the weights are not those of known ends, or do not sum to 100.
            Findings: a policy refused the change; nothing was changed.
            Missing: the engine or the door did not do it, and whether requests obey is not known.
            Unresolved: an earlier operation on the door's stack did not end.
        """
        ...

    def in_flight(self, stack: str) -> int | None:
        """Requests that are still open towards the end ``stack``; None where it cannot be known."""
        ...
