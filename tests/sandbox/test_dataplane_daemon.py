"""The daemon: one per sandbox, replaceable at any moment, and nothing left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from portway.bundle import runtime_archive
from support.sandbox_daemon import gone, sandbox
from support.sandbox_rows import CloudRunChat, KubernetesChat, LambdaChat, one_container
from support.waiting import reached, until

pytestmark = pytest.mark.sandbox

APP = (Path(__file__).parents[1] / "support" / "small_app.py").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_everything_is_served_again_by_the_next_daemon_however_the_last_one_ended(
    tmp_path: Path, number: int
) -> None:
    with sandbox(tmp_path) as running:
        run = CloudRunChat(running.cloud)
        run.service = one_container(run.service, APP, scaling={"minInstanceCount": 1})
        run.publish()
        key = run.deploy()
        function = LambdaChat(running.cloud, runtime_archive().path.read_bytes())
        function.publish()
        url = function.deploy()
        pods = KubernetesChat(running.cloud, runtime_archive().path.read_bytes())
        service, deployment = pods.expose(), pods.deploy()
        assert running.cloud.wait(deployment).ready
        assert running.cloud.wait(key).ready
        addresses = [
            f"{running.cloud.endpoint(key)}/environment",
            f"{running.cloud.endpoint(url)}/healthz",
            f"{running.cloud.endpoint(service)}/healthz",
        ]
        assert [httpx.get(each, timeout=30).status_code for each in addresses] == [200] * 3
        before = {process.pid for process in running.processes()}
        running.stop(number)
        assert gone(running), "children outlived their daemon"
        running.start()
        for address in addresses:
            until(lambda at=address: _answers(at), f"{address}; the daemon said:\n{running.log()}")
        assert before.isdisjoint(process.pid for process in running.processes())


def test_a_second_daemon_leaves_the_first_one_alone(tmp_path: Path) -> None:
    with sandbox(tmp_path) as running:
        second = subprocess.run(
            [sys.executable, "-m", "portway.sandbox.daemon", str(running.layout.root)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert second.returncode == 0
        assert "a daemon already serves" in second.stderr
        assert running.daemon.poll() is None


def test_a_setting_that_is_no_number_is_refused_by_name(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "portway.sandbox.daemon", str(tmp_path / ".portway")],
        env={**os.environ, "PORTWAY_SANDBOX_IDLE_SECONDS": "soon"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert refused.returncode == 3
    assert "PORTWAY_SANDBOX_IDLE_SECONDS: 'soon' is not a number" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_resource_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    with sandbox(tmp_path) as running:
        broken = {"template": {"containers": "none"}}
        kind = "gcp:cloudrunv2/service:Service"
        bad = running.cloud.put("gcp", "acme", kind, "projects/acme/services/bad", broken)
        status = running.cloud.wait(bad)
        assert (status.ready, status.message.startswith("the sandbox failed")) == (False, True)
        run = CloudRunChat(running.cloud)
        run.service = one_container(run.service, APP)
        assert running.cloud.wait(run.deploy()).ready


def test_nothing_it_serves_listens_beyond_loopback(tmp_path: Path) -> None:
    with sandbox(tmp_path) as running:
        pods = KubernetesChat(running.cloud, runtime_archive().path.read_bytes())
        pods.expose()
        assert running.cloud.wait(pods.deploy()).ready
        listening = {
            connection.laddr.ip
            for process in running.processes()
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}


def _answers(address: str) -> bool:
    answer = reached(lambda: httpx.get(address, timeout=30))
    return answer is not None and answer.status_code == 200
