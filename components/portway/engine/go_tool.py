"""The ``go`` command: found, and run over a folder of pinned modules with its progress told."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from portway.engine.progress import Phase, Progress, phase
from portway.errors import Missing

_TAIL_LINES = 12


def find_go() -> Path | None:
    """The ``go`` command on PATH."""
    go = shutil.which("go")
    return None if go is None else Path(go)


def go_or_missing(what_for: str) -> Path:
    """The ``go`` command on PATH.

    Raises:
        Missing: there is none; ``what_for`` ends the sentence "there is no Go on PATH to …".
    """
    go = find_go()
    if go is None:
        raise Missing(
            f"there is no Go on PATH to {what_for} with; install Go 1.26 or newer (https://go.dev/dl/)"
        )
    return go


def compile_modules(
    words: Sequence[str], source: Path, log: Path, progress: Progress, *, what: str, took: str,
    needed_gib: int,
) -> None:  # fmt: skip
    """Run ``words`` (``go build …``) in ``source``; everything it says goes to ``log``.

    Go's own module and build caches make a killed build go on where it stopped. Modules come only
    through the proxy settings of this machine, and only as go.sum says.

    Args:
        words: the command; ``-v`` in it is what progress is counted by.
        source: a folder with go.mod and go.sum, which are not changed.
        log: made anew.
        progress: told every second.
        what: what is built, as in "building the engine failed".
        took: added to the progress text: what is built, and how long that usually takes.
        needed_gib: free disk below which a failure is probably for want of space.

    Raises:
        Missing: it failed; names ``log`` and shows the end of it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as written, phase(took, progress) as current:
        code = _run(words, source, written.fileno(), log, current)
    if code != 0:
        raise Missing(_failure(code, log, what, needed_gib))


def _run(words: Sequence[str], source: Path, output: int, log: Path, current: Phase) -> int:
    environment = {
        **os.environ,
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
    child = subprocess.Popen(
        words,
        cwd=source,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    try:
        while True:
            try:
                return child.wait(timeout=1)
            except subprocess.TimeoutExpired:
                current.detail = _doing(log)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def _doing(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    fetched = sum(line.startswith("go: downloading") for line in lines)
    compiled = len(lines) - fetched
    return f"{compiled} packages compiled" if compiled else f"{fetched} modules fetched"


def _failure(code: int, log: Path, what: str, needed_gib: int) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line for line in lines if not line.startswith("go: downloading")][-_TAIL_LINES:]
    free_gib = shutil.disk_usage(log.parent).free / 2**30
    space = (
        f"\nOnly {free_gib:.1f} GiB are free; a first build needs about {needed_gib} GiB."
        if free_gib < needed_gib
        else ""
    )
    return (
        f"building {what} failed: go ended with {code}. Its whole output is in {log}; the end:\n"
        + "\n".join(f"  {line}" for line in said)
        + space
    )
