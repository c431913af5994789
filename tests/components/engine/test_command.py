"""The engine's command: it ends when it is told to, and takes along what it started."""

import os
from pathlib import Path

import psutil
import pytest

from portway.engine.command import ClosedCommand, OutOfTime
from portway.engine.engine import Engine, Origin
from portway.engine.version import MINIMUM
from support.waiting import until

LONG = "sleep 600"


def command(tmp_path: Path, script: str, deadline_seconds: float | None = None) -> ClosedCommand:
    engine = tmp_path / "pulumi"
    engine.write_text(f"#!/bin/sh\n{script}\n")
    engine.chmod(0o700)
    environment = {"PATH": os.environ["PATH"]}
    return ClosedCommand(Engine(engine, MINIMUM, Origin.PATH), environment, deadline_seconds)


def test_an_engine_in_time_says_what_it_said(tmp_path: Path) -> None:
    done = command(tmp_path, "echo $2; echo no >&2; exit 3", 30).call(["preview"], tmp_path, {})
    assert (done.stdout, done.stderr, done.code) == ("preview", "no", 3)


def test_an_engine_that_never_ends_is_stopped_with_everything_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    # A session of its own and deaf to being asked, as a program in an endless loop is.
    script = (
        f"setsid sh -c 'trap \"\" INT TERM; echo $$ >> {pids}; {LONG}' & echo $$ >> {pids}; wait"
    )
    with pytest.raises(OutOfTime) as late:
        command(tmp_path, script, 1.0).call(["preview", "--stack", "dev"], tmp_path, {})
    assert str(late.value) == (
        "`pulumi preview` did not end within 1 s and was stopped; "
        "look for what the program waits for, or allow it more time"
    )
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) == 2
    until(lambda: not any(map(alive, started)), "what it started to end", 5)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
