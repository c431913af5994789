"""A real move that is killed again and again, gone on with or turned back, and what is left then."""

import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx
import psutil

from portway.portability.keeping import Kept
from portway.portability.migration import Outcome, Story, fold
from portway.sandbox.layout import Layout
from support import killed_controller, waiting
from support.killing import Started
from support.real_moves import (
    DOOR,
    LENIENT,
    created_twice,
    migrate,
    of_stack,
    orphans,
    own_environment,
)
from support.sandbox_project import PORTWAY, SandboxProject
from support.waiting import until

GO, RESUME, BACK = "--yes", "--resume", "--rollback"
ENGINE, PROVIDER = "pulumi", "portway.sandbox.providers"
_KILLED = -signal.SIGKILL
_PENDING = re.compile(rb'"pending_operations": *\[\s*\{')


@dataclass(frozen=True)
class Kill:
    """Who was killed in which step, and what was done then."""

    who: str
    step: str
    where: str
    then: str


@dataclass
class Ledger:
    """Everything that was killed, and how every move ended."""

    kills: list[Kill] = field(default_factory=list[Kill])
    ends: Counter[str] = field(default_factory=Counter[str])
    serving: Counter[int] = field(default_factory=Counter[int])
    orphans: int = 0
    twice: int = 0

    def table(self) -> str:
        """As people read it."""
        by = Counter((kill.who, kill.where) for kill in self.kills)
        steps = Counter(kill.step for kill in self.kills)
        then = Counter(kill.then for kill in self.kills)
        rows = [f"  {who}, {where}: {count}" for (who, where), count in sorted(by.items())]
        said = ", ".join(f"{step} {count}" for step, count in steps.most_common())
        return "\n".join([
            f"{len(self.kills)} kills in {sum(self.ends.values())} moves", *rows,
            f"  in steps: {said}",
            f"  then: {dict(then)}; ended: {dict(self.ends)}",
            f"  services that serve in the end: {dict(self.serving)} (how many: how often)",
            f"  orphans: {self.orphans}; created twice: {self.twice}",
        ])  # fmt: skip


