"""Starting, stopping and looking at the sandbox of a project."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from portway.engine.progress import Progress, silent
from portway.errors import Missing
from portway.sandbox.controlplane.cluster import RealCluster
from portway.sandbox.daemons import DAEMON, end_daemons, find_daemon, memory_bytes
from portway.sandbox.dataplane.processes import recorded
from portway.sandbox.dataplane.settings import Settings
from portway.sandbox.layout import Layout
from portway.sandbox.plugins import install_plugins
from portway.sandbox.store import Store
from portway.sandbox.unfinished import unsettled
from portway.sandbox.which_kubernetes import (
    Kubernetes,
    Used,
    check_choice,
    needs_a_new_daemon,
    prepare,
    used,
)

DAEMON_LOG = "daemon"
START_LOCK = "start.lock"
START_SECONDS = 30.0
POLL_SECONDS = 0.05
FOLLOW_SECONDS = 0.3

Say = Callable[[str], object]


@dataclass(frozen=True)
class Serving:
    """Something that is deployed and served.

    Attributes:
        resource: what it is, for people.
        endpoint: its address; "" for what has none of its own.
        instances: how many run now.
        ready: whether its newest generation is; None while that is not decided.
        message: why it is not.
    """

    resource: str
    endpoint: str
    instances: int
    ready: bool | None
    message: str


@dataclass(frozen=True)
class SandboxStatus:
    """How the sandbox of a project is.

    Attributes:
        pid: of the daemon; None when it does not run.
        resources: how many are deployed, by cloud.
        processes: running children of the daemon and of a real Kubernetes, and their resident memory
            in MB together.
        kubernetes: which Kubernetes it has, and why.
        unsettled: for each stack that is not at rest, what happened and what to do.
    """

    root: Path
    pid: int | None
    started_at: float | None
    resources: dict[str, int]
    serving: tuple[Serving, ...]
    processes: int
    memory_mb: int
    unsettled: dict[str, list[str]]
    kubernetes: Used


def start(
    project: Path,
    say: Say = print,
    kubernetes: Kubernetes | None = None,
    progress: Progress = silent,
) -> bool:
    """Make the sandbox of ``project`` and start its daemon; False when it was running already.

    Args:
        project: a folder with a Pulumi.yaml.
        say: told what is begun.
        kubernetes: which Kubernetes it is to have; None keeps the one it has.
        progress: told how far a real Kubernetes is.

    Raises:
        BadInput: a ``PORTWAY_SANDBOX_…`` setting in the environment cannot be used, or something is
            deployed in the Kubernetes that would be left.
        Missing: no provider SDK is installed, or the daemon or the control plane does not start; says
            why.
    """
    Settings.from_environment()
    layout = Layout.of_project(project)
    layout.create()
    store = Store(layout.store)
    check_choice(layout, store, kubernetes)
    with FileLock(layout.run / START_LOCK):
        if needs_a_new_daemon(layout, kubernetes):
            end_daemons(layout)
        made = prepare(layout, kubernetes, progress)
        return _start(layout, store, say) or made


def _start(layout: Layout, store: Store, say: Say) -> bool:
    install_plugins(layout.home, Path(sys.executable))
    if _is_up(layout, store):
        return False
    store.set_meta("daemon", "")
    say(f"starting the embedded clouds in {layout.root}")
    with _log_file(layout, DAEMON_LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", DAEMON, str(layout.root)],
            cwd=layout.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    _wait_until_up(layout, store, process)
    # The daemon is on its own now: an object that is dropped would warn that nobody waits for it.
    process.returncode = 0
    return True


def stop(project: Path) -> int:
    """End the daemon and everything it started; returns how many processes were ended."""
    layout = Layout.of_project(project)
    children = recorded(layout.run)
    daemons = end_daemons(layout)
    parts = RealCluster(layout).stop()
    if layout.store.is_file():
        # everything has ended, even where a damaged store or a full disk cannot be told so
        with contextlib.suppress(Missing):
            Store(layout.store).set_meta("daemon", "")
    return daemons + len(children) + len(parts)


def status(project: Path) -> SandboxStatus:
    """What is deployed in the sandbox of ``project``, and what of it is served.

    Raises:
        Missing: there is no sandbox yet.
    """
    layout = Layout.of_project(project)
    if not layout.store.is_file():
        raise Missing(f"there is no sandbox in {layout.root}; run `portway sandbox start`")
    store = Store(layout.store)
    daemon = find_daemon(layout)
    resources: dict[str, int] = {}
    for row in store.all():
        resources[row.key.cloud] = resources.get(row.key.cloud, 0) + 1
    parts = RealCluster(layout).running().values()
    children = [*recorded(layout.run), *(part.pid for part in parts)]
    return SandboxStatus(
        root=layout.root,
        pid=daemon.pid if daemon else None,
        started_at=daemon.create_time() if daemon else None,
        resources=resources,
        serving=_serving(store) if daemon else (),
        processes=len(children),
        memory_mb=round(sum(map(memory_bytes, children)) / 1e6),
        unsettled=unsettled(layout, store),
        kubernetes=used(layout),
    )


def environment(project: Path) -> dict[str, str]:
    """The whole environment in which plain ``pulumi`` uses the sandbox of ``project`` and nothing else.

    Raises:
        Missing: there is no engine yet.
        BadInput: the project cannot be read.
    """
    from portway.engine.environment import engine_environment  # noqa: PLC0415 - needs Pulumi
    from portway.engine.find import find_engine  # noqa: PLC0415 - as above
    from portway.engine.home import create_home  # noqa: PLC0415 - as above
    from portway.engine.mirror import mirror  # noqa: PLC0415 - as above

    layout = Layout.of_project(project)
    layout.create()
    engine = find_engine()
    create_home(layout.home, engine)
    shown = mirror(project, layout.root / "mirror")
    return engine_environment(layout, engine, project=shown)


def log_names(project: Path) -> list[str]:
    """The logs there are, the daemon's first."""
    folder = Layout.of_project(project).logs
    names = sorted(path.stem for path in folder.glob("*.log")) if folder.is_dir() else []
    return sorted(names, key=lambda name: name != DAEMON_LOG)


