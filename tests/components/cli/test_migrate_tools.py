"""The engine as a migration sees it: what is left is settled by looking, or left to a person."""

import os
import socket
import subprocess
import sys

import pytest

from portway.cli.stack_place import StackPlace, place_of
from portway.engine.recover import Unresolved
from portway.portability.engine_cloud import EngineCloud
from portway.spec.project import find_project
from support.file_backend import STACK, URN, Backend, operation


def cloud() -> EngineCloud:
    project = find_project()

    def place(stack: str) -> StackPlace:
        return place_of(project, stack)

    return EngineCloud(project, place)


def ended_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_a_stack_at_rest_is_left_alone(backend: Backend) -> None:
    backend.write()
    assert cloud().unfinished(STACK) == ()
    assert cloud().bring_to_rest(STACK) == ()
    assert not cloud().exists(STACK)
    assert cloud().end(STACK) is None
    assert (set(backend.calls), backend.backups) == ({"stack export"}, [])


def test_a_stack_that_was_never_brought_up_has_nothing_to_settle(backend: Backend) -> None:
    assert cloud().unfinished("chat.prod.other") == ()
    assert cloud().bring_to_rest("chat.prod.other") == ()
    assert not cloud().exists("chat.prod.other")


def test_what_a_killed_engine_left_is_settled_and_saved_first(backend: Backend) -> None:
    backend.write(operation("updating"))
    lock = backend.lock(ended_process(), socket.gethostname())
    (first, second) = cloud().unfinished(STACK)
    assert "A lock of process" in first
    assert f"It was interrupted while updating gcp:storage/bucket:Bucket ({URN})" in second
    done = cloud().bring_to_rest(STACK)
    assert done[0].endswith("that process is gone. The lock is removed.")
    assert not lock.exists()
    assert backend.latest["pending_operations"] == []
    assert len(backend.backups) == 1


def test_what_cannot_be_looked_up_is_left_to_a_person(backend: Backend) -> None:
    with pytest.raises(Unresolved, match=rf"`portway recover {STACK}` tells how; then --resume"):
        cloud().bring_to_rest(STACK)
    assert backend.latest["pending_operations"] == [operation()]


def test_an_operation_that_runs_is_seen_before_anything_is_done(backend: Backend) -> None:
    backend.write()
    backend.lock(os.getpid(), "elsewhere")
    (said,) = cloud().unfinished(STACK)
    assert "on elsewhere" in said
    with pytest.raises(Unresolved, match="only you can say what became of"):
        cloud().bring_to_rest(STACK)
