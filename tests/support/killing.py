"""What the tests that kill things need: waiting for a moment, and looking at what is left."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from portway.sandbox.layout import Layout
from portway.sandbox.store import Store
from support import waiting


def _as_at_a_terminal() -> None:
    """A shell's background jobs, tests among them, ignore the interrupt and would pass that on."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Started:
    """A command of ours in a process group of its own, with what it says in a file."""

    def __init__(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        _as_at_a_terminal()
        self._said = folder / f"said-{time.monotonic_ns()}"
        with self._said.open("wb") as output:
            self.process = subprocess.Popen(
                words, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def said(self) -> str:
        return self._said.read_text(errors="replace")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for ``condition``; the command must not end before."""

        def met() -> bool:
            if condition():
                return True
            assert self.process.poll() is None, f"ended before {what}:\n{self.said()}"
            return False

        waiting.until(met, f"{what}; it said:\n{self.said()}")

    def kill(self, number: signal.Signals, *, group: bool) -> int:
        """Send the signal to the process or to its whole group, and wait until the process has ended."""
        (os.killpg if group else os.kill)(self.process.pid, number)
        return self.process.wait(waiting.PATIENCE_SECONDS)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every running process that has to do with the sandbox of the project in ``folder``."""
    root = str(Layout.of_project(folder).root)
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            words = [
                *process.cmdline(),
                process.cwd(),
                process.environ().get("PORTWAY_SANDBOX", ""),
            ]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(root in word for word in words):
            found.append(process)
    return found


def made_more_than_once(store: Store) -> set[str]:
    """URNs of which, at some moment, the clouds had more than one copy."""
    alive: Counter[str] = Counter()
    owners: dict[tuple[str, ...], str] = {}
    twice: set[str] = set()
    for event in store.events():
        key = tuple(event[name] for name in ("cloud", "scope", "type", "id"))
        if event["operation"] == "create":
            owners[key] = event["urn"]
            alive[event["urn"]] += 1
            twice |= {event["urn"]} if alive[event["urn"]] > 1 else set()
        elif event["operation"] == "delete":
            alive[owners[key]] -= 1
    return twice
