"""What a migration works with: the clouds, the door, who asks, the time. Only shapes, nothing real."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from portway.portability.door import Door
from portway.portability.guards import Limits, Pair, Sample


@dataclass(frozen=True)
class End:
    """Where one stack answers.

    Attributes:
        key: what it is asked with; never shown or written down.
    """

    stack: str
    url: str
    key: str
    model: str

    def __repr__(self) -> str:
        """Without the key."""
        return f"End({self.stack}, {self.url})"


class Cloud(Protocol):
    """What is done to stacks, and what is seen of them."""

    def gate(self, stacks: Sequence[str]) -> tuple[str, ...]:
        """Why both packs do not pass ``stacks``; empty where they do."""
        ...

    def unfinished(self, stack: str) -> tuple[str, ...]:
        """What earlier operations left, a sentence each; looks only."""
        ...

    def bring_to_rest(self, stack: str) -> tuple[str, ...]:
        """Settle what earlier operations left, by looking; returns what was done, a sentence each.

        An operation that still runs is waited for.

        Raises:
            Unresolved: something cannot be settled without a person.
        """
        ...

    def exists(self, stack: str) -> bool:
        """Whether the stack has any resource."""
        ...

    def up(self, stack: str) -> None:
        """Update it with both packs on; raises Findings where it is refused or fails."""
        ...

    def destroy(self, stack: str) -> None:
        """Delete its resources; doing it again changes nothing. Raises Findings where it fails."""
        ...

    def end(self, stack: str) -> End | None:
        """Where it answers; None where it is not up."""
        ...


class Asker(Protocol):
    """What is asked of ends."""

    def probe(self, end: End) -> tuple[str, ...]:
        """The claims of the wire contract that ``end`` breaks, a sentence each."""
        ...

    def sample(self, end: End) -> Sequence[Sample]:
        """A few synthetic requests, answered or not."""
        ...

    def replay(self, source: End, destination: End) -> Sequence[Pair]:
        """The same prompts to both."""
        ...


class Clock(Protocol):
    """Time that passes."""

    def now_seconds(self) -> float:
        """From some fixed moment."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Held(Protocol):
    """The lease of one migration."""

    @property
    def token(self) -> int:
        """Greater than every token before."""
        ...

    def check(self) -> None:
        """Raises Fenced where it is not ours any more."""
        ...


@dataclass(frozen=True)
class Tools:
    """Everything a migration works with."""

    cloud: Cloud
    door: Door
    asker: Asker
    clock: Clock
    lease: Held
    model: str
    """What clients ask for, at the door and at both ends."""
    limits: Limits = field(default_factory=Limits)
    objections: tuple[str, ...] = ()
    """Why the move must not begin, as ``compare`` sees it."""
