"""``portway demo`` killed in the middle and started again: it ends as if nothing had happened."""

import json
import os
import random
import signal
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.layout import Layout
from portway.sandbox.store import Store
from portway.sandbox.unfinished import stack_files, strays, unsettled
from support.killing import Started, made_more_than_once, processes_of
from support.sandbox_project import PORTWAY, STACKS, copy_project, portway
from support.waiting import until

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("killed"), pytest.mark.long]

SEED = 20
# What the tour says right before the kill, the signal, and whether a whole terminal's group gets it.
# The first one leaves the tour's engine running, and the next tour starts beside it.
MOMENTS = (
    ("chat.prod.cloud-run: pulumi up", signal.SIGKILL, False),
    ("chat.prod.kubernetes: pulumi up", signal.SIGINT, True),
)


@pytest.fixture
def project(tmp_path: Path) -> Generator[Path]:
    folder = copy_project(tmp_path / "project")
    yield folder
    portway(folder, "sandbox", "stop")


def tour(project: Path) -> Started:
    return Started(
        [str(PORTWAY), "demo", "--kubernetes", "embedded"], project, {**os.environ, "NO_COLOR": "1"}
    )


@pytest.mark.timeout(600)
def test_a_tour_killed_again_and_again_still_answers_three_times_and_refuses_twice(
    project: Path,
) -> None:
    wait_seconds = random.Random(SEED)
    for moment, number, group in MOMENTS:
        killed = tour(project)
        killed.until(lambda said=killed.said, moment=moment: moment in said(), moment)
        time.sleep(wait_seconds.uniform(0.0, 2.0))
        assert killed.kill(number, group=group) != 0
        assert "Traceback" not in killed.said()

    done = portway(project, "demo", "--kubernetes", "embedded", "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert sorted(stop["stack"] for stop in document["answered"]) == sorted(STACKS)
    assert [report["verdict"] for report in document["refused"]] == ["refused", "refused"]

    layout = Layout.of_project(project)
    store = Store(layout.store)
    assert made_more_than_once(store) == set()
    assert strays(store.all(), stack_files(layout.state)) == []
    assert unsettled(layout, store) == {}

    assert portway(project, "sandbox", "stop").returncode == 0
    until(lambda: not processes_of(project), "every process to end")
