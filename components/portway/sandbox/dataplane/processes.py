"""Child processes that never outlive the daemon.

Each child leads its own session, so that stopping it stops whatever it started, and is recorded as
one file in ``run/pids``. A guardian process holds one end of a pipe: when the daemon ends in any
way, also by SIGKILL, the guardian ends every recorded child. A daemon that starts sweeps first.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

# A process id is used again by the system; the same one with another start is another process.
SAME_START_SECONDS = 1.0


class Process:
    """A running child and its group."""

    def __init__(self, process: asyncio.subprocess.Process, record: Path) -> None:
        self._process = process
        self._record = record
        self.pid = process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Its exit code, once it has ended; what it left running is ended too."""
        code = await self._process.wait()
        _signal_group(self.pid, signal.SIGKILL)
        self._record.unlink(missing_ok=True)
        return code

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL after ``grace_seconds``."""
        if self.alive:
            _signal_group(self.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    await self._process.wait()
            self.kill()
        await self.wait()

    def kill(self) -> None:
        """SIGKILL the group now."""
        _signal_group(self.pid, signal.SIGKILL)

    def memory_bytes(self) -> int:
        """Resident memory of the process and its descendants; 0 once it has ended."""
        try:
            leader = psutil.Process(self.pid)
            family = [leader, *leader.children(recursive=True)]
            return sum(member.memory_info().rss for member in family)
        except psutil.Error:
            return 0


class Processes:
    """Starts children and remembers them in ``run/pids``."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._guardian: asyncio.subprocess.Process | None = None
        records(run).mkdir(parents=True, exist_ok=True, mode=0o700)

    async def guard(self) -> None:
        """Start the guardian.

        Raises:
            OSError: it cannot be started.
        """
        self._guardian = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "portway.sandbox.dataplane.guardian", str(self._run),
            stdin=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    async def release_guardian(self) -> None:
        """Let the guardian end, when no child is left."""
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.close()
            await self._guardian.wait()

    async def spawn(
        self, argv: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
    ) -> Process:
        """Start ``argv`` in ``folder`` with exactly ``environment``; its output is appended to ``log``.

        Raises:
            OSError: the program cannot be started.
        """
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *argv, cwd=folder, env=dict(environment), stdin=asyncio.subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        record = records(self._run) / str(process.pid)
        record.write_text(str(_started(process.pid)))
        return Process(process, record)


def records(run: Path) -> Path:
    """The folder with one file per running child, named by its process id."""
    return run / "pids"


def recorded(run: Path) -> list[int]:
    """The recorded children of ``run`` that are alive."""
    if not records(run).is_dir():
        return []
    found = [(int(file.name), file) for file in records(run).iterdir() if file.name.isdigit()]
    return [pid for pid, file in found if _is_same(pid, file)]


def sweep(run: Path) -> list[int]:
    """End every recorded child of ``run`` at once; returns the ids of those that were alive."""
    ended = recorded(run)
    for pid in ended:
        _signal_group(pid, signal.SIGKILL)
    if records(run).is_dir():
        for file in records(run).iterdir():
            file.unlink(missing_ok=True)
    return ended


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _started(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def _is_same(pid: int, record: Path) -> bool:
    try:
        return abs(_started(pid) - float(record.read_text())) < SAME_START_SECONDS
    except (OSError, ValueError):
        return False
