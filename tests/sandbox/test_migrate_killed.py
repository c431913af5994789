"""A real move of a live service, killed wherever it can be killed: one service serves, and nothing is left."""

from collections.abc import Generator
from random import Random
from typing import Protocol

import pytest

from portway.portability.clients import Counts, asking
from portway.portability.migration import Outcome
from portway.sandbox.layout import Layout
from support import waiting
from support.killed_moves import BACK, ENGINE, PROVIDER, RESUME, KilledMove, Ledger
from support.real_moves import (
    DESTINATION,
    DOOR,
    LONGEST_SECONDS,
    MODEL,
    SOURCE,
    THIRD,
    living_service,
)
from support.sandbox_project import SandboxProject

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.xdist_group("killed-moves"),
    pytest.mark.long,
    pytest.mark.timeout(3 * LONGEST_SECONDS),
]

CLIENTS = 4
TOKEN_SECONDS = 0.03
BOUNDARIES = ("before", "begun", "untold")
FORWARD = {
    "preflight": 20.0, "deploy": 20.0, "probe": 10.0, "replay": 3.0, "shift-5": 12.0,
    "shift-25": 12.0, "shift-50": 12.0, "shift-100": 12.0, "drain": 0.5, "keep": 0.1, "retire": 10.0,
    "verify": 20.0,
}  # fmt: skip
BEHIND = {
    "restore": 20.0, "return": 10.0, "empty": 0.5, "remove": 10.0, "confirm": 20.0,
}  # fmt: skip
"""Seconds: about as long as each takes; a kill that comes later strikes a later step."""
HISTORIES = 4
"""Of random kills: far more than fifty moments together; the ledger says how many."""
JUDGING = ("preflight", "verify", "confirm")
"""Both packs over three stacks: killed more seldom, because all of it is done again."""
SLOW = "".join(
    f"- {{type: '*', operation: {operation}, fault: {{latency_seconds: 2}}}}\n"
    for operation in ("create", "delete")
)
"""So that a kill is in the middle of one."""
CRASHING = {
    DESTINATION: ("kubernetes:core/v1:Secret", "kubernetes:apps/v1:Deployment"),
    THIRD: ("aws:iam/role:Role", "aws:lambda/function:Function"),
}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed migration has been through both packs before there is anything to see."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", float(LONGEST_SECONDS))


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Generator[SandboxProject]:
    with living_service(tmp_path_factory.mktemp("killed") / "project", TOKEN_SECONDS) as project:
        yield project


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture(autouse=True)
def told(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> Generator[None]:
    """What was killed so far is said after each test, also where it passes."""
    yield
    with capsys.disabled():
        print(f"\n{ledger.table()}", flush=True)  # noqa: T201 - for whoever runs this for an hour


@pytest.fixture
def counts(living: SandboxProject) -> Generator[Counts]:
    """Clients that ask all the time, and notice nothing."""
    door = living.outputs(DOOR)
    with asking(door["endpoint"], door["apiKey"], MODEL, CLIENTS) as found:
        yield found
    assert found.wrong == 0, str(found)
    assert found.answered > CLIENTS, str(found)


class Moving(Protocol):
    """A move of the service, to that stack."""

    def __call__(self, to: str, *, keep: bool) -> KilledMove: ...


@pytest.fixture
def moving(living: SandboxProject, ledger: Ledger, counts: Counts) -> Moving:
    """A move of the service while clients ask."""
    assert counts.wrong == 0

    def made(to: str, *, keep: bool) -> KilledMove:
        return KilledMove(living, SOURCE, to, ledger, keep)

    return made


def test_a_controller_is_killed_at_every_boundary_and_goes_on(moving: Moving) -> None:
    """Also at every boundary of going back, from the very end."""
    move = moving(DESTINATION, keep=False)
    for step in FORWARD:
        if step != "keep":
            for boundary in BOUNDARIES:
                move.at(boundary, step)
    assert move.ended(RESUME) is Outcome.MOVED
    move.judged(Outcome.MOVED)
    move.way = BACK
    for step in BEHIND:
        for boundary in BOUNDARIES:
            move.at(boundary, step)
    assert move.ended(BACK) is Outcome.ROLLED_BACK
    move.judged(Outcome.ROLLED_BACK)


@pytest.mark.parametrize("step", [step for step in FORWARD if step != "keep"])
def test_a_controller_is_killed_at_a_boundary_and_turned_back(moving: Moving, step: str) -> None:
    chance = Random(step)
    move = moving(chance.choice([DESTINATION, THIRD]), keep=False)
    move.at(chance.choice(BOUNDARIES[1:]), step)
    assert move.ended(BACK) is Outcome.ROLLED_BACK
    move.judged(Outcome.ROLLED_BACK)


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_a_controller_is_killed_at_random_moments(moving: Moving, seed: int) -> None:
    """Again and again in one move, with its engine or without, and turned back in the end, or before."""
    chance = Random(seed)
    keep = chance.random() < 0.5
    move = moving((DESTINATION, THIRD)[seed % 2], keep=keep)
    steps = [step for step in FORWARD if step != ("retire" if keep else "keep")]
    turn_at = chance.choice(steps[1:-1]) if seed % 2 else ""
    for step in steps:
        for _ in range(max(_kills(chance, step), int(step == turn_at))):
            move.inside(step, chance.uniform(0, FORWARD[step]), group=chance.random() < 0.5)
        if step == turn_at:
            break
    if not turn_at:
        assert move.ended(RESUME) is Outcome.MOVED
        move.judged(Outcome.MOVED)
    move.way = BACK
    for step, seconds in BEHIND.items():
        for _ in range(_kills(chance, step)):
            move.inside(step, chance.uniform(0, seconds), group=chance.random() < 0.5)
    assert move.ended(BACK) is Outcome.ROLLED_BACK
    move.judged(Outcome.ROLLED_BACK)


def _kills(chance: Random, step: str) -> int:
    """How often a controller is killed in ``step``."""
    weights = (3, 1, 0, 0) if step in JUDGING else (0, 2, 3, 2)
    return chance.choices((0, 1, 2, 3), weights)[0]


@pytest.mark.parametrize("destination", [DESTINATION, THIRD])
def test_engines_and_providers_are_killed_under_way(
    living: SandboxProject, moving: Moving, destination: str
) -> None:
    """In every step that changes something but the first: what fails there turns back by itself."""
    chance = Random(destination)
    faults = Layout.of_project(living.folder).faults
    faults.write_text(SLOW)
    move = moving(destination, keep=False)
    for step in ("shift-5", "shift-50", "shift-100", "retire"):
        for word in (ENGINE, PROVIDER):
            move.without(word, step, chance.uniform(0, 0.4))
    assert move.ended(RESUME) is Outcome.MOVED
    move.judged(Outcome.MOVED)
    move.way = BACK
    for step in ("restore", "return", "remove"):
        for word in (ENGINE, PROVIDER):
            move.without(word, step, chance.uniform(0, 0.4))
    assert move.ended(BACK) is Outcome.ROLLED_BACK
    move.judged(Outcome.ROLLED_BACK)
    faults.unlink()


@pytest.mark.parametrize("word", [ENGINE, PROVIDER])
@pytest.mark.parametrize("destination", [DESTINATION, THIRD])
def test_an_engine_or_a_provider_that_dies_while_it_deploys_turns_the_move_back(
    living: SandboxProject, moving: Moving, word: str, destination: str
) -> None:
    faults = Layout.of_project(living.folder).faults
    faults.write_text(SLOW)
    move = moving(destination, keep=True)
    assert move.without(word, "deploy", Random(f"{word}{destination}").uniform(0, 1.5))
    faults.unlink()
    assert move.ended(BACK) is Outcome.ROLLED_BACK
    move.judged(Outcome.ROLLED_BACK)


@pytest.mark.parametrize("destination", [DESTINATION, THIRD])
def test_a_provider_that_crashes_after_a_create_turns_the_move_back(
    living: SandboxProject, moving: Moving, ledger: Ledger, destination: str
) -> None:
    """Nobody but the cloud knows what it has made."""
    faults = Layout.of_project(living.folder).faults
    rules = (f"- {{type: '{one}', operation: create, fault: crash, times: 1}}\n" for one in CRASHING[destination])  # fmt: skip
    faults.write_text("".join(rules))
    move = moving(destination, keep=True)
    before = len(ledger.kills)
    outcome = move.ended(move.way)
    move.crashed("deploy")
    assert len(ledger.kills) == before + 1
    faults.unlink()
    assert outcome is Outcome.ROLLED_BACK
    move.judged(Outcome.ROLLED_BACK)
