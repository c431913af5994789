"""Building the engine from its public Go modules, pinned by ``go/go.mod`` and ``go/go.sum``."""

import os
import shutil
import subprocess
from pathlib import Path

from portway.engine.progress import Phase, Progress, phase
from portway.engine.version import BUILT
from portway.errors import Missing

_MODULES = Path(__file__).parent / "go"
_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
# Without the stamp `pulumi version` prints nothing and the Automation API refuses the engine.
_STAMP = f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{BUILT}"
_FLAGS = ("-v", "-trimpath", "-tags", "osusergo,grpcnotrace", "-ldflags", f"-s -w {_STAMP}")
_NEEDED_GIB = 4
_TAIL_LINES = 12

RECIPE = " ".join((*_FLAGS, _PACKAGE))
"""What is built and how; a changed recipe is a new place in the cache."""


def find_go() -> Path | None:
    """The ``go`` command on PATH."""
    go = shutil.which("go")
    return None if go is None else Path(go)


def build(into: Path, log: Path, progress: Progress) -> None:
    """Build ``into/bin/pulumi``: 3 to 7 minutes on 2 cores from nothing, seconds when cached.

    Go's own module and build caches make a killed build go on where it stopped.

    Raises:
        Missing: there is no Go, or the build failed; names ``log``, which has all of its output.
    """
    go = find_go()
    if go is None:
        raise Missing("there is no Go on PATH to build the engine with; install Go 1.26 or newer")
    source = into / "src"
    shutil.copytree(_MODULES, source)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(go), "build", *_FLAGS, "-o", f"{into / 'bin'}{os.sep}", _PACKAGE]
    text = f"building pulumi {BUILT} from its Go modules (3 to 7 minutes on 2 cores)"
    with log.open("w", encoding="utf-8") as written, phase(text, progress) as current:
        code = _run(command, source, written.fileno(), log, current)
    if code != 0:
        raise Missing(_failure(code, log))
    shutil.rmtree(source)


def _run(command: list[str], source: Path, output: int, log: Path, current: Phase) -> int:
    environment = {
        **os.environ,
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
    child = subprocess.Popen(
        command,
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


def _failure(code: int, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line for line in lines if not line.startswith("go: downloading")][-_TAIL_LINES:]
    free_gib = shutil.disk_usage(log.parent).free / 2**30
    space = (
        f"\nOnly {free_gib:.1f} GiB are free; a first build needs about {_NEEDED_GIB} GiB."
        if free_gib < _NEEDED_GIB
        else ""
    )
    return (
        f"building the engine failed: go ended with {code}. Its whole output is in {log}; the end:\n"
        + "\n".join(f"  {line}" for line in said)
        + space
    )
