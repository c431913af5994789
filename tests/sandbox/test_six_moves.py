"""All six directed moves between the targets, under clients that never stop."""

from collections.abc import Callable, Generator
from datetime import datetime
from itertools import pairwise, permutations
from pathlib import Path

import pytest

from portway.portability.clients import asking
from support.real_moves import (
    DESTINATION,
    DOOR,
    LONGEST_SECONDS,
    MODEL,
    SOURCE,
    THIRD,
    Cost,
    Stood,
    cost_while_both_ran,
    events_of,
    living_service,
    migrate,
    no_client_noticed,
    no_orphan_and_nothing_twice,
    now,
    of_stack,
    since,
)
from support.sandbox_project import STACKS, SandboxProject

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("migrate"), pytest.mark.long]

CLIENTS = 50
TOKEN_SECONDS = 0.12
"""About as fast as one L4 answers as many at once: an answer lasts seconds, and fifty always do."""
ROUND_TRIP = (SOURCE, THIRD, DESTINATION, THIRD, SOURCE, DESTINATION, SOURCE)
"""Each move ends where the next begins, and retires what it leaves."""
MOVES = tuple(pairwise(ROUND_TRIP))
Say = Callable[[str], None]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Print, also where the test passes."""

    def aloud(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)  # noqa: T201 - for whoever runs this for an hour

    return aloud


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Generator[SandboxProject]:
    with living_service(tmp_path_factory.mktemp("six") / "project", TOKEN_SECONDS) as project:
        yield project


def both_ran_seconds(events: list[dict[str, str]]) -> float:
    """From the first resource of the destination to the last of the source."""
    at = {(one["step"], one["state"]): datetime.fromisoformat(one["at"]) for one in events}
    return (at["retire", "done"] - at["deploy", "begun"]).total_seconds()


@pytest.mark.timeout(7 * LONGEST_SECONDS)
def test_all_six_moves_are_noticed_by_nobody(
    living: SandboxProject, tmp_path: Path, say: Say
) -> None:
    assert set(MOVES) == set(permutations(STACKS, 2))
    door = living.outputs(DOOR)
    stood, costs = Stood(living), list[Cost]()
    say(f"\n{CLIENTS} clients; the costs are in USD an hour, of both ends")
    with asking(door["endpoint"], door["apiKey"], MODEL, CLIENTS) as counts:
        for number, (source, destination) in enumerate(MOVES, 1):
            before, log = now(counts), tmp_path / f"{number}.jsonl"
            done = migrate(
                living, source, destination, "--yes", "--retire-source", "--events", str(log)
            )
            assert done.returncode == 0, done.stdout + done.stderr + str(counts)
            events, seen = events_of(log), since(counts, before)
            begun, ended = (datetime.fromisoformat(events[at]["at"]) for at in (0, -1))
            whole = (ended - begun).total_seconds()
            cost = cost_while_both_ran(living, source, destination, seen, whole)
            costs.append(cost)
            assert of_stack(living, source) == []
            no_orphan_and_nothing_twice(living)
            say(
                f"{source} -> {destination}: {whole:.0f} s; {seen.answered} answered, {seen.failed} failed, "
                f"{seen.cut} truncated, {seen.twice} duplicated; both ran "
                f"{both_ran_seconds(events):.0f} s for {cost.ran}, at most {cost.bound}"
            )
    say(f"together: {counts}")
    say(f"{stood.judged(tmp_path / 'states')} states stood on the way; both packs pass each")
    no_client_noticed(counts, at_least=CLIENTS)
    assert all(cost.ran <= cost.bound for cost in costs)
