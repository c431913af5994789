"""The daemon of a sandbox among the processes of this machine: found, ended."""

import os
import time
from collections.abc import Callable

import psutil

from portway.sandbox.dataplane.processes import sweep
from portway.sandbox.layout import Layout

DAEMON = "portway.sandbox.daemon"
GUARDIAN = "portway.sandbox.dataplane.guardian"
STOP_SECONDS = 20.0
POLL_SECONDS = 0.05


def find_daemon(layout: Layout) -> psutil.Process | None:
    """The daemon of this sandbox, when it runs."""
    return next(iter(_find(layout, DAEMON)), None)


def end_daemons(layout: Layout) -> int:
    """End the daemon and everything that it started; returns how many daemons there were."""
    daemons = _find(layout, DAEMON)
    for daemon in daemons:
        _quietly(daemon.terminate)
    for daemon in _still_running(daemons):
        _quietly(daemon.kill)
    for guardian in _still_running(_find(layout, GUARDIAN)):
        _quietly(guardian.kill)
    sweep(layout.run)
    return len(daemons)


def memory_bytes(pid: int) -> int:
    """Resident memory of a process; 0 once it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _find(layout: Layout, module: str) -> list[psutil.Process]:
    """Processes that run ``module`` for this sandbox; never this process."""
    places = (str(layout.root), str(layout.run))
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if module in words and words[-1] in places and process.pid != os.getpid():
            found.append(process)
    return found


def _still_running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended after a while; what only waits for its parent to look has ended."""
    deadline = time.monotonic() + STOP_SECONDS
    while (alive := [each for each in processes if _runs(each)]) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    psutil.wait_procs(processes, timeout=0)
    return alive


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _quietly(act: Callable[[], object]) -> None:
    try:
        act()
    except psutil.Error:
        return
