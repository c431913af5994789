"""What every simulated platform is given."""

import asyncio
import logging
import socket
import uuid
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portway.sandbox.dataplane.front import LOOPBACK
from portway.sandbox.dataplane.processes import Processes
from portway.sandbox.dataplane.settings import Settings
from portway.sandbox.dataplane.world import fingerprint
from portway.sandbox.layout import Layout
from portway.sandbox.store import Row, Status, Store

log = logging.getLogger(__name__)


@dataclass
class Context:
    """The store, the folders, the clock and the children of one daemon."""

    store: Store
    layout: Layout
    settings: Settings
    processes: Processes
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def port(self, owner: str) -> int:
        """The port that the store keeps for ``owner``."""
        return self.store.port(owner)

    def folder(self, name: str) -> Path:
        """A fresh folder for one instance."""
        folder = self.layout.run / f"{safe(name)}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True, mode=0o700)
        return folder

    def log_file(self, name: str) -> Path:
        """Where processes of ``name`` write."""
        return self.layout.logs / f"{safe(name)}.log"

    def report(
        self, row: Row, *, ready: bool, message: str = "", detail: Mapping[str, Any] | None = None
    ) -> None:
        """Say how ``row`` is, unless it has been changed or deleted meanwhile."""
        current = self.store.get(row.key)
        if current is None or fingerprint(current) != fingerprint(row):
            return
        status = Status(row.generation, ready, message, dict(detail or {}))
        if self.store.status(str(row.key)) != status:
            self.store.set_status(str(row.key), status)
            log.info("%s: %s %s", row.key, "ready" if ready else "not ready", message)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work`` beside everything else; what it raises is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def settle(self, seconds: float) -> None:
        """Let what still runs beside end, and cancel what has not after ``seconds``."""
        if not self._tasks:
            return
        _, left = await asyncio.wait(self._tasks, timeout=seconds)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the data plane failed", exc_info=error)


class Signal:
    """Wakes everybody who waits, each time it fires."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def fire(self) -> None:
        """Wake those who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout_seconds: float | None = None) -> None:
        """Return when it fires, or after ``timeout_seconds``."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        except TimeoutError:
            return


def safe(name: str) -> str:
    """``name`` as a file name."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)[-80:].lstrip(".-")


# Ports handed out lately: a process takes a moment until it listens on the one it was given.
_given: deque[int] = deque(maxlen=1000)


def free_port() -> int:
    """A loopback port that nobody listens on and that was not handed out lately."""
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in _given:
            _given.append(port)
            return port


async def until(condition: Callable[[], bool], signal: Signal, timeout_seconds: float) -> bool:
    """Wait until ``condition`` holds, looking again whenever ``signal`` fires; False if it never did."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    while not condition():
        left = deadline - loop.time()
        if left <= 0:
            return False
        await signal.wait(left)
    return True
