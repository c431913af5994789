"""A live service moves between clouds while clients ask all the time, is killed, goes on, and comes back."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Generator
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from portway.portability.clients import Counts, asking
from portway.sandbox.layout import Layout
from portway.sandbox.unfinished import stack_of, unsettled
from support import killing
from support.killing import Started, made_more_than_once
from support.sandbox_project import (
    PORTWAY,
    ROOT,
    STACKS,
    SandboxProject,
    portway,
    start,
    stop,
)

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("migrate")]

SOURCE, DESTINATION, THIRD = STACKS
DOOR = "chat.prod.door"
DOOR_FILE = f"""config:
  portway:spec: specs/chat.yaml
  portway:door: {{kind: cloud-run, region: europe-west4, weights: {{{SOURCE}: 100}}}}
  gcp:project: acme-inference
"""
SPEC_FILE = "stacks/specs/chat.yaml"
SCALING = "{min: 1, max: 2, concurrency: 8}"
ROOMY = "{min: 1, max: 1, concurrency: 64}"
"""Every end has room for all clients at once: 429 would be right, and is not what is looked for."""
LENIENT = ("--max-slower", "1000")
"""What else the machine has to do says nothing about an end."""
CLIENTS = 50
LONGEST_SECONDS = 1200
"""A minute where the machine has nothing else to do."""
MODEL = "ministral-3-8b"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed migration has been through both packs before there is anything to see."""
    monkeypatch.setattr(killing, "PATIENCE_SECONDS", float(LONGEST_SECONDS))


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Generator[SandboxProject]:
    """A running sandbox with the source and the door."""
    roomy = (ROOT / SPEC_FILE).read_text().replace(SCALING, ROOMY).replace(" 2500}", " 20000}")
    assert ROOMY in roomy
    more = {f"stacks/Pulumi.{DOOR}.yaml": DOOR_FILE, SPEC_FILE: roomy}
    project = start(tmp_path_factory.mktemp("migrate") / "project", more)
    for stack in (SOURCE, DOOR):
        assert project.pulumi("stack", "init", stack).returncode == 0
        done = project.pulumi("up", "--yes", "--skip-preview", "--stack", stack)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    yield project
    stop(project)


