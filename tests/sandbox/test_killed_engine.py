"""The engine or a plugin killed during a plain ``pulumi up`` of the example service."""

import signal
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from portway.demo.ask import ask
from portway.demo.tour import bring_up
from portway.engine.find import find_engine
from portway.engine.recover import Unresolved
from portway.engine.stack import Stack
from portway.sandbox.layout import Layout
from portway.sandbox.unfinished import unsettled
from support.killing import Started, made_more_than_once, processes_of
from support.sandbox_project import SandboxProject, portway, start, stop
from support.waiting import until

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("killed")]

STACK = "chat.prod.cloud-run"
SERVICE = "gcp:cloudrunv2/service:Service"
BUCKET = "gcp:storage/bucket:Bucket"
SECRET = "gcp:secretmanager/secret:Secret"
UP = ("up", "--yes", "--skip-preview", "--stack", STACK)


@pytest.fixture
def project(tmp_path: Path) -> Generator[SandboxProject]:
    """A running sandbox, and a stack that is not deployed yet."""
    started = start(tmp_path / "project")
    made = started.pulumi("stack", "init", STACK)
    assert made.returncode == 0, made.stderr
    yield started
    stop(started)


def made(project: SandboxProject, type_token: str) -> list[str]:
    """What happened to resources of that type, in order."""
    return [
        event["operation"]
        for event in project.store.events()
        if event["type"] == type_token and event["operation"] in {"create", "update", "delete"}
    ]


def ours(project: SandboxProject) -> Stack:
    mirror = Layout.of_project(project.folder).root / "mirror"
    return Stack(mirror, STACK, find_engine(), project.environment)


def go_on(project: SandboxProject) -> list[str]:
    """Let the tour finish what was interrupted; returns what it said."""
    said: list[str] = []
    layout, stack = Layout.of_project(project.folder), ours(project)
    done = bring_up(stack, project.folder, layout, said.append)
    assert done.succeeded, done.errors
    outputs = stack.outputs()
    assert ask(outputs["endpoint"], outputs["apiKey"], outputs["model"]).text
    assert unsettled(layout, project.store) == {}
    return said


def test_after_kill_9_of_the_engine_the_next_command_says_what_happened_and_what_to_do(
    project: SandboxProject,
) -> None:
    up = Started(["pulumi", "--non-interactive", *UP], project.folder, project.environment)
    up.until(lambda: made(project, SERVICE), "the service to be in the cloud")
    started = up.children()
    up.kill(signal.SIGKILL, group=False)
    assert psutil.wait_procs(started, timeout=60)[1] == []
    before = project.store.events()

    again = project.pulumi(*UP)
    assert again.returncode != 0
    assert "the stack is currently locked" in again.stderr
    assert "`pulumi cancel`" in again.stderr

    said = portway(project.folder, "sandbox", "status").stdout
    assert f"stack {STACK} is not at rest:" in said
    assert "that process is gone" in said
    assert f"`pulumi cancel --stack {STACK} --yes`" in said
    assert f"It was interrupted while creating {SERVICE}" in said
    assert "(The cloud has it: its ID is projects/acme-inference/" in said
    assert "`portway sandbox status` says" in portway(project.folder, "doctor").stdout

    with pytest.raises(Unresolved, match="an earlier operation did not end; nothing was started"):
        ours(project).up()
    assert project.store.events() == before

    assert any("It was interrupted while creating" in text for text in go_on(project))
    assert made(project, SERVICE).count("create") == 1
    assert made_more_than_once(project.store) == set()


def test_what_a_crashed_plugin_left_is_told_refused_by_the_cloud_and_settled(
    project: SandboxProject,
) -> None:
    faults = Layout.of_project(project.folder).faults
    faults.write_text(f"- {{type: '{SECRET}', operation: create, fault: crash, times: 1}}\n")
    crashed = project.pulumi(*UP)
    assert crashed.returncode != 0
    assert "exited prematurely" in crashed.stdout + crashed.stderr

    said = portway(project.folder, "sandbox", "status").stdout
    assert f"{SECRET} projects/acme-inference/secrets/chat-prod-api-keys is in the cloud" in said
    assert f"Adopt it: `pulumi import --stack {STACK}" in said

    blind = project.pulumi(*UP)
    assert blind.returncode != 0
    assert "chat-prod-api-keys] already exists" in blind.stdout + blind.stderr
    assert made(project, SECRET) == ["create"]

    assert any("is in the cloud, but in no state; removing it" in text for text in go_on(project))
    assert made(project, SECRET) == ["create", "delete", "create"]
    assert made_more_than_once(project.store) == set()


def test_stopping_the_sandbox_during_an_update_ends_it_with_a_sentence(
    project: SandboxProject,
) -> None:
    up = Started(["pulumi", "--non-interactive", *UP], project.folder, project.environment)
    # the service itself is made last, and may be there before a loaded machine has stopped anything
    up.until(lambda: made(project, BUCKET), "the first of it to be in the cloud")
    assert portway(project.folder, "sandbox", "stop").returncode == 0
    assert up.process.wait(60) != 0
    assert "data plane is not running; run `portway sandbox start`" in up.said()
    until(lambda: not processes_of(project.folder), "every process to end")