def last_lines(project: Path, name: str, count: int) -> list[str]:
    """The newest ``count`` lines of the log ``name``.

    Raises:
        Missing: there is no such log; names those there are.
    """
    path = _log_file(Layout.of_project(project), name)
    if name not in log_names(project):
        known = ", ".join(log_names(project)) or "none"
        raise Missing(f"there is no log {name!r}; there are: {known}")
    lines = path.read_text("utf-8", "replace").splitlines()
    return lines[-count:] if count else []


def follow(project: Path, names: list[str]) -> Generator[tuple[str, str]]:
    """Lines that are added to the logs ``names`` from now on, until the caller stops: name and line."""
    layout = Layout.of_project(project)
    at = {name: _log_file(layout, name).stat().st_size for name in names}
    while True:
        for name in names:
            with _log_file(layout, name).open("r", encoding="utf-8", errors="replace") as file:
                file.seek(at[name])
                whole, newline, _ = file.read().rpartition("\n")
            if newline:
                at[name] += len(f"{whole}\n".encode())
                yield from ((name, line) for line in whole.split("\n"))
        time.sleep(FOLLOW_SECONDS)


def _is_up(layout: Layout, store: Store) -> bool:
    """Whether a daemon serves; one that is just starting or ending is waited for."""
    deadline = time.monotonic() + START_SECONDS
    while find_daemon(layout) is not None and time.monotonic() < deadline:
        if store.meta("daemon"):
            return True
        time.sleep(POLL_SECONDS)
    return False


def _wait_until_up(layout: Layout, store: Store, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if store.meta("daemon"):
            return
        if process.poll() == 0:
            raise Missing("the sandbox was stopped while it was starting; start it again")
        if process.poll() is not None:
            break
        time.sleep(POLL_SECONDS)
    lines = _log_file(layout, DAEMON_LOG).read_text("utf-8", "replace").splitlines()[-5:]
    said = "\n  ".join(lines) or "it said nothing"
    raise Missing(f"the sandbox's daemon did not start; the end of its log:\n  {said}")


def _serving(store: Store) -> tuple[Serving, ...]:
    described: list[dict[str, Any]] = json.loads(store.meta("serving") or "[]")
    found: list[Serving] = []
    for each in described:
        known = store.status(each["owner"])
        found.append(
            Serving(
                each["resource"], each["endpoint"], each["instances"],
                known.ready if known else each.get("ready"),
                known.message if known else str(each.get("message") or ""),
            )
        )  # fmt: skip
    return tuple(found)


def _log_file(layout: Layout, name: str) -> Path:
    return layout.logs / f"{Path(name).name}.log"
