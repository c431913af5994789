"""``portway recover`` after the engine or a plugin was killed: nothing twice, and a clean update."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from portway.engine.evidence import resources
from portway.sandbox.layout import Layout
from portway.sandbox.unfinished import stack_files, unsettled
from support.engine_projects import Project, all_gone, kill_alone
from support.killing import Started, made_more_than_once
from support.sandbox_project import PORTWAY, SandboxProject, portway, run, start, stop
from support.waiting import until

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("killed")]

STACK = "chat.prod.cloud-run"
SERVICE = "gcp:cloudrunv2/service:Service"
SECRET = "gcp:secretmanager/secret:Secret"
UP = ("up", "--yes", "--skip-preview", "--stack", STACK)
SLOW = 'import pulumi\npulumi.CustomResource("slow:index:Thing", "thing", {"size": 1})\n'
URN = "urn:pulumi:dev::p::slow:index:Thing::thing"


@pytest.fixture
def sandbox(tmp_path: Path) -> Generator[SandboxProject]:
    """A running sandbox, and a stack that is not deployed yet."""
    started = start(tmp_path / "project")
    made = started.pulumi("stack", "init", STACK)
    assert made.returncode == 0, made.stderr
    yield started
    stop(started)


def creates(project: SandboxProject, type_token: str) -> int:
    return [
        event["type"] for event in project.store.events() if event["operation"] == "create"
    ].count(type_token)


def our_up(project: SandboxProject) -> subprocess.CompletedProcess[str]:
    return run((str(PORTWAY), "up", STACK, "--yes"), project.folder, project.environment)


def comes_up_clean(project: SandboxProject) -> None:
    """The next update ends well, and the one after it has nothing to do."""
    up = our_up(project)
    assert up.returncode == 0, up.stdout + up.stderr
    assert "residency" in up.stdout, "both packs were on"
    preview = project.pulumi("preview", "--stack", STACK, "--expect-no-changes")
    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert made_more_than_once(project.store) == set()
    assert unsettled(Layout.of_project(project.folder), project.store) == {}


def test_a_create_that_the_engine_was_killed_in_is_found_adopted_and_not_made_again(
    sandbox: SandboxProject,
) -> None:
    up = Started(["pulumi", "--non-interactive", *UP], sandbox.folder, sandbox.environment)
    up.until(lambda: creates(sandbox, SERVICE), "the service to be in the cloud")
    started = up.children()
    up.kill(signal.SIGKILL, group=False)
    assert psutil.wait_procs(started, timeout=60)[1] == []

    refused = our_up(sandbox)
    assert refused.returncode == 1
    assert f"Nothing was started. `portway recover {STACK}` settles it." in refused.stderr

    told = portway(sandbox.folder, "recover", STACK)
    assert told.returncode == 1
    assert "that process is gone.\n  → The lock is removed." in told.stdout
    assert f"It was interrupted while creating {SERVICE}" in told.stdout
    assert "the cloud has it, its ID is projects/acme-inference/" in told.stdout
    assert "Nothing was done; --yes does what is proposed." in told.stdout

    done = portway(sandbox.folder, "recover", STACK, "--yes", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    document: Any = json.loads(done.stdout)
    assert (document["at_rest"], document["applied"], document["left"]) == (True, True, [])
    assert {step["do"] for step in document["steps"]} == {"release-lock", "adopt"}
    assert "pending_operations" in Path(document["backup"]).read_text()

    again = portway(sandbox.folder, "recover", STACK, "--yes")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (
        0, "Nothing is left of earlier operations.",
    )  # fmt: skip
    comes_up_clean(sandbox)
    assert creates(sandbox, SERVICE) == 1


def test_a_recovery_that_was_killed_itself_is_begun_again(sandbox: SandboxProject) -> None:
    up = Started(["pulumi", "--non-interactive", *UP], sandbox.folder, sandbox.environment)
    up.until(lambda: creates(sandbox, SERVICE), "the service to be in the cloud")
    started = up.children()
    up.kill(signal.SIGKILL, group=False)
    assert psutil.wait_procs(started, timeout=60)[1] == []
    recovering = Started(
        [str(PORTWAY), "recover", STACK, "--yes"], sandbox.folder, {**os.environ, "NO_COLOR": "1"}
    )
    recovering.until(lambda: is_half_adopted(sandbox), "the adopted service to be in the state")
    ended = recovering.children()
    recovering.kill(signal.SIGKILL, group=False)
    for process in ended:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert psutil.wait_procs(ended, timeout=60)[1] == []

    done = portway(sandbox.folder, "recover", STACK, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    comes_up_clean(sandbox)
    assert creates(sandbox, SERVICE) == 1


def is_half_adopted(project: SandboxProject) -> bool:
    """Whether the state has the service while its recovery has not ended."""
    files = stack_files(Layout.of_project(project.folder).state)
    deployment = next(each.deployment for each in files if each.stack == STACK)
    known = [each["type"] for each in resources(deployment)]
    journals = Layout.of_project(project.folder).root.glob("recover-backups/*.unfinished")
    return SERVICE in known and any(journals)


def test_what_a_crashed_plugin_left_is_imported_and_not_made_again(
    sandbox: SandboxProject,
) -> None:
    faults = Layout.of_project(sandbox.folder).faults
    faults.write_text(f"- {{type: '{SECRET}', operation: create, fault: crash, times: 1}}\n")
    assert sandbox.pulumi(*UP).returncode != 0
    told = portway(sandbox.folder, "recover", STACK)
    assert told.returncode == 1
    assert "chat-prod-api-keys is in the cloud, but in no state" in told.stdout

    done = portway(sandbox.folder, "recover", STACK, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    comes_up_clean(sandbox)
    assert creates(sandbox, SECRET) == 1


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project on a file backend, whose engine was killed in the middle of a create."""
    project = Project.create(tmp_path_factory.mktemp("crashed") / "p", SLOW)
    hold = project.add_blocking_provider()
    project.stack()
    engine = project.start("up", "--stack", "dev", "--skip-preview")
    until(lambda: made(project) != [], "the create")
    told = recover(project, "--yes", "--release-lock", "--json")
    (project.root / "told-while-it-ran").write_text(told.stdout)
    (project.root / "its-pid").write_text(str(engine.pid))
    assert all_gone(kill_alone(engine)) == []
    hold.unlink()
    shutil.copytree(project.state, project.root / "after-the-crash")
    return project


