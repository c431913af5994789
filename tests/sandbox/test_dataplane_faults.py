"""Starts that fail on purpose, in the data plane alone: what Cloud Run says, and who serves meanwhile."""

import time
from collections.abc import Generator
from typing import Any

import httpx
import pytest

from portway.sandbox.rehearsals import clear_rehearsals, set_rehearsal
from portway.sandbox.store import Status
from support.sandbox_daemon import Sandbox, sandbox
from support.sandbox_project import ROOT
from support.sandbox_rows import CloudRunChat, one_container
from support.waiting import until

pytestmark = pytest.mark.sandbox

APP = (ROOT / "tests" / "support" / "small_app.py").read_text()
PROBE = {
    "httpGet": {"path": "/environment", "port": 8080},
    "periodSeconds": 1,
    "failureThreshold": 9,
}
NOWHERE = "The request was aborted because there was no available instance."


@pytest.fixture
def quick(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sandbox]:
    with sandbox(
        tmp_path_factory.mktemp("faults"),
        idle_seconds="0.3", steady_probe_seconds="0.1", liveness_floor_seconds="1",
    ) as running:  # fmt: skip
        yield running


def deploy(
    running: Sandbox, concurrency: int, liveness: dict[str, Any] | None = None
) -> tuple[str, Status]:
    """The address, and how it went; another concurrency is another revision."""
    given = CloudRunChat(running.cloud)
    given.service = one_container(
        given.service, APP, liveness=liveness, maxInstanceRequestConcurrency=concurrency
    )
    given.service["template"]["containers"][0]["startupProbe"] = PROBE
    given.publish()
    key = given.deploy()
    return running.cloud.endpoint(key), running.cloud.wait(key)


def serving(address: str) -> int:
    """The process that answers."""
    return int(httpx.get(f"{address}/environment", timeout=20).json()["pid"])


def test_starts_that_fail_on_purpose_are_told_and_the_revision_before_serves_on(
    quick: Sandbox,
) -> None:
    address, first = deploy(quick, 1)
    assert first.ready
    assert serving(address)
    said: list[str] = []
    for number, name in enumerate(("image-missing", "probe-never-passes", "gpu-capacity")):
        set_rehearsal(quick.layout.rehearsed, name)
        _, status = deploy(quick, 2 + number)
        clear_rehearsals(quick.layout.rehearsed)
        assert not status.ready
        said.append(status.message.partition("cannot serve traffic. ")[2])
        assert serving(address)
    image, probe, capacity = said
    assert image.startswith("Image 'docker.io/library/python@sha256:")
    assert image.endswith("' not found.")
    assert probe.startswith(
        "The user-provided container failed the configured startup probe checks."
    )
    assert capacity == NOWHERE
    _, mended = deploy(quick, 9)
    assert mended.ready
    assert serving(address)


def test_a_service_at_zero_that_finds_no_gpu_answers_as_cloud_run_does(quick: Sandbox) -> None:
    address, _ = deploy(quick, 1)
    warm = serving(address)
    until(lambda: all(one.pid != warm for one in quick.processes()), "it to scale to zero", 30)
    set_rehearsal(quick.layout.rehearsed, "gpu-capacity")
    answer = httpx.get(f"{address}/environment", timeout=20)
    assert (answer.status_code, answer.text) == (500, NOWHERE)
    clear_rehearsals(quick.layout.rehearsed)
    assert serving(address)


def test_a_container_is_ended_when_it_fails_its_liveness_probe_for_long_not_for_a_moment(
    quick: Sandbox,
) -> None:
    liveness = {"httpGet": {"path": "/health"}, "periodSeconds": 1, "failureThreshold": 2}
    address, _ = deploy(quick, 8, liveness)

    def process(path: str = "environment") -> int:
        answer = httpx.get(f"{address}/{path}", timeout=20)
        return int(answer.json()["pid"]) if answer.status_code == 200 else 0

    first = process("sicken?seconds=0.5")
    kept = time.monotonic() + 2
    while time.monotonic() < kept:
        assert process() == first
        time.sleep(0.1)
    assert process("sicken?seconds=60") == first
    until(lambda: process() not in {0, first}, "another: it serves on, and is not alive", 15)
