"""A migration between clouds of paper: its tools, its journal in memory, and one controller after another."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from portway.errors import Findings
from portway.portability.guards import Pair, Sample
from portway.portability.journal import Journal
from portway.portability.migrate import Told, begin, resume, run, turn
from portway.portability.migration import Outcome
from portway.portability.move import Move
from portway.portability.world import End, Tools
from support.paper_clouds import RESOURCES, Killed, PaperClouds

MODEL = "ministral-3-8b"


@dataclass
class Answers:
    """How ends answer, where they are up at all; by stack."""

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    text: dict[str, str] = field(default_factory=dict[str, str])
    tokens: dict[str, int] = field(default_factory=dict[str, int])
    broken: dict[str, str] = field(default_factory=dict[str, str])
    failing: dict[str, str] = field(default_factory=dict[str, str])
    asked: Callable[[str], object] = lambda _: None


class PaperCloud:
    """As ``world.Cloud``."""

    def __init__(self, world: PaperClouds) -> None:
        self.world = world

    def gate(self, stacks: Sequence[str]) -> tuple[str, ...]:
        self.world.moment()
        return tuple(text for stack in stacks if (text := self.world.refused(stack)))

    def unfinished(self, stack: str) -> tuple[str, ...]:
        rests = self.world.stacks[stack].is_at_rest
        return () if rests else (f"{stack}: an earlier operation did not end",)

    def bring_to_rest(self, stack: str) -> tuple[str, ...]:
        for _ in self.world.settling(stack):
            self.world.moment()
        return (f"{stack} was brought to rest",)

    def exists(self, stack: str) -> bool:
        return bool(self.world.stacks[stack].state)

    def up(self, stack: str) -> None:
        if reason := self.world.refused(stack):
            raise Findings(reason)
        self.world.engine(stack, lambda: self.world.creating(stack))

    def destroy(self, stack: str) -> None:
        self.world.engine(stack, lambda: self.world.deleting(stack))

    def end(self, stack: str) -> End | None:
        state = self.world.stacks[stack].state
        return End(stack, f"http://{stack}", "sk", MODEL) if len(state) == len(RESOURCES) else None


class PaperDoor:
    """As ``door.Door``."""

    stack = "door"
    endpoint = "http://door"
    api_key = "sk-door"

    def __init__(self, world: PaperClouds) -> None:
        self.world = world

    def weights(self) -> Mapping[str, int]:
        return dict(self.world.known_weights)

    def set_weights(self, weights: Mapping[str, int]) -> None:
        if reason := self.world.refused("door"):
            raise Findings(reason)
        self.world.engine("door", lambda: self.world.routing(weights))

    def in_flight(self, stack: str) -> int | None:
        if self.world.blind:
            return None
        return len(self.world.open[stack])


class PaperAsker:
    """As ``world.Asker``; every question takes time."""

    def __init__(self, world: PaperClouds, answers: Answers) -> None:
        self.world = world
        self.answers = answers

    def probe(self, end: End) -> tuple[str, ...]:
        self.world.moment()
        broken = self.answers.broken.get(end.stack)
        return (broken,) if broken else ()

    def sample(self, end: End) -> Sequence[Sample]:
        self.world.moment()
        found = [self._one(end) for _ in range(2)]
        self.answers.asked(end.stack)
        return found

    def replay(self, source: End, destination: End) -> Sequence[Pair]:
        self.world.moment()
        return [Pair(text, self._one(source), self._one(destination)) for text in ("one", "two")]

    def _one(self, end: End) -> Sample:
        stack = self.world.routed() if end.stack == "door" else end.stack
        error = self.answers.failing.get(stack, "")
        if error or not self.world.stacks[stack].serves:
            return Sample("", 0.0, 0.0, error=error or "connection refused")
        seconds = self.answers.seconds.get(stack, 0.1)
        tokens = self.answers.tokens.get(stack, 8)
        return Sample(self.answers.text.get(stack, "the same"), seconds, 1.0, tokens, tokens)


class PaperClock:
    def __init__(self, world: PaperClouds) -> None:
        self.world = world

    def now_seconds(self) -> float:
        return self.world.seconds

    def sleep(self, seconds: float) -> None:
        self.world.moment()


@dataclass
class PaperLease:
    """Whoever has the newest token holds it."""

    newest: list[int]
    token: int

    def check(self) -> None:
        assert self.token == self.newest[0], "a controller that was replaced has gone on"


class PaperStorage:
    """A journal in memory: a write that is interrupted leaves a part of it."""

    name = "the journal"

    def __init__(self, world: PaperClouds, seed: int = 0) -> None:
        self.world = world
        self.data = b""
        self.number = 0
        self._tears = random.Random(seed)

    def read(self) -> bytes:
        return self.data

    def write(self, data: bytes, at: int) -> None:
        self.data = self.data[:at] + data[: self._tears.randrange(len(data))]
        self.world.moment()
        self.data = self.data[:at] + data
        self.world.moment()

    def head(self) -> int:
        return self.number

    def set_head(self, number: int) -> None:
        self.world.moment()
        self.number = number


class PaperMove:
    """A move from ``a`` to ``b``, by as many controllers as it takes."""

    def __init__(
        self, seed: int = 0, *, keep: bool = True, existed: bool = False, blind: bool = False
    ) -> None:
        self.world = PaperClouds(seed, blind=blind)
        self.world.deployed("a")
        self.world.deployed("door")
        if existed:
            self.world.deployed("b")
        self.existed = existed
        self.move = Move("chat", "prod", "a", "b", "door", keep_source=keep, timeout_seconds=20)
        self.storage = PaperStorage(self.world, seed)
        self.answers = Answers()
        self.told: list[Told] = []
        self.hear: Callable[[Told], object] = lambda _: None
        self.objections: tuple[str, ...] = ()
        self._newest = [0]

    def controller(
        self, way: str = "go", *, evacuate: bool = False, keep: bool | None = None
    ) -> Outcome | None:
        """Begin, resume or roll back; returns how it ended, None where it was killed."""
        self._newest[0] += 1
        token = self._newest[0]
        tools = Tools(
            PaperCloud(self.world), PaperDoor(self.world), PaperAsker(self.world, self.answers),
            PaperClock(self.world), PaperLease(self._newest, token), MODEL,
            objections=self.objections,
        )  # fmt: skip
        try:
            journal = Journal(self.storage)
            if not journal.records:
                begin(journal, self.move, token)
            elif way != "back":
                resume(journal, token, evacuate=evacuate, keep_source=keep)
            if way == "back":
                turn(journal, token, "a person said so")
            return run(journal, tools, self._tell)
        except Killed:
            return None

    def _tell(self, told: Told) -> None:
        self.told.append(told)
        self.hear(told)

    def settle(self) -> None:
        """Let the engines that live on end, and the clients that still wait."""
        while self.world.living:
            self.world.pass_time()

    def faults(self, outcome: Outcome | None) -> list[str]:
        """Everything that is not as it should be after the end."""
        self.settle()
        found = self.world.faults()
        a, b = (self.world.stacks[name] for name in ("a", "b"))
        serving = {Outcome.MOVED: "b", Outcome.ROLLED_BACK: "a"}.get(outcome or Outcome.STOPPED)
        if list(self.world.weights) != [serving]:
            found.append(f"it ended as {outcome} and the door sends {self.world.weights}")
        if outcome is Outcome.MOVED and bool(a.state) != self.move.keep_source:
            found.append(f"the source has {a.state}")
        if outcome is Outcome.ROLLED_BACK and bool(b.state) != self.existed:
            found.append(f"the destination has {b.state}")
        return found