@pytest.fixture
def interrupted(crashed: Project) -> Project:
    """The same project as it was right after the crash."""
    shutil.rmtree(crashed.state)
    shutil.copytree(crashed.root / "after-the-crash", crashed.state)
    log = crashed.folder / "hold.log"
    log.write_text("\n".join(log.read_text().splitlines()[:1]) + "\n")
    return crashed


def made(project: Project) -> list[str]:
    log = project.folder / "hold.log"
    return log.read_text().split() if log.exists() else []


def recover(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**project.environment(), "NO_COLOR": "1"}
    return run((str(PORTWAY), "recover", "dev", *words), project.folder, environment)


def test_a_living_update_is_named_and_left_alone(crashed: Project) -> None:
    told: Any = json.loads((crashed.root / "told-while-it-ran").read_text())
    pid = (crashed.root / "its-pid").read_text()
    assert (told["applied"], told["blocked"], told["backup"]) == (False, True, None)
    assert told["undecided"][0]["what"].startswith(f"A lock of process {pid} on ")
    assert "that process works on it now" in told["undecided"][0]["what"]
    assert list((crashed.root / "after-the-crash").rglob("locks/**/*.json"))


def test_where_the_cloud_is_not_read_the_user_decides(
    interrupted: Project,
) -> None:
    (identity,) = made(interrupted)
    undecided = recover(interrupted, "--yes")
    assert undecided.returncode == 1
    assert f"--adopt '{URN}=ID'" in undecided.stdout
    assert f"--never-happened '{URN}'" in undecided.stdout
    assert len(interrupted.stack().unfinished()) == 1, "the lock is gone, the create is not"

    done = recover(interrupted, "--yes", "--adopt", f"{URN}={identity}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert interrupted.stack().up().changes == {"same": 2}
    assert made(interrupted) == [identity]
    assert recover(interrupted, "--yes", "--adopt", f"{URN}={identity}").returncode == 0


def test_what_never_happened_is_forgotten_and_made_by_the_next_update(
    interrupted: Project,
) -> None:
    done = recover(interrupted, "--yes", "--never-happened", URN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert interrupted.stack().up().changes == {"create": 1, "same": 1}


def test_a_stack_that_is_not_there_is_bad_input(interrupted: Project) -> None:
    environment = {**interrupted.environment(), "NO_COLOR": "1"}
    words = (str(PORTWAY), "recover", "none", "--yes")
    ran = run(words, interrupted.folder, environment)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "has no stack 'none'" in ran.stderr