def migrate(project: SandboxProject, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (str(PORTWAY), "migrate", *words, *LENIENT), cwd=project.folder, capture_output=True, text=True,
        env={**os.environ, "NO_COLOR": "1"}, check=False, timeout=LONGEST_SECONDS,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def of_stack(project: SandboxProject, stack: str) -> list[str]:
    """What the clouds have of ``stack``."""
    return [row.key.id for row in project.store.all() if stack_of(row) == stack]


def no_orphan_and_nothing_twice(project: SandboxProject) -> None:
    # new weights are a new version of the door's secret, made before the old one goes
    twice = {urn for urn in made_more_than_once(project.store) if f":{DOOR}::" not in urn}
    assert twice == set()
    assert unsettled(Layout.of_project(project.folder), project.store) == {}


def no_client_noticed(counts: Counts) -> None:
    assert counts.wrong == 0, str(counts)
    assert counts.answered > CLIENTS, str(counts)


def killed_under_way(project: SandboxProject, source: str, destination: str, *words: str) -> None:
    """A migration whose controller and engine are killed while they make the destination."""
    before = len(of_stack(project, destination))
    migrating = Started(
        [str(PORTWAY), "migrate", source, destination, "--yes", *LENIENT, *words],
        project.folder,
        {**os.environ, "NO_COLOR": "1"},
    )
    migrating.until(
        lambda: len(of_stack(project, destination)) > before + 1, "some of the destination"
    )
    started = migrating.children()
    migrating.kill(signal.SIGKILL, group=True)
    psutil.wait_procs(started, timeout=60)


@pytest.mark.long
@pytest.mark.timeout(3 * LONGEST_SECONDS)
def test_a_move_that_is_killed_goes_on_and_back_and_no_client_notices(
    living: SandboxProject, tmp_path: Path
) -> None:
    door = living.outputs(DOOR)
    events = tmp_path / "events.jsonl"
    with asking(door["endpoint"], door["apiKey"], MODEL, CLIENTS) as counts:
        killed_under_way(living, SOURCE, DESTINATION)

        told: Any = json.loads(migrate(living, SOURCE, DESTINATION, "--status", "--json").stdout)
        assert (told["migration"]["state"], told["migration"]["next"]) == ("unfinished", "deploy")
        another = migrate(living, SOURCE, THIRD, "--yes", "--accept-identity", "unknown")
        assert another.returncode == 2
        assert f"`portway migrate {SOURCE} {DESTINATION} --resume`" in another.stderr

        went_on = migrate(living, SOURCE, DESTINATION, "--resume", "--yes", "--events", str(events))
        assert went_on.returncode == 0, went_on.stdout + went_on.stderr
        assert f"Moved: {DESTINATION} has all traffic." in went_on.stdout
        no_orphan_and_nothing_twice(living)
        lines: list[dict[str, str]] = [json.loads(line) for line in events.read_text().splitlines()]
        assert [line["step"] for line in lines if line["state"] == "done"] == [
            "deploy", "probe", "replay", "shift-5", "shift-25", "shift-50", "shift-100", "drain",
            "keep", "verify",
        ]  # fmt: skip

        back = migrate(living, SOURCE, DESTINATION, "--rollback", "--yes")
        assert back.returncode == 1, back.stdout + back.stderr
        assert f"Rolled back: {SOURCE} has all traffic." in back.stdout
    no_client_noticed(counts)
    assert of_stack(living, DESTINATION) == []
    no_orphan_and_nothing_twice(living)
    assert living.outputs(DOOR)["endpoint"] == door["endpoint"]
    key = living.outputs(SOURCE)["apiKey"]
    journals = Layout.of_project(living.folder).root / "migrations" / "chat.prod"
    written = "".join(file.read_text() for file in journals.iterdir())
    assert key not in written
    assert door["apiKey"] not in written


def test_a_move_without_a_door_is_refused_before_anything_else(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("Pulumi.yaml", "stacks", "policies"):
        (folder / name).symlink_to(ROOT / name)
    done = portway(folder, "migrate", SOURCE, DESTINATION, "--yes")
    assert done.returncode == 2
    assert f"there is no stack {DOOR}" in done.stderr
    assert not (folder / ".portway").exists()


@pytest.mark.long
@pytest.mark.timeout(6 * LONGEST_SECONDS)
def test_all_six_moves_are_noticed_by_nobody(living: SandboxProject) -> None:
    """A round through all pairs: each ends where the next begins, and retires what it leaves."""
    door = living.outputs(DOOR)
    round_trip = [
        (SOURCE, DESTINATION), (DESTINATION, THIRD), (THIRD, SOURCE),
        (SOURCE, THIRD), (THIRD, DESTINATION), (DESTINATION, SOURCE),
    ]  # fmt: skip
    assert set(round_trip) == set(permutations(STACKS, 2))
    with asking(door["endpoint"], door["apiKey"], MODEL, CLIENTS) as counts:
        for source, destination in round_trip:
            done = migrate(
                living, source, destination, "--yes", "--retire-source",
                "--accept-identity", "unknown",
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            assert of_stack(living, source) == []
            no_orphan_and_nothing_twice(living)
    no_client_noticed(counts)


@pytest.mark.long
@pytest.mark.timeout(3 * LONGEST_SECONDS)
@pytest.mark.parametrize("seed", range(10))
def test_a_real_move_is_killed_at_a_random_moment(living: SandboxProject, seed: int) -> None:
    chance = Random(seed)
    door = living.outputs(DOOR)
    with asking(door["endpoint"], door["apiKey"], MODEL, 5) as counts:
        migrating = Started(
            [str(PORTWAY), "migrate", SOURCE, DESTINATION, "--yes", *LENIENT],
            living.folder, {**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
        step = chance.choice(["deploy", "probe", "shift-5", "shift-50", "shift-100", "verify"])
        migrating.until(lambda: f"{step} begun" in migrating.said(), step)
        with contextlib.suppress(subprocess.TimeoutExpired):
            migrating.process.wait(chance.uniform(0.0, 4.0))
        started = migrating.children() if migrating.process.poll() is None else []
        migrating.kill(signal.SIGKILL, group=chance.random() < 0.5)
        psutil.wait_procs(started, timeout=60)
        if chance.random() < 0.5:
            migrate(living, SOURCE, DESTINATION, "--resume", "--yes")
        back = migrate(living, SOURCE, DESTINATION, "--rollback", "--yes")
        assert f"Rolled back: {SOURCE} has all traffic." in back.stdout, back.stdout + back.stderr
    assert counts.wrong == 0, str(counts)
    assert of_stack(living, DESTINATION) == []
    no_orphan_and_nothing_twice(living)
