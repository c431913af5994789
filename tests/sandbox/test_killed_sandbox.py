"""The sandbox's own commands when things go wrong: a sentence, the right exit code, nothing left behind."""

import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from portway.sandbox import control
from portway.sandbox.daemons import DAEMON
from portway.sandbox.layout import Layout
from portway.sandbox.store import Key, Row, Store
from support.killing import Started, processes_of
from support.sandbox_project import PORTWAY, portway
from support.waiting import until

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("killed")]


@pytest.fixture
def project(tmp_path: Path) -> Generator[Path]:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    yield folder
    portway(folder, "sandbox", "stop")
    until(lambda: not processes_of(folder), "every process to end")


def daemons(project: Path) -> list[psutil.Process]:
    return [each for each in processes_of(project) if DAEMON in words_of(each)]


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; nothing for one that ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def begin(project: Path) -> None:
    """Start it by a command that has ended: a daemon of this process would stay here as a zombie."""
    done = portway(project, "sandbox", "start")
    assert done.returncode == 0, done.stderr


def delete(folder: Path) -> None:
    """As a person does: again, when the daemon wrote another file meanwhile."""

    def is_gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    until(is_gone, "the folder to be gone")


def command(project: Path, verb: str) -> Started:
    return Started([str(PORTWAY), "sandbox", verb], project, os.environ)


def test_two_starts_at_once_make_one_daemon(project: Path) -> None:
    both = [command(project, "start"), command(project, "start")]
    assert [each.process.wait(60) for each in both] == [0, 0]
    said = sorted("already running" in each.said() for each in both)
    assert said == [False, True]
    assert len(daemons(project)) == 1


def test_two_stops_at_once_both_succeed(project: Path) -> None:
    begin(project)
    both = [command(project, "stop"), command(project, "stop")]
    assert [each.process.wait(60) for each in both] == [0, 0]
    assert processes_of(project) == []


def test_a_start_killed_on_the_way_leaves_a_sandbox_that_starts(project: Path) -> None:
    killed = command(project, "start")
    killed.until(lambda: daemons(project), "the daemon")
    killed.kill(signal.SIGKILL, group=True)
    done = portway(project, "sandbox", "start")
    assert done.returncode == 0, done.stderr
    assert len(daemons(project)) == 1


def test_a_sandbox_stopped_while_it_starts_says_so(project: Path) -> None:
    begin(project)
    portway(project, "sandbox", "stop")
    starting = command(project, "start")
    starting.until(lambda: daemons(project), "the daemon")
    assert portway(project, "sandbox", "stop").returncode == 0
    code = starting.process.wait(60)
    assert code in {0, 3}, starting.said()
    assert "Traceback" not in starting.said()
    assert daemons(project) == []


def test_a_folder_deleted_under_a_running_sandbox_ends_it_and_the_next_start_is_fresh(
    project: Path,
) -> None:
    begin(project)
    (old,) = daemons(project)
    delete(Layout.of_project(project).root)
    assert portway(project, "sandbox", "status").returncode == 3
    assert portway(project, "sandbox", "start").returncode == 0
    until(lambda: not old.is_running(), "the old daemon to end")
    (new,) = daemons(project)
    assert control.status(project).pid == new.pid != old.pid


def overwrite(layout: Layout, content: bytes) -> None:
    for file in layout.root.glob("cloud.db-*"):
        file.unlink(missing_ok=True)
    layout.store.write_bytes(content)


@pytest.mark.parametrize("damage", ["truncated", "garbage"])
def test_a_damaged_store_is_named_with_what_to_do(damage: str, project: Path) -> None:
    begin(project)
    layout = Layout.of_project(project)
    store = Store(layout.store)
    for number in range(20):
        key = Key("random", "local", "t", str(number))
        store.create(Row(key, "urn", {"text": "x" * 9_000}, {}))
    kept = layout.store.read_bytes()[:6000] if damage == "truncated" else b"no database" * 999
    overwrite(layout, kept)
    until(lambda: not daemons(project), "the daemon to end")
    # closing the store, the daemon may have written whole pages of its own back
    overwrite(layout, kept)
    for verb in ("status", "start"):
        ended = portway(project, "sandbox", verb)
        assert (ended.returncode, ended.stdout) == (3, "")
        assert f"{layout.store}: the sandbox's store is damaged" in ended.stderr
        assert f"delete {layout.root} and start again" in ended.stderr
        assert "Traceback" not in ended.stderr
    assert portway(project, "sandbox", "stop").returncode == 0
    delete(layout.root)
    assert portway(project, "sandbox", "start").returncode == 0


@pytest.mark.parametrize("verb", ["start", "env"])
def test_a_folder_that_cannot_be_made_is_named(verb: str, project: Path) -> None:
    (project / ".portway").write_text("in the way")
    ended = portway(project, "sandbox", verb)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.strip() == f"portway: {project}/.portway: File exists"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of 300 kB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    (folder / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    yield folder
    portway(folder, "sandbox", "stop")
    until(lambda: not processes_of(folder), "every process to end")
    subprocess.run(["umount", str(folder)], check=True)


def _full(folder: Path) -> None:
    with (folder / "filling").open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"0" * size)
            except OSError:
                continue


@pytest.mark.parametrize("running", [False, True])
def test_a_full_disk_is_said(*, running: bool, tiny_disk: Path) -> None:
    if running:
        begin(tiny_disk)
    _full(tiny_disk)
    ended = portway(tiny_disk, "sandbox", "start")
    assert (ended.returncode, "Traceback" in ended.stderr) == (3, False)
    assert "No space left on device" in ended.stderr or "the free space" in ended.stderr
    assert portway(tiny_disk, "sandbox", "stop").returncode == 0
    (tiny_disk / "filling").unlink()
    assert portway(tiny_disk, "sandbox", "start").returncode == 0
