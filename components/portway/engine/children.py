"""The processes a language host started: each in its own session, none of them left behind."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_GRACE_SECONDS = 2.0


class Child:
    """One running program or plugin, with the write end of its lifeline.

    The lifeline is a pipe that only the host holds open for writing: when the host dies, however
    it dies, the child reads the end of it and ends too.
    """

    def __init__(self, process: subprocess.Popen[bytes], lifeline: int) -> None:
        """Take over ``process`` and the file descriptor ``lifeline``."""
        self._process = process
        self._lifeline = lifeline
        self.cancelled = False

    @property
    def stdout(self) -> IO[bytes] | None:
        """Its output, when it was started with pipes."""
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes] | None:
        """Its messages, when it was started with pipes."""
        return self._process.stderr

    def wait(self) -> int:
        """Its exit code; negative is the signal that ended it."""
        code = self._process.wait()
        lifeline, self._lifeline = self._lifeline, -1
        if lifeline >= 0:
            os.close(lifeline)
        return code

    def kill(self) -> None:
        """End it and everything in its session at once, without a word on its output."""
        self.cancelled = True
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end; end it when it has not a moment later."""
        self.cancelled = True
        self._signal(signal.SIGTERM)
        timer = threading.Timer(_GRACE_SECONDS, self._signal, (signal.SIGKILL,))
        timer.daemon = True
        timer.start()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return


class Children:
    """Every child of this host."""

    def __init__(self) -> None:
        """None yet."""
        self._all: set[Child] = set()
        self._lock = threading.Lock()

    def start(
        self, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], piped: bool
    ) -> Child:
        """Start ``command`` with ``--lifeline FD`` put after its third word (python -u script verb).

        ``piped`` gives it pipes for output; otherwise it writes to this process's own output.
        """
        reading, writing = os.pipe()
        output = subprocess.PIPE if piped else None
        words = [*command[:4], "--lifeline", str(reading), *command[4:]]
        try:
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(reading,),
                start_new_session=True,
            )
        except OSError:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        child = Child(process, writing)
        with self._lock:
            self._all.add(child)
        return child

    def forget(self, child: Child) -> None:
        """It ended and was waited for."""
        with self._lock:
            self._all.discard(child)

    def kill_all(self) -> None:
        """End every child now."""
        with self._lock:
            alive = list(self._all)
        for child in alive:
            child.kill()
