"""A copy of the example project with a sandbox of its own, driven by plain commands."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portway.sandbox.layout import Layout
from portway.sandbox.store import Store

ROOT = Path(__file__).resolve().parents[2]
PORTWAY = Path(sys.executable).parent / "portway"
STACKS = ("chat.prod.cloud-run", "chat.prod.kubernetes", "chat.prod.lambda-bedrock")
LONGEST_SECONDS = 240


@dataclass(frozen=True)
class SandboxProject:
    """The folder, and the environment that ``portway sandbox env`` prints for it."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def store(self) -> Store:
        return Store(Layout.of_project(self.folder).store)

    def pulumi(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run(("pulumi", "--non-interactive", *words), self.folder, self.environment)

    def outputs(self, stack: str) -> dict[str, Any]:
        done = self.pulumi("stack", "output", "--json", "--show-secrets", "--stack", stack)
        assert done.returncode == 0, done.stderr
        outputs: dict[str, Any] = json.loads(done.stdout)
        return outputs


def run(
    words: tuple[str, ...], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False,
        timeout=LONGEST_SECONDS, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def copy_project(into: Path) -> Path:
    """Everything that a user's checkout has and Pulumi reads; the virtual environment is shared."""
    into.mkdir(parents=True)
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, into / name)
    for name in ("stacks", "policies", "examples"):
        shutil.copytree(ROOT / name, into / name)
    (into / ".venv").symlink_to(Path(sys.prefix))
    return into


def portway(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run((str(PORTWAY), *words), folder, {**os.environ, "NO_COLOR": "1"})


def start(
    into: Path, more: Mapping[str, str] | None = None, options: tuple[str, ...] = ()
) -> SandboxProject:
    """A running sandbox for a fresh copy of the project, with ``more`` files by their paths in it."""
    folder = copy_project(into)
    for path, text in (more or {}).items():
        (folder / path).write_text(text)
    started = portway(folder, "sandbox", "start", *options)
    assert started.returncode == 0, started.stdout + started.stderr
    printed = portway(folder, "sandbox", "env", "--json")
    assert printed.returncode == 0, printed.stderr
    difference: Any = json.loads(printed.stdout)
    kept = {name: value for name, value in os.environ.items() if name not in difference["unset"]}
    environment: dict[str, str] = {**kept, **difference["set"]}
    return SandboxProject(folder, environment)


def stop(project: SandboxProject) -> None:
    stopped = portway(project.folder, "sandbox", "stop")
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
