"""``portway sandbox`` as a user meets it: start, stop, status, logs, env."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from portway.sandbox import control
from portway.sandbox.layout import Layout
from support.sandbox_rows import Cloud, CloudRunChat, one_container
from support.waiting import until

pytestmark = pytest.mark.sandbox

APP = (Path(__file__).parents[1] / "support" / "small_app.py").read_text()


@pytest.fixture
def project(tmp_path: Path) -> Generator[Path]:
    (tmp_path / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    yield tmp_path
    control.stop(tmp_path)


def portway(project: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(Path(sys.executable).with_name("portway")), "sandbox", *words],
        cwd=project, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def processes(project: Path) -> list[str]:
    found: list[str] = []
    for process in psutil.process_iter():
        try:
            line = " ".join([*process.cmdline(), process.cwd()])
        except psutil.Error:
            continue
        if str(project / ".portway") in line:
            found.append(line)
    return found


def test_start_serves_what_is_deployed_and_stop_leaves_no_process(project: Path) -> None:
    started = portway(project, "start", "--json")
    assert (started.returncode, json.loads(started.stdout)["started"]) == (0, True)
    again = portway(project, "start")
    assert (again.returncode, "already running" in again.stdout) == (0, True)
    cloud = Cloud(Layout.of_project(project))
    chat = CloudRunChat(cloud)
    chat.service = one_container(chat.service, APP)
    key = chat.deploy()
    assert cloud.wait(key).ready

    def status() -> dict[str, Any]:
        return json.loads(portway(project, "status", "--json").stdout)

    until(lambda: [one["instances"] for one in status()["serving"]] == [1], "its instance")
    document = status()
    assert document["running"] is True
    assert document["resources"] == {"gcp": 4}
    assert document["serving"] == [
        {"resource": "Cloud Run service chat", "endpoint": cloud.endpoint(key), "instances": 1,
         "ready": True, "message": ""}
    ]  # fmt: skip
    shown = portway(project, "status", "--no-color").stdout
    assert "Cloud Run service chat" in shown
    stopped = portway(project, "stop")
    assert (stopped.returncode, "sandbox stopped" in stopped.stdout) == (0, True)
    assert processes(project) == []
    assert "was not running" in portway(project, "stop").stdout
    assert json.loads(portway(project, "status", "--json").stdout)["running"] is False


def test_the_home_it_makes_has_the_stand_in_plugins(project: Path) -> None:
    assert control.start(project, lambda _: None)
    assert not control.start(project, lambda _: None)
    plugins = {
        path.name.split("-v")[0] for path in (Layout.of_project(project).home / "plugins").iterdir()
    }
    assert {"resource-aws", "resource-gcp", "resource-kubernetes"} <= plugins


def test_a_killed_daemon_is_noticed_and_replaced(project: Path) -> None:
    control.start(project, lambda _: None)
    pid = control.status(project).pid
    assert pid is not None
    psutil.Process(pid).kill()
    until(lambda: control.status(project).pid is None, "its end to be seen", 10)
    assert control.start(project, lambda _: None)
    assert control.status(project).pid not in (None, pid)


def test_logs_are_listed_by_name(project: Path) -> None:
    none = portway(project, "logs")
    assert (none.returncode, "no logs yet" in none.stderr) == (3, True)
    control.start(project, lambda _: None)
    assert "serving what is deployed" in portway(project, "logs", "daemon").stdout
    wrong = portway(project, "logs", "other")
    assert (wrong.returncode, "there are: daemon" in wrong.stderr) == (3, True)
    both = portway(project, "logs", "--json", "--follow")
    assert (both.returncode, "Traceback" in both.stderr) == (2, False)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["status"], 3, "there is no sandbox in"),
        (["restart"], 2, "No such command 'restart'"),
        (["logs", "-n", "-1"], 2, "Invalid value for '-n'"),
        (["start", "now"], 2, "unexpected extra argument"),
    ],
)
def test_bad_use_ends_in_a_sentence(project: Path, words: list[str], code: int, said: str) -> None:
    ended = portway(project, *words)
    assert (ended.returncode, said in ended.stderr, ended.stdout) == (code, True, "")


def test_outside_a_project_it_says_so(tmp_path: Path) -> None:
    ended = portway(tmp_path, "start")
    assert (ended.returncode, "Pulumi.yaml" in ended.stderr) == (2, True)


def test_env_is_for_eval_and_survives_odd_folders(tmp_path: Path) -> None:
    odd = tmp_path / "it's a $folder"
    odd.mkdir()
    (odd / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    printed = portway(odd, "env")
    assert printed.returncode == 0, printed.stderr
    script = (
        f'{printed.stdout}\nprintf %s "$PULUMI_HOME|$PULUMI_CONFIG_PASSPHRASE|$PORTWAY_SANDBOX"'
    )
    shell = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True,
        env={**os.environ, "AWS_PROFILE": "real"},
    )  # fmt: skip
    root = odd / ".portway"
    assert shell.stdout == f"{root / 'home'}||{root}"
    document = json.loads(portway(odd, "env", "--json").stdout)
    assert document["set"]["PULUMI_BACKEND_URL"] == f"file://{root / 'state'}"
