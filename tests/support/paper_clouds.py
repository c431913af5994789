"""Clouds made of paper, in which an engine, its controller and a provider can be killed at any moment.

They behave as the real engine was measured to: a killed operation leaves its lock and a pending operation;
an update over those makes a second copy or is refused; a controller that is killed may leave its engine at
work. Clients never stop asking: what they are asked to count is whether any request failed.
"""

import random
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

from portway.engine.recover import Unresolved

RESOURCES = ("role", "secret", "service")
Points = Generator[None]


class Killed(BaseException):
    """The controller is gone, as by ``kill -9``: nothing in it may catch this."""


@dataclass
class PaperStack:
    """One stack: what its state knows, what its cloud has, and what an operation left."""

    name: str
    state: list[str] = field(default_factory=list[str])
    cloud: Counter[str] = field(default_factory=Counter[str])
    created: Counter[str] = field(default_factory=Counter[str])
    pending: tuple[str, str] | None = None
    locked: bool = False

    @property
    def serves(self) -> bool:
        has = self.cloud
        return has["role"] > 0 and has["secret"] > 0 and has["service"] > 0

    @property
    def is_at_rest(self) -> bool:
        return self.pending is None and not self.locked


class PaperClouds:
    """Everything outside the controller: two clouds, a door, clients, and time.

    Attributes:
        kill_at: the moment (counted in ``moments``) at which the controller is killed.
        engine_survives: whether the engine it had started goes on without it.
        blind: whether the door cannot say how many requests are open.
    """

    def __init__(self, seed: int, *, blind: bool = False) -> None:
        self.stacks = {name: PaperStack(name) for name in ("a", "b", "door")}
        self.weights = {"a": 100}
        self.known_weights = {"a": 100}
        self.kill_at: int | None = None
        self.engine_survives = False
        self.blind = blind
        self.moments = 0
        self.living: dict[str, Points] = {}
        self.seconds = 0
        self.open: dict[str, list[int]] = {"a": [], "b": []}
        self.failed = 0
        self.answered = 0
        self.twice: set[str] = set()
        self.refused: Callable[[str], str] = lambda _: ""
        self._clients = random.Random(seed)

    def deployed(self, name: str) -> None:
        """As if it had been there for years."""
        stack = self.stacks[name]
        stack.state, stack.cloud = list(RESOURCES), Counter(RESOURCES)
        stack.created = Counter(RESOURCES)

    def moment(self) -> None:
        """A moment at which everything may end for the controller; the world goes on."""
        self.moments += 1
        self.pass_time()
        if self.kill_at is not None and self.moments >= self.kill_at:
            self.kill_at = None
            raise Killed

    def pass_time(self) -> None:
        self.seconds += 1
        for name, operation in list(self.living.items()):
            if next(operation, self) is self:
                del self.living[name]
        for name, ends in self.open.items():
            serves = self.stacks[name].serves
            if not serves:
                self.failed += len(ends)
                ends.clear()
            elif ends:
                left = [end for end in ends if end > self.seconds]
                self.answered += len(ends) - len(left)
                ends[:] = left
        for _ in range(2):
            name = self.routed()
            if self.stacks[name].serves:
                self.open[name].append(self.seconds + int(self._clients.random() * 18) + 1)
            else:
                self.failed += 1

    def routed(self) -> str:
        """Where the door sends one new request."""
        at = self._clients.random() * 100
        for name, percent in self.weights.items():
            at -= percent
            if at < 0:
                return name
        raise AssertionError(self.weights)

    def engine(self, name: str, work: Callable[[], Points]) -> None:
        """Run an operation on a stack as the engine does: over nothing unfinished, with a lock."""
        stack = self.stacks[name]
        if not stack.is_at_rest:
            raise Unresolved(f"{name}: an earlier operation did not end")
        operation = self._locked(stack, work)
        try:
            for _ in operation:
                self.moment()
        except Killed:
            if self.engine_survives:
                self.living[name] = operation
            raise

    @staticmethod
    def _locked(stack: PaperStack, work: Callable[[], Points]) -> Points:
        stack.locked = True
        yield
        yield from work()
        stack.locked = False
        yield

    def creating(self, name: str) -> Points:
        stack = self.stacks[name]
        for each in RESOURCES:
            if each in stack.state:
                continue
            stack.pending = ("creating", each)
            yield
            stack.cloud[each] += 1
            stack.created[each] += 1
            self.twice |= {f"{name}.{each}"} if stack.cloud[each] > 1 else set()
            yield
            stack.state.append(each)
            stack.pending = None
            yield

    def deleting(self, name: str) -> Points:
        stack = self.stacks[name]
        for each in reversed(list(stack.state)):
            stack.pending = ("deleting", each)
            yield
            stack.cloud[each] -= 1
            yield
            stack.state.remove(each)
            stack.pending = None
            yield

    def routing(self, weights: Mapping[str, int]) -> Points:
        door = self.stacks["door"]
        door.pending = ("updating", "weights")
        yield
        self.weights = {name: percent for name, percent in weights.items() if percent}
        yield
        self.known_weights = dict(self.weights)
        door.pending = None
        yield

    def settling(self, name: str) -> Points:
        """What ``portway recover`` does, which may be killed itself."""
        stack = self.stacks[name]
        while name in self.living:
            yield
        stack.locked = False
        yield
        if stack.pending is not None:
            kind, each = stack.pending
            if kind == "creating" and stack.cloud[each] and each not in stack.state:
                stack.state.append(each)
            if kind == "deleting" and not stack.cloud[each] and each in stack.state:
                stack.state.remove(each)
            if kind == "updating":
                self.known_weights = dict(self.weights)
            stack.pending = None
            yield

    def disappear(self, name: str) -> None:
        """The region is gone: nothing of the stack answers, its state is as it was."""
        self.stacks[name].cloud.clear()

    def faults(self) -> list[str]:
        """Everything that must never be, whatever happened."""
        found = [f"{name} is not at rest" for name, s in self.stacks.items() if not s.is_at_rest]
        for name in ("a", "b"):
            stack = self.stacks[name]
            if sorted(stack.state) != sorted(stack.cloud.elements()):
                found.append(f"{name}: the state has {stack.state}, the cloud {dict(stack.cloud)}")
        if self.known_weights != self.weights or list(self.weights.values()) != [100]:
            found.append(f"the door sends {self.weights}, and knows {self.known_weights}")
        if not all(self.stacks[name].serves for name in self.weights):
            found.append("the door sends to what does not serve")
        found += [f"{each} was made twice" for each in sorted(self.twice)]
        if self.failed:
            found.append(f"{self.failed} requests failed")
        return found
