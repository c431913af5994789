import json
import os
import subprocess
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from portway.sandbox.providers import wire
from portway.sandbox.providers.cloud import CloudError, Code, InitFailed
from portway.sandbox.providers.readiness import NOT_RUNNING
from portway.sandbox.store import Key, Status
from support.plugin import Json, Plugin

SERVICE = "cloudrunv2/service:Service"
INPUTS: Json = {
    "name": "chat",
    "location": "europe-west4",
    "scaling": {"maxInstanceCount": 1},
    "template": {"containers": [{"image": "python"}]},
}
KEY = Key("gcp", "acme", f"gcp:{SERVICE}", "projects/acme/locations/europe-west4/services/chat")


@pytest.fixture
def google(tmp_path: Path) -> Plugin:
    plugin = Plugin(tmp_path, "gcp", {"project": "acme"})
    plugin.store.set_meta("dataplane", "on")
    return plugin


def running(plugin: Plugin, process_id: int | None = None) -> None:
    daemon = {"pid": process_id or os.getpid(), "started_at": 0}
    plugin.store.set_meta("daemon", json.dumps(daemon))


def as_data_plane(plugin: Plugin, act: Callable[[], None]) -> threading.Thread:
    """Do ``act`` as soon as the service is in the store."""

    def watch() -> None:
        while plugin.store.get(KEY) is None:
            pass
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def gone_process() -> int:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return child


def test_without_a_data_plane_a_create_fails_at_once_and_leaves_nothing(google: Plugin) -> None:
    for daemon in (None, gone_process()):
        if daemon:
            running(google, daemon)
        with pytest.raises(CloudError) as caught:
            google.create(SERVICE, "svc", INPUTS)
        assert (caught.value.code, str(caught.value)) == (Code.UNAVAILABLE, NOT_RUNNING)
    assert google.store.all() == []


def test_a_killed_data_plane_whose_parent_has_not_looked_yet_does_not_run(google: Plugin) -> None:
    killed = subprocess.Popen(["sleep", "600"])
    running(google, killed.pid)
    killed.kill()
    os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(CloudError, match=NOT_RUNNING):
        google.create(SERVICE, "svc", INPUTS)
    killed.wait()


def test_a_create_is_done_when_the_data_plane_serves_that_generation(google: Plugin) -> None:
    running(google)
    thread = as_data_plane(google, lambda: google.store.set_status(str(KEY), Status(1, ready=True)))
    made = google.create(SERVICE, "svc", INPUTS)
    thread.join()
    google.store.set_status(str(KEY), Status(2, ready=False, message="container exited: 3"))
    with pytest.raises(
        InitFailed, match=r"Revision 'chat-00002-\w+' is not ready .* container exited: 3"
    ):
        google.update(made, {**INPUTS, "description": "new"})


def test_what_the_data_plane_says_is_said_as_google_says_it(google: Plugin) -> None:
    running(google)
    text = "The user-provided container failed to start and listen on the port defined provided by the PORT=8080 environment variable within the allocated timeout."
    failed = Status(1, ready=False, message=text)
    thread = as_data_plane(google, lambda: google.store.set_status(str(KEY), failed))
    with pytest.raises(InitFailed) as caught:
        google.create(SERVICE, "svc", INPUTS)
    thread.join()
    (reason,) = caught.value.reasons
    assert reason.startswith("Error waiting to create Service: Error code 9, message: Revision")
    assert reason.endswith(text)
    assert google.store.get(KEY)


def test_a_start_slower_than_the_programs_timeout_is_a_timeout(google: Plugin) -> None:
    running(google)
    with pytest.raises(InitFailed, match=r"timeout while waiting for state .* timeout: 0.1s"):
        google.create(SERVICE, "svc", INPUTS, timeout_seconds=0.1)


def test_a_data_plane_that_stops_ends_the_wait(google: Plugin) -> None:
    running(google)
    stopped = gone_process()
    thread = as_data_plane(google, lambda: running(google, stopped))
    with pytest.raises(InitFailed, match="data plane is not running; run `portway sandbox start`"):
        google.create(SERVICE, "svc", INPUTS)
    thread.join()


def test_the_engines_cancel_ends_the_wait(google: Plugin) -> None:
    running(google)
    thread = as_data_plane(google, google.cloud.cancelled.set)
    with pytest.raises(InitFailed, match="was cancelled"):
        google.create(SERVICE, "svc", INPUTS)
    thread.join()


def test_a_lambda_function_waits_too(tmp_path: Path) -> None:
    amazon = Plugin(tmp_path, "aws", {"region": "eu-west-1"})
    amazon.store.set_meta("dataplane", "on")
    running(amazon)
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
    amazon.create("iam/role:Role", "r", {"name": "r", "assumeRolePolicy": trust})
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.py", "")
    code = {wire.SIGNATURE: wire.ARCHIVE, "hash": "1", "path": str(tmp_path / "a.zip")}
    role = "arn:aws:iam::111122223333:role/r"
    inputs = {"name": "f", "role": role, "runtime": "python3.13", "handler": "a.b", "code": code}
    with pytest.raises(InitFailed, match=r"waiting for Lambda Function \(f\) create: timeout"):
        amazon.create("lambda/function:Function", "f", inputs, timeout_seconds=0.1)
