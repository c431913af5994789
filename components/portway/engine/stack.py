"""Driving one stack through the Automation API: thin, closed, and careful about the last crash."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, cast
from urllib.parse import unquote, urlparse

from pulumi import automation
from pulumi.automation.errors import (
    CommandError,
    ConcurrentUpdateError,
    create_command_error,
)

from portway.engine.command import ClosedCommand, Event, OutOfTime, Say, event_log
from portway.engine.engine import Engine
from portway.engine.failures import failures_of
from portway.engine.recover import (
    FindId,
    Lock,
    Unfinished,
    Unresolved,
    adopted,
    explain,
    read_locks,
    settled,
    unfinished,
)
from portway.errors import Missing

_FILE = "file"
_STATE_VERSION = 3
_WAIT_SECONDS = 180.0
_POLL_SECONDS = 0.25
_RECORDING = {"PULUMI_DEBUG_COMMANDS": "true"}


@dataclass(frozen=True)
class Pack:
    """A policy pack to run, with its configuration file when it has one."""

    path: Path
    config: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What one operation did. A refusal is an outcome, not an exception.

    Attributes:
        succeeded: whether the engine ended with 0.
        stdout: what it printed for people.
        stderr: what it complained about.
        events: its own events, in order, as documented for ``--event-log``.
        out_of_time: why it was stopped before its end, "" when it was not.
    """

    succeeded: bool
    stdout: str
    stderr: str
    events: tuple[Event, ...]
    out_of_time: str = ""

    @property
    def errors(self) -> tuple[str, ...]:
        """The engine's error messages, without colours; stderr when it said nothing in events."""
        said = tuple(text for _, text in failures_of(self.events))
        return said or ((self.stderr.strip(),) if not self.succeeded else ())

    @property
    def violations(self) -> tuple[Event, ...]:
        """Every ``policyEvent``: policyName, policyPackName, enforcementLevel, message, resourceUrn."""
        return tuple(event["policyEvent"] for event in self.events if "policyEvent" in event)

    @property
    def changes(self) -> dict[str, int]:
        """How many resources per operation, such as ``{"create": 9}`` or ``{"same": 10}``."""
        for event in reversed(self.events):
            if "summaryEvent" in event:
                return dict(event["summaryEvent"].get("resourceChanges") or {})
        return {}


