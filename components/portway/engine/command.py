"""The engine's command line in a closed environment, as the Automation API wants to call it."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, cast

import psutil
from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from portway.engine.engine import Engine
from portway.errors import Missing

_GRACE_SECONDS = 5.0
"""How long an engine that was asked to end has for telling its program and its plugins."""

Say = Callable[[str], object]
Event = dict[str, Any]


class OutOfTime(Missing):
    """The engine did not end within its deadline, and was ended with everything it had started."""

    def __init__(self, verb: str, deadline_seconds: float) -> None:
        """``verb`` is the engine's, such as ``preview``."""
        super().__init__(
            f"`pulumi {verb}` did not end within {deadline_seconds:g} s and was stopped; "
            "look for what the program waits for, or allow it more time"
        )


class ClosedCommand(PulumiCommand):
    """Runs one engine with exactly the environment it was given.

    The Automation API's own command adds to this process's environment, which cannot take a
    credential away.
    """

    def __init__(  # pyright: ignore[reportMissingSuperCall] - the base searches PATH
        self,
        engine: Engine,
        environment: Mapping[str, str],
        deadline_seconds: float | None = None,
    ) -> None:
        """Run ``engine`` with ``environment`` and nothing else, each command at most so long."""
        self.deadline_seconds = deadline_seconds
        self.command = str(engine.path)
        self.version = VersionInfo(*engine.version[:3])
        self.environment = dict(environment)

    def run(  # pyright: ignore[reportIncompatibleMethodOverride] - narrower callbacks
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Say | None = None,
        on_error: Say | None = None,
    ) -> CommandResult:
        """Run ``pulumi`` with ``args``; give each line to the callbacks.

        Raises:
            CommandError: it failed; the Automation API's own classes.
        """
        result = self.call(args, Path(cwd), additional_env, on_output, on_error)
        if result.code != 0:
            raise create_command_error(result)
        return result

    def call(
        self,
        args: list[str],
        cwd: Path,
        additional_env: Mapping[str, str],
        on_output: Say | None = None,
        on_error: Say | None = None,
    ) -> CommandResult:
        """Run ``pulumi`` with ``args`` to its end, whatever that is; give each line to the callbacks.

        Raises:
            OutOfTime: it did not end within the deadline.
        """
        process = subprocess.Popen(
            [self.command, "--non-interactive", *args],
            cwd=cwd,
            env={**self.environment, **additional_env, "PULUMI_AUTOMATION_API": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        said: dict[str, list[str]] = {"stdout": [], "stderr": []}
        threads = [
            threading.Thread(target=_pump, args=pumped, daemon=True)
            for pumped in (
                (process.stdout, said["stdout"], on_output),
                (process.stderr, said["stderr"], on_error),
            )
        ]
        for thread in threads:
            thread.start()
        rest_seconds = None
        try:
            code = process.wait(self.deadline_seconds)
        except KeyboardInterrupt:
            # The terminal has told the engine too: it finishes what is in flight and saves.
            process.wait()
            raise
        except subprocess.TimeoutExpired as late:
            _end(process)
            rest_seconds = _GRACE_SECONDS  # what slipped away may hold the pipes for ever
            raise OutOfTime(args[0], late.timeout) from None
        finally:
            for thread in threads:
                thread.join(rest_seconds)
        return CommandResult(
            stdout="\n".join(said["stdout"]), stderr="\n".join(said["stderr"]), code=code
        )


def _end(process: subprocess.Popen[str]) -> None:
    """End the engine and all it started: plugins and programs are in sessions of their own."""
    try:
        started = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in started:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue


def _pump(stream: IO[str] | None, lines: list[str], say: Say | None) -> None:
    if stream is None:
        return
    with stream:
        for line in stream:
            lines.append(line.rstrip())
            if say is not None:
                say(lines[-1])


@contextmanager
def event_log(events: list[Event]) -> Generator[list[str]]:
    """Arguments that make an operation record its events; they are added to ``events`` at the end.

    Raw events, one a JSON object, because the Automation API's typed ones drop policy summaries and
    severities. The flag exists only with ``PULUMI_DEBUG_COMMANDS``.
    """
    with TemporaryDirectory(prefix="portway-events-") as folder:
        log = Path(folder) / "events.jsonl"
        try:
            yield ["--event-log", str(log)]
        finally:
            if log.exists():
                events.extend(_read(log))


def _read(log: Path) -> list[Event]:
    lines = log.read_text(encoding="utf-8").splitlines()
    return [cast("Event", json.loads(line)) for line in lines if line.endswith("}")]
