"""A live service moves between clouds while clients ask all the time, is killed, goes on, and comes back."""

import signal
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from portway.portability.clients import asking
from portway.sandbox.layout import Layout
from support import waiting
from support.killing import Started
from support.real_moves import (
    DESTINATION,
    DOOR,
    LENIENT,
    LIMITS_FILE,
    LONGEST_SECONDS,
    MODEL,
    SOURCE,
    THIRD,
    events_of,
    living_service,
    migrate,
    no_client_noticed,
    no_orphan_and_nothing_twice,
    of_stack,
    own_environment,
    status,
)
from support.sandbox_project import PORTWAY, ROOT, SandboxProject, portway, run

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("migrate")]

CLIENTS = 50
UP = (str(PORTWAY), "up", DOOR, "--yes")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed migration has been through both packs before there is anything to see."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", float(LONGEST_SECONDS))


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Generator[SandboxProject]:
    with living_service(tmp_path_factory.mktemp("migrate") / "project") as project:
        yield project


def killed_under_way(project: SandboxProject, source: str, destination: str) -> None:
    """A migration whose controller and engine are killed while they make the destination."""
    before = len(of_stack(project, destination))
    migrating = Started(
        [str(PORTWAY), "migrate", source, destination, "--yes", *LENIENT],
        project.folder,
        own_environment(),
    )
    migrating.until(
        lambda: len(of_stack(project, destination)) > before + 1, "some of the destination"
    )
    started = migrating.children()
    migrating.kill(signal.SIGKILL, group=True)
    psutil.wait_procs(started, timeout=60)


def an_old_file_moves_nobody_back(project: SandboxProject) -> None:
    """``portway up`` of the door, whose file still sends everything to the source."""
    up = run(UP, project.folder, {**project.environment, "NO_COLOR": "1"})
    assert up.returncode == 1
    assert f"sends 100 % to {DESTINATION}" in up.stderr
    assert "--weights deployed keeps what requests obey now" in up.stderr
    kept = run((*UP, "--weights", "deployed"), project.folder, project.environment)
    assert kept.returncode == 0, kept.stdout + kept.stderr
    assert "update" not in kept.stdout.partition("Resources:")[2]


@pytest.mark.long
@pytest.mark.timeout(3 * LONGEST_SECONDS)
def test_a_move_that_is_killed_goes_on_and_back_and_no_client_notices(
    living: SandboxProject, tmp_path: Path
) -> None:
    door = living.outputs(DOOR)
    events = tmp_path / "events.jsonl"
    with asking(door["endpoint"], door["apiKey"], MODEL, CLIENTS) as counts:
        killed_under_way(living, SOURCE, DESTINATION)

        told = status(living, SOURCE, DESTINATION)
        assert (told["state"], told["next"]) == ("unfinished", "deploy")
        another = migrate(living, SOURCE, THIRD, "--yes")
        assert another.returncode == 2
        assert f"`portway migrate {SOURCE} {DESTINATION} --resume`" in another.stderr

        went_on = migrate(living, SOURCE, DESTINATION, "--resume", "--yes", "--events", str(events))
        assert went_on.returncode == 0, went_on.stdout + went_on.stderr
        assert f"Moved: {DESTINATION} has all traffic." in went_on.stdout
        no_orphan_and_nothing_twice(living)
        assert [one["step"] for one in events_of(events) if one["state"] == "done"] == [
            "deploy", "probe", "replay", "shift-5", "shift-25", "shift-50", "shift-100", "drain",
            "keep", "verify",
        ]  # fmt: skip
        an_old_file_moves_nobody_back(living)

        back = migrate(living, SOURCE, DESTINATION, "--rollback", "--yes")
        assert back.returncode == 1, back.stdout + back.stderr
        assert f"Rolled back: {SOURCE} has all traffic." in back.stdout
    no_client_noticed(counts, at_least=CLIENTS)
    assert of_stack(living, DESTINATION) == []
    no_orphan_and_nothing_twice(living)
    assert living.outputs(DOOR)["endpoint"] == door["endpoint"]
    key = living.outputs(SOURCE)["apiKey"]
    journals = Layout.of_project(living.folder).root / "migrations" / "chat.prod"
    written = "".join(file.read_text() for file in journals.iterdir())
    assert key not in written
    assert door["apiKey"] not in written


BROKEN = "- {type: 'aws:bedrock/model', operation: invoke, fault: model_access}\n"
SLOW = "- {type: 'aws:bedrock/model', operation: invoke, fault: {latency_seconds: 3}}\n"
STRICT = ("--accept-identity", "unknown")


@pytest.mark.long
@pytest.mark.timeout(LONGEST_SECONDS)
@pytest.mark.parametrize(
    ("faults", "step", "said"),
    [
        (BROKEN, "probe", "status is 403, not 200"),
        (SLOW, "replay", "the destination's first token took"),
    ],
    ids=["broken", "slow"],
)
def test_a_destination_that_is_not_good_enough_gets_no_traffic(
    living: SandboxProject, faults: str, step: str, said: str
) -> None:
    """It is removed again, and the source is as it was."""
    before, file = sorted(of_stack(living, SOURCE)), Layout.of_project(living.folder).faults
    file.write_text(faults)
    done = migrate(living, SOURCE, THIRD, "--yes", limits=STRICT)
    file.unlink()
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"Rolled back: {SOURCE} has all traffic." in done.stdout
    failed = next(line for line in done.stderr.splitlines() if " failed: " in line)
    assert failed.startswith(f"{step} failed: ")
    assert said in failed
    assert "shift-5" not in done.stderr
    assert (sorted(of_stack(living, SOURCE)), of_stack(living, THIRD)) == (before, [])
    no_orphan_and_nothing_twice(living)


@pytest.mark.long
@pytest.mark.timeout(LONGEST_SECONDS)
def test_a_destination_that_a_pack_refuses_is_not_begun(living: SandboxProject) -> None:
    """The organisation allows less than the spec does; only the pack knows that."""
    limits = living.folder / LIMITS_FILE
    before = limits.read_text()
    limits.write_text(before.replace("20000", "2500"))
    done = migrate(living, SOURCE, THIRD, "--yes")
    limits.write_text(before)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Stopped before anything was changed." in done.stdout
    assert f"{THIRD}: [cost-monthly-within-budget]" in done.stderr
    assert of_stack(living, THIRD) == []


def test_a_move_without_a_door_is_refused_before_anything_else(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("Pulumi.yaml", "stacks", "policies"):
        (folder / name).symlink_to(ROOT / name)
    done = portway(folder, "migrate", SOURCE, DESTINATION, "--yes")
    assert done.returncode == 2
    assert f"there is no stack {DOOR}" in done.stderr
    assert not (folder / ".portway").exists()