class Stack:
    """One stack of one project, worked on by one engine in one closed environment."""

    def __init__(
        self,
        project: Path,
        name: str,
        engine: Engine,
        environment: Mapping[str, str],
        deadline_seconds: float | None = None,
    ) -> None:
        """Select stack ``name`` of the project folder, making it when it is new.

        An existing ``Pulumi.<name>.yaml`` keeps its configuration. In the sandbox ``project`` is the
        mirror, so that the tracked file is not written. ``deadline_seconds`` is for each command.

        Raises:
            Missing: the engine cannot open the project, the backend or the stack.
        """
        self.name = name
        self.project = project
        self._command = ClosedCommand(engine, environment, deadline_seconds)
        try:
            workspace = automation.LocalWorkspace(
                work_dir=str(project), pulumi_command=self._command
            )
            self._project_name = workspace.project_settings().name
            self._stack = automation.Stack.create_or_select(name, workspace)
        except (CommandError, OSError) as error:
            raise Missing(f"stack {name} in {project} cannot be opened: {error}") from error

    def preview(self, packs: Sequence[Pack] = (), on_output: Say | None = None) -> Outcome:
        """Preview; takes no lock and changes nothing."""
        return self._run(["preview"], packs, on_output)

    def up(self, packs: Sequence[Pack] = (), on_output: Say | None = None) -> Outcome:
        """Update the stack, without a preview first.

        Raises:
            Unresolved: an earlier operation did not end, or another one is running.
        """
        self.refuse_unfinished()
        return self._run(["up", "--yes", "--skip-preview"], packs, on_output)

    def refresh(self, on_output: Say | None = None) -> Outcome:
        """Read every resource from its cloud again.

        Raises:
            Unresolved: another operation is running, or left its lock.
        """
        return self._run(["refresh", "--yes", "--skip-preview"], (), on_output)

    def destroy(self, on_output: Say | None = None) -> Outcome:
        """Delete every resource of the stack; the stack itself stays.

        Raises:
            Unresolved: an earlier operation did not end, or another one is running.
        """
        self.refuse_unfinished()
        return self._run(["destroy", "--yes", "--skip-preview"], (), on_output)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets in the clear; empty before the first ``up``."""
        # the Automation API asks twice, to know which of them are secret
        words = ["stack", "output", "--json", "--show-secrets", "--stack", self.name]
        done = self._command.run(words, str(self.project), {})
        return cast("dict[str, Any]", json.loads(done.stdout))

    def setting(self, key: str) -> Any:  # noqa: ANN401 - a setting may hold anything
        """What the stack's configuration holds under ``key``, None where it holds nothing.

        Raises:
            Missing: the engine cannot read it.
        """
        done = self._command.call(["config", "--json", "--stack", self.name], self.project, {})
        if done.code != 0:
            raise Missing(f"the configuration of {self.name} cannot be read: {done.stderr.strip()}")
        settings = cast("dict[str, dict[str, Any]]", json.loads(done.stdout))
        entry = settings.get(key, {})
        return entry.get("objectValue", entry.get("value"))

    def configure(self, values: Mapping[str, str]) -> None:
        """Set plain settings by their paths, such as ``portway:door.weights["a.b"]``, all at once.

        Raises:
            Missing: the engine did not write them.
        """
        pairs = [word for at in values.items() for word in ("--plaintext", "=".join(at))]
        words = ["config", "set-all", "--stack", self.name, "--path", *pairs]
        done = self._command.call(words, self.project, {})
        if done.code != 0:
            raise Missing(f"the configuration of {self.name} was not set: {done.stderr.strip()}")

    def unfinished(self) -> list[Unfinished]:
        """What earlier operations left; see ``recover``."""
        return unfinished(self.name, self._deployment(), self._locks())

    def refuse_unfinished(self) -> None:
        """Go on only over a stack whose earlier operations all ended.

        Raises:
            Unresolved: one did not; says which, what is at stake and what to do.
        """
        left = self.unfinished()
        if left:
            raise Unresolved(explain(self.name, left))

    def resolve(
        self,
        find_id: FindId,
        on_output: Say | None = None,
        wait_seconds: float = _WAIT_SECONDS,
    ) -> list[Unfinished]:
        """Finish what an interrupted operation left; returns what there was.

        An operation that still runs on this machine (its caller was killed, it was not) is waited
        for. Locks of processes that are gone are removed. ``find_id`` tells for each interrupted
        create whether the cloud has it: it is adopted, or else dropped.

        Raises:
            Unresolved: a lock belongs to a process that did not end in ``wait_seconds`` or cannot be
                seen from here, or the refresh failed.
        """
        end_seconds = time.monotonic() + wait_seconds
        while any(lock.alive for lock in self._locks()) and time.monotonic() < end_seconds:
            time.sleep(_POLL_SECONDS)
        left = self.unfinished()
        if any(lock.alive is not False for lock in self._locks()):
            raise Unresolved(explain(self.name, left))
        if any(item.operation == "lock" for item in left):
            self._stack.cancel()
        if any(item.operation != "lock" for item in left):
            self._import(adopted(self._deployment(), find_id))
            done = self.refresh(on_output)
            if not done.succeeded:
                raise Unresolved(
                    f"stack {self.name} could not be recovered: {'; '.join(done.errors)}"
                )
            self._import(settled(self._deployment()))
        return left

    def at_work(self) -> int | None:
        """The id of a process on this machine that works on the stack now."""
        return next((lock.pid for lock in self._locks() if lock.alive), None)

    def _deployment(self) -> dict[str, Any]:
        words = ["stack", "export", "--stack", self.name]
        done = self._command.run(words, str(self.project), {})
        return cast("dict[str, Any]", json.loads(done.stdout)["deployment"] or {})

    def _import(self, deployment: Mapping[str, Any]) -> None:
        with NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"version": _STATE_VERSION, "deployment": deployment}, file)
            file.flush()
            words = ["stack", "import", "--stack", self.name, "--file", file.name]
            self._command.run(words, str(self.project), {})

    def _locks(self) -> list[Lock]:
        backend = urlparse(self._command.environment.get("PULUMI_BACKEND_URL", ""))
        if backend.scheme != _FILE:
            return []
        return read_locks(Path(unquote(backend.path)), self._project_name, self.name)

    def _run(self, verb: list[str], packs: Sequence[Pack], on_output: Say | None) -> Outcome:
        events: list[Event] = []
        common = ["--stack", self.name, "--color", "never", "--suppress-progress"]
        try:
            with NamedTemporaryFile("w", suffix=".json") as empty, event_log(events) as recording:
                empty.write("{}")
                empty.flush()
                words = [*verb, *common, *pack_words(packs, empty.name), *recording]
                done = self._command.call(words, self.project, _RECORDING, on_output, on_output)
        except OutOfTime as error:
            late = str(error)
            return Outcome(
                succeeded=False, stdout="", stderr=late, events=tuple(events), out_of_time=late
            )
        if done.code != 0 and isinstance(create_command_error(done), ConcurrentUpdateError):
            left = self.unfinished()
            raise Unresolved(explain(self.name, left) if left else done.stderr)
        return Outcome(done.code == 0, done.stdout, done.stderr, tuple(events))


def pack_words(packs: Sequence[Pack], empty: str) -> list[str]:
    """Arguments that turn ``packs`` on. The engine wants a configuration for every pack or for none.

    Args:
        packs: in the order they run.
        empty: a file with an empty configuration.
    """
    words = [word for pack in packs for word in ("--policy-pack", str(pack.path))]
    if any(pack.config for pack in packs):
        for pack in packs:
            words += ["--policy-pack-config", str(pack.config or empty)]
    return words
