"""A sandbox of its own for a test: the real daemon process, stopped with everything it started."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from portway.sandbox.layout import Layout
from support.sandbox_rows import Cloud
from support.waiting import eventually, until

QUICK = {
    "PORTWAY_SANDBOX_COLD_START_SECONDS": "0.05",
    "PORTWAY_SANDBOX_MODEL_LOAD_SECONDS": "0.05",
    "PORTWAY_SANDBOX_TOKEN_DELAY_SECONDS": "0.01",
}


class Sandbox:
    """A running daemon and its store."""

    def __init__(self, root: Path, settings: Mapping[str, str]) -> None:
        self.layout = Layout(root)
        self.layout.create()
        self.cloud = Cloud(self.layout)
        self._settings = {**QUICK, **settings}
        self.daemon = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        """Start a daemon and wait until it serves."""
        self.cloud.store.set_meta("daemon", "")
        log = (self.layout.logs / "daemon.log").open("ab")
        with log:
            self.daemon = subprocess.Popen(
                [sys.executable, "-m", "portway.sandbox.daemon", str(self.layout.root)],
                env={**os.environ, **self._settings}, stdout=log, stderr=log,
            )  # fmt: skip
        until(self._has_begun, f"the daemon; it said:\n{self.log()}")
        return self.daemon

    def _has_begun(self) -> bool:
        assert self.daemon.poll() is None, self.log()
        return bool(self.cloud.store.meta("daemon"))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the daemon by signal; returns its exit code."""
        self.daemon.send_signal(number)
        return self.daemon.wait(30)

    def log(self) -> str:
        return (self.layout.logs / "daemon.log").read_text()

    def processes(self) -> list[psutil.Process]:
        """Every process whose working folder or command line is in this sandbox."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            try:
                words = [*process.cmdline(), process.cwd()]
            except psutil.Error:
                continue
            if any(str(self.layout.root) in word for word in words):
                found.append(process)
        return found


@contextmanager
def sandbox(root: Path, **settings: str) -> Generator[Sandbox]:
    """A sandbox in ``root`` with settings by their short names, such as ``idle_seconds="1"``."""
    given = {f"PORTWAY_SANDBOX_{name.upper()}": value for name, value in settings.items()}
    running = Sandbox(root / ".portway", given)
    try:
        yield running
    finally:
        if running.daemon.poll() is None:
            running.stop()
        assert gone(running), [p.cmdline() for p in running.processes()]


def gone(running: Sandbox, seconds: float = 10) -> bool:
    """Whether every process of the sandbox ends within ``seconds``."""
    return eventually(lambda: not running.processes(), seconds)
