"""The state of one stack, through the engine's own commands: read, saved, and brought to rest."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, cast
from urllib.parse import unquote, urlparse

from pulumi.automation import CommandResult

from portway.engine.command import ClosedCommand
from portway.engine.engine import Engine
from portway.engine.evidence import resources, without_operations
from portway.engine.recover import Lock, Unresolved, adopted, read_locks
from portway.engine.recovery import Do, Recovery
from portway.errors import BadInput, Missing, Problem

_UNKNOWN_STACK = ("no stack named", "failed to load checkpoint", "could not find stack")
_LOCKED = "currently locked"
_FILE = "file"


class NoStack(BadInput):
    """The backend has no such stack."""


class NoState(Missing):
    """The backend's folder holds no state yet."""


@dataclass(frozen=True)
class State:
    """One stack in one backend.

    Attributes:
        folder: the project's folder (in the sandbox its mirror).
        environment: the whole environment of the engine; names the backend, or leaves it to the login.
    """

    engine: Engine
    environment: Mapping[str, str]
    folder: Path
    project: str
    stack: str

    @property
    def backend(self) -> str:
        """Where the state is, for people."""
        return self.environment.get("PULUMI_BACKEND_URL") or "where `pulumi login` points"

    @property
    def file_backend(self) -> Path | None:
        """The folder of a file backend; None for any other."""
        url = urlparse(self.environment.get("PULUMI_BACKEND_URL", ""))
        if url.scheme != _FILE:
            return None
        return Path(unquote(f"{url.netloc}{url.path}")).expanduser()

    def read(self) -> dict[str, Any]:
        """The whole document of ``pulumi stack export``; secrets stay encrypted.

        Raises:
            NoStack: the backend has no such stack.
            NoState: the backend's folder holds nothing.
            Missing: the state cannot be read.
        """
        if self.file_backend is not None and not (self.file_backend / ".pulumi").is_dir():
            raise NoState(f"there is no state in {self.backend}: it holds no folder .pulumi")
        done = self._call("stack", "export")
        if done.code == 0:
            return cast("dict[str, Any]", json.loads(done.stdout))
        if any(words in done.stderr for words in _UNKNOWN_STACK):
            message = (
                f"{self.backend} has no stack {self.stack!r}; `pulumi stack ls` lists its stacks"
            )
            raise NoStack([Problem("STACK", message)])
        raise Missing(f"the state of {self.stack} cannot be read: {done.stderr.strip()}")

    def locks(self) -> list[Lock]:
        """The stack's locks, where the backend is a folder."""
        if self.file_backend is None:
            return []
        return read_locks(self.file_backend, self.project, self.stack)

    def save(self, document: Mapping[str, Any], into: Path) -> Path:
        """Write ``document`` to a new file in ``into``, for its owner only; returns the file."""
        into.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{self.project}.{self.stack}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.json"
        with open(into / name, "x", encoding="utf-8", opener=_private) as file:
            json.dump(document, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        return into / name

    def bring_to_rest(self, recovery: Recovery, document: Mapping[str, Any]) -> list[str]:
        """Do every step of ``recovery``, which was planned over ``document``.

        Whoever is killed on the way finds the operations still pending, and can begin again.

        Returns:
            What was tried and did not succeed, a sentence each.

        Raises:
            Unresolved: the state has changed since, something works on it, or a command failed.
        """
        if recovery.blocked:
            raise Unresolved(f"{self.stack}: something works on the stack; nothing was done")
        if recovery.has(Do.RELEASE):
            self._done("cancel", "--yes")
        if self.read() != document:
            raise Unresolved(
                f"{self.stack}: the state has changed since it was read; look at it again"
            )
        failed = self._settle(recovery, cast("Mapping[str, Any]", document["deployment"] or {}))
        for step in recovery.steps:
            if step.do is Do.IMPORT:
                done = self._call(*step.command)
                if done.code != 0:
                    failed.append(f"{step.id} could not be imported: {_said(done)}")
        return failed

    def _settle(self, recovery: Recovery, deployment: Mapping[str, Any]) -> list[str]:
        if recovery.ids or recovery.never:
            changed = adopted(deployment, recovery.ids.get)
            self._replace(without_operations(changed, recovery.never))
        if recovery.reads_again:
            self._done("refresh", "--yes", "--skip-preview")
        if not recovery.ids:
            return []
        after = cast("dict[str, Any]", self.read()["deployment"] or {})
        has = {(str(each["urn"]), str(each.get("id"))) for each in resources(after)}
        kept = {urn for urn, identity in recovery.ids.items() if (urn, identity) in has}
        self._replace(without_operations(after, kept))
        return [
            f"the cloud has nothing under {identity}: {urn} is still undecided"
            for urn, identity in recovery.ids.items()
            if urn not in kept
        ]

    def _replace(self, deployment: Mapping[str, Any]) -> None:
        with NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"version": 3, "deployment": deployment}, file)
            file.flush()
            self._done("stack", "import", "--file", file.name)

    def _done(self, *words: str) -> None:
        done = self._call(*words)
        if done.code == 0:
            return
        said = _said(done)
        if _LOCKED in said:
            raise Unresolved(
                f"{self.stack}: something holds the stack's lock; when nothing works on it any more: "
                f"--release-lock\n{said}"
            )
        raise Unresolved(f"{self.stack}: `pulumi {words[0]}` did not succeed: {said}")

    def _call(self, *words: str) -> CommandResult:
        command = ClosedCommand(self.engine, self.environment)
        return command.call([*words, "--stack", self.stack], self.folder, {})


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _said(done: CommandResult) -> str:
    return (done.stderr or done.stdout).strip()
