"""Small Pulumi projects for the real engine, each in a folder of its own with its own closed home."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

import psutil

from portway.engine.engine import Engine
from portway.engine.environment import engine_environment
from portway.engine.find import ensure_engine
from portway.engine.home import create_home, plugin_dir
from portway.engine.mirror import mirror
from portway.engine.stack import Stack

_PATIENCE_SECONDS = 60.0
_PROVIDER = Path(__file__).parent / "blocking_provider.py"


@cache
def the_engine() -> Engine:
    """The engine of this machine, got once a test run."""
    return ensure_engine()


@dataclass(frozen=True)
class Project:
    """A project folder with a sandbox beside it."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / ".portway"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def tracked_stack_file(self) -> Path:
        return self.folder / "stacks" / "Pulumi.dev.yaml"

    @classmethod
    def create(cls, folder: Path, program: str) -> "Project":
        """A project named ``p`` with ``program`` and a configured stack ``dev``."""
        (folder / "stacks").mkdir(parents=True)
        (folder / "Pulumi.yaml").write_text(
            f"name: p\nruntime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\n"
            "stackConfigDir: stacks\n"
        )
        project = cls(folder)
        project.tracked_stack_file.write_text("config:\n  p:greeting: hello\n")
        project.write(program)
        project.state.mkdir(parents=True)
        create_home(project.home, the_engine())
        return project

    def write(self, program: str) -> None:
        (self.folder / "__main__.py").write_text(program)

    def pack(self, name: str, text: str) -> Path:
        """A policy pack beside the project."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "PulumiPolicy.yaml").write_text(
            f"runtime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\nversion: 1.2.3\n"
        )
        (folder / "__main__.py").write_text(text)
        return folder

    def add_blocking_provider(self) -> Path:
        """Package ``slow``, whose creates wait while the returned file exists."""
        folder = plugin_dir(self.home, "slow", "1.0.0")
        folder.mkdir(parents=True)
        hold = self.folder / "hold"
        launcher = folder / "pulumi-resource-slow"
        launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -u {_PROVIDER} {hold} "$@"\n')
        launcher.chmod(0o755)
        hold.touch()
        return hold

    def environment(self) -> dict[str, str]:
        shown = mirror(self.folder, self.root / "project")
        return engine_environment(self, the_engine(), project=shown)

    def stack(self) -> Stack:
        shown = mirror(self.folder, self.root / "project")
        return Stack(shown, "dev", the_engine(), self.environment())

    def start(self, *words: str, output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """Start plain ``pulumi`` from elsewhere, as a user with this environment would."""
        return subprocess.Popen(
            [str(the_engine().path), *words],
            env=self.environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )


def kill_alone(engine: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """``kill -9`` the engine and nothing else; returns what it had started."""
    started = psutil.Process(engine.pid).children(recursive=True)
    os.kill(engine.pid, signal.SIGKILL)
    engine.wait()
    return started


def all_gone(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those of ``processes`` that still run after a while."""
    _, alive = psutil.wait_procs(processes, timeout=_PATIENCE_SECONDS)
    return alive
