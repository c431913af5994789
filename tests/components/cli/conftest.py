import os
from pathlib import Path

import pytest

from support import fake_pulumi
from support.command_line import CommandLine
from support.desk import Desk
from support.file_backend import Backend, operation


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


@pytest.fixture
def portway(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capsys)


@pytest.fixture
def backend(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    desk.stack()
    made = Backend(tmp_path / "state of all")
    made.write(operation())
    tools = fake_pulumi.install(tmp_path / "tools")
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{made.folder}")
    monkeypatch.setenv("NO_COLOR", "1")
    return made
