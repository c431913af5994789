"""The engine killed in the middle: nothing stays behind, and nothing is made twice silently."""

import re
import shlex
import shutil
import signal
import threading
from pathlib import Path

import psutil
import pytest

from portway.engine.recover import Unresolved
from support.engine_projects import Project, all_gone, kill_alone
from support.waiting import until

pytestmark = pytest.mark.sandbox

SLOW = 'import pulumi\npulumi.CustomResource("slow:index:Thing", "thing", {"size": 1})\n'
URN = "urn:pulumi:dev::p::slow:index:Thing::thing"


def made(project: Project) -> list[str]:
    log = project.folder / "hold.log"
    return log.read_text().split() if log.exists() else []


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose engine was killed while its provider was creating."""
    project = Project.create(tmp_path_factory.mktemp("crashed") / "p", SLOW)
    hold = project.add_blocking_provider()
    project.stack()
    engine = project.start("up", "--stack", "dev", "--skip-preview")
    until(lambda: made(project) != [], "the create")
    assert all_gone(kill_alone(engine)) == []
    hold.unlink()
    shutil.copytree(project.state, project.root / "state-after-the-crash")
    (project.folder / "hold.log.after-the-crash").write_bytes(
        (project.folder / "hold.log").read_bytes()
    )
    return project


@pytest.fixture
def interrupted(crashed: Project) -> Project:
    """The same project as it was right after the crash."""
    shutil.rmtree(crashed.state)
    shutil.copytree(crashed.root / "state-after-the-crash", crashed.state)
    shutil.copy(crashed.folder / "hold.log.after-the-crash", crashed.folder / "hold.log")
    return crashed


def test_killing_the_engine_leaves_no_process(tmp_path: Path) -> None:
    project = Project.create(
        tmp_path / "p",
        "import time\nfrom pathlib import Path\n"
        f"Path('{tmp_path}/started').touch()\ntime.sleep(600)\n",
    )
    project.stack()
    engine = project.start("up", "--stack", "dev", "--skip-preview")
    until((tmp_path / "started").exists, "the program")
    started = kill_alone(engine)
    assert len(started) == 2
    assert all_gone(started) == []


def test_an_interrupted_engine_ends_its_program_at_once_and_quietly(tmp_path: Path) -> None:
    project = Project.create(
        tmp_path / "p",
        "import time\nfrom pathlib import Path\n"
        f"Path('{tmp_path}/started').touch()\ntime.sleep(600)\n",
    )
    stack = project.stack()
    said = tmp_path / "said"
    with said.open("wb") as output:
        engine = project.start("up", "--stack", "dev", "--skip-preview", output=output)
    until((tmp_path / "started").exists, "the program")
    engine.send_signal(signal.SIGINT)
    assert engine.wait(60) == 1
    assert "error: update canceled" in said.read_text()
    assert "KeyboardInterrupt" not in said.read_text()
    assert stack.unfinished() == []


def test_killing_the_language_host_leaves_no_program(tmp_path: Path) -> None:
    project = Project.create(
        tmp_path / "p",
        "import os, time\nfrom pathlib import Path\n"
        f"Path('{tmp_path}/pid').write_text(str(os.getpid()))\ntime.sleep(600)\n",
    )
    project.stack()
    engine = project.start("preview", "--stack", "dev")
    pid = tmp_path / "pid"
    until(lambda: pid.exists() and pid.read_text() != "", "the program")
    program = psutil.Process(int(pid.read_text()))
    host = program.parent()
    assert host is not None
    host.kill()
    assert all_gone([program, host]) == []
    engine.wait(60)


def test_after_a_crash_an_up_is_refused_with_what_happened_and_what_to_do(
    interrupted: Project,
) -> None:
    with pytest.raises(Unresolved) as refused:
        interrupted.stack().up()
    text = str(refused.value)
    assert text.startswith(
        "stack dev: an earlier operation did not end; nothing was started now.\n"
    )
    assert "that process is gone" in text
    assert f"It was interrupted while creating slow:index:Thing ({URN})." in text
    assert "would create it a second time" in text
    assert len(made(interrupted)) == 1


def test_a_create_that_the_cloud_has_is_adopted_and_not_made_again(interrupted: Project) -> None:
    (identity,) = made(interrupted)
    stack = interrupted.stack()
    left = stack.resolve({URN: identity}.get)
    assert [(item.operation, item.urn) for item in left] == [("lock", None), ("creating", URN)]
    assert stack.unfinished() == []
    assert stack.up().changes == {"same": 2}
    assert made(interrupted) == [identity]


def test_the_commands_in_the_text_adopt_it_by_hand(interrupted: Project) -> None:
    (identity,) = made(interrupted)
    text = " ".join(map(str, interrupted.stack().unfinished()))
    commands = re.findall(r"`(pulumi [a-z]+ --stack [^`]+)`", text)
    assert [command.split()[1] for command in commands] == ["cancel", "refresh", "import"]
    for command in commands:
        words = shlex.split(command.replace(" ID", f" {identity}"))[1:]
        assert interrupted.start(*words).wait(60) == 0
    assert interrupted.stack().up().changes == {"same": 2}
    assert made(interrupted) == [identity]


def test_a_create_that_never_happened_is_dropped_and_made_by_the_next_up(
    interrupted: Project,
) -> None:
    stack = interrupted.stack()
    stack.resolve(lambda _urn: None)
    assert stack.up().changes == {"create": 1, "same": 1}
    assert len(made(interrupted)) == 2


def test_a_running_operation_is_not_joined_but_waited_for(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", SLOW)
    hold = project.add_blocking_provider()
    stack = project.stack()
    engine = project.start("up", "--stack", "dev", "--skip-preview")
    try:
        until(lambda: made(project) != [], "the create")
        with pytest.raises(Unresolved, match=f"Process {engine.pid} is working on the stack"):
            stack.up()
        with pytest.raises(Unresolved, match="Wait until it ends"):
            stack.refresh()
        with pytest.raises(Unresolved, match="Wait until it ends"):
            stack.resolve(lambda _urn: None, wait_seconds=0)
    finally:
        hold.unlink()
    reaper = threading.Thread(target=engine.wait)
    reaper.start()
    stack.resolve(lambda _urn: None)
    reaper.join()
    assert engine.returncode == 0
    assert stack.up().changes == {"same": 2}
    assert len(made(project)) == 1