@dataclass
class KilledMove:
    """One move of the service, by as many controllers as it takes."""

    project: SandboxProject
    source: str
    destination: str
    ledger: Ledger
    keep: bool = True
    way: str = GO

    @property
    def story(self) -> Story | None:
        """The story of this move as its journal tells it; None before it is begun."""
        journal = Kept.of(self.project.folder, *self.source.split(".")[:2]).newest()
        return None if journal is None or self.way == GO else fold(journal.records)

    def at(self, moment: str, step: str) -> None:
        """A controller that is killed at that boundary of ``step``."""
        program = str(Path(killed_controller.__file__))
        one = self._started([sys.executable, program, f"{moment}:{step}"])
        code = one.process.wait(waiting.PATIENCE_SECONDS)
        assert code == _KILLED, f"{moment}:{step}: it ended with {code}\n{one.said()}"
        self._killed("controller", f"boundary: {moment}", step)

    def inside(self, step: str, seconds: float, *, group: bool) -> bool:
        """A controller, or it and its engine, that are killed ``seconds`` after ``step`` began.

        False where the step was done, or the move had ended, by then: nobody was killed.
        """
        if self._is_past(step):
            return False
        one = self._started([str(PORTWAY)])
        if not self._begun(one, step):
            return False
        time.sleep(seconds)
        if one.process.poll() is not None:
            self._went_on(one)
            return False
        started = one.children()
        one.kill(signal.SIGKILL, group=group)
        if group:
            psutil.wait_procs(started, timeout=60)
        who = "controller and engine" if group else "controller"
        self._killed(who, "inside", self._open() or step)
        return True

    def without(self, word: str, step: str, seconds: float) -> bool:
        """A move whose engine, or whose provider, is killed in ``step``, in the middle of something."""
        if self._is_past(step):
            return False
        one = self._started([str(PORTWAY)])
        if not self._begun(one, step):
            return False
        victims: list[psutil.Process] = []

        def there() -> bool:
            """Both: an interrupted change stays pending until somebody settles it."""
            if one.process.poll() is None and self._is_pending():
                victims[:] = _named(one.children(), word)
            return bool(victims) or one.process.poll() is not None

        until(there, f"a change in {step}")
        time.sleep(seconds)
        open_step = self._open()
        victims = [victim for victim in victims if victim.is_running()]
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        one.process.wait(waiting.PATIENCE_SECONDS)
        if victims:
            self._killed("engine" if word == ENGINE else "provider", "inside", open_step or step)
        self._went_on(one)
        return bool(victims)

    def crashed(self, step: str) -> None:
        """A provider crashed in ``step``, as it was told to; the move turned back by itself."""
        self._killed("provider", "after a create", step)

    def ended(self, way: str) -> Outcome:
        """Go on by ``way`` until it has ended."""
        if not self._is_over() or way == BACK:
            done = migrate(self.project, self.source, self.destination, *self._words(way))
            assert done.returncode in {0, 1}, done.stdout + done.stderr
        story = self.story
        assert story is not None
        assert story.outcome is not None, f"it has not ended: {story}"
        return story.outcome

    def judged(self, outcome: Outcome) -> None:
        """Exactly one service serves, the one that must; no orphan in any cloud; nothing twice."""
        expected = self.destination if outcome is Outcome.MOVED else self.source
        other = self.source if outcome is Outcome.MOVED else self.destination
        serving = self.serving()
        left, twice = orphans(self.project), created_twice(self.project)
        self.ledger.ends[outcome.value] += 1
        self.ledger.serving[len(serving)] += 1
        self.ledger.orphans += len(left)
        self.ledger.twice += len(twice)
        assert serving == [expected]
        assert of_stack(self.project, expected)
        kept = outcome is Outcome.MOVED and self.keep
        assert bool(of_stack(self.project, other)) == kept, other
        assert (left, twice) == ({}, set())

    def serving(self) -> list[str]:
        """The stacks that get requests, as the door itself says."""
        door = self.project.outputs(DOOR)
        said = httpx.get(
            f"{door['endpoint']}/door/status", trust_env=False, timeout=30,
            headers={"authorization": f"Bearer {door['apiKey']}"},
        )  # fmt: skip
        weights = cast("dict[str, int]", said.json()["weights"])
        return [stack for stack, percent in weights.items() if percent]

    def _words(self, way: str) -> tuple[str, ...]:
        words = (GO,) if way == GO else (way, GO)
        retires = () if self.keep or way != GO else ("--retire-source",)
        self.way = RESUME if way == GO else way
        if self.ledger.kills and self.ledger.kills[-1].then == "":
            self.ledger.kills[-1] = Kill(**{**vars(self.ledger.kills[-1]), "then": way.strip("-")})
        return (*words, *retires)

    def _started(self, program: list[str]) -> Started:
        words = ["migrate", self.source, self.destination, *self._words(self.way), *LENIENT]
        return Started([*program, *words], self.project.folder, own_environment())

    def _begun(self, one: Started, step: str) -> bool:
        """Wait until ``step`` has begun; False where the process ended before."""
        until(lambda: f"{step} begun" in one.said() or one.process.poll() is not None, step)
        if one.process.poll() is None:
            return True
        self._went_on(one)
        return False

    def _went_on(self, one: Started) -> None:
        """The controller has ended by itself: 3 where what is missing must be mended first."""
        assert one.process.poll() in {0, 1, 3}, one.said()

    def _is_past(self, step: str) -> bool:
        story = self.story
        return self._is_over() or (story is not None and step in story.done)

    def _is_over(self) -> bool:
        story = self.story
        return (
            story is not None
            and story.outcome is not None
            and (self.way != BACK or story.going_back)
        )

    def _is_pending(self) -> bool:
        """Whether an engine is in the middle of something, as the states say; quick to look at."""
        stacks = Layout.of_project(self.project.folder).state / ".pulumi" / "stacks"
        return any(_PENDING.search(file.read_bytes()) for file in stacks.glob("*/*.json"))

    def _open(self) -> str:
        story = self.story
        return "" if story is None else story.open

    def _killed(self, who: str, where: str, step: str) -> None:
        self.ledger.kills.append(Kill(who, step, where, ""))


def _named(processes: Iterable[psutil.Process], word: str) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in processes:
        try:
            named = (
                process.name() == word if word == ENGINE else word in " ".join(process.cmdline())
            )
        except psutil.Error:
            continue
        if named:
            found.append(process)
    return found
