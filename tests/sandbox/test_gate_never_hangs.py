"""A program that never ends cannot hold up the gate, and leaves nothing running."""

from pathlib import Path

import psutil
import pytest

from portway.gate.run import Verdict, run_gate, subjects_of
from support.gate_workshop import policies, program, workshop
from support.waiting import until

pytestmark = pytest.mark.sandbox


def test_a_program_that_never_ends_is_stopped_and_was_not_judged(tmp_path: Path) -> None:
    folder = program(
        tmp_path / "endless",
        f"""\
        import os, pathlib, time
        pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
        while True:
            time.sleep(0.1)
        """,
    )
    with workshop() as going:
        (report,) = run_gate(subjects_of(folder), policies(), going, deadline_seconds=15)
    assert report.verdict is Verdict.FAILED
    assert report.faults == (
        "`pulumi preview` did not end within 15 s and was stopped; look for what the program waits "
        "for, or allow it more time with --timeout",
    )
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not psutil.pid_exists(pid), "the program to end", 10)


def test_a_program_with_a_provider_that_has_no_stand_in_says_what_to_do(tmp_path: Path) -> None:
    folder = program(
        tmp_path / "strange",
        """\
        from pulumi import CustomResource
        CustomResource("docker:index/image:Image", "image", {})
        """,
    )
    with workshop() as going:
        (report,) = run_gate(subjects_of(folder), policies(), going)
    assert report.verdict is Verdict.FAILED
    assert report.faults[0].startswith(
        "the program uses the provider docker, for which there is no"
    )
