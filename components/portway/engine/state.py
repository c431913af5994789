"""The state of one stack, through the engine's own commands: read, saved, and brought to rest."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, cast
from urllib.parse import unquote, urlparse

from pulumi.automation import CommandResult

from portway.engine.command import ClosedCommand
from portway.engine.engine import Engine
from portway.engine.evidence import CREATING, pending, resources
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
        _write(into / name, document)
        return into / name

    def journal(self, folder: Path) -> list[dict[str, Any]]:
        """The operations that a recovery, which did not end, had begun to settle.

        Raises:
            Missing: the journal cannot be read.
        """
        file = self._journal(folder)
        if not file.exists():
            return []
        try:
            return cast("list[dict[str, Any]]", json.loads(file.read_text(encoding="utf-8")))
        except ValueError as error:
            raise Missing(
                f"{file} is damaged: {error}; compare the stack with the export beside it, and "
                "remove that file"
            ) from error

    def bring_to_rest(
        self, recovery: Recovery, seen: Mapping[str, Any], document: Mapping[str, Any], folder: Path
    ) -> list[str]:
        """Do every step of ``recovery``.

        Args:
            recovery: planned over ``seen``.
            seen: the deployment with what the journal remembers.
            document: what ``read`` gave then.
            folder: of the journal: whoever is killed on the way can begin again.

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
        if recovery.waits or not (recovery.ids or recovery.never):
            failed: list[str] = []
            if recovery.has(Do.READ):
                self._done("refresh", "--yes", "--skip-preview")
                begun = self.journal(folder)
                self._remember([each for each in begun if each["type"] == CREATING], folder)
        else:
            failed = self._settle(recovery, seen, folder)
        for step in recovery.steps:
            if step.do is Do.IMPORT:
                done = self._call(*step.command)
                if done.code != 0:
                    failed.append(f"{step.id} could not be imported: {_said(done)}")
        return failed

    def _settle(self, recovery: Recovery, seen: Mapping[str, Any], folder: Path) -> list[str]:
        """Adopt and forget; the engine drops every pending operation at the import."""
        self._remember(pending(seen), folder)
        self._replace({**adopted(seen, recovery.ids.get), "pending_operations": []})
        if recovery.reads_again:
            self._done("refresh", "--yes", "--skip-preview")
        after = cast("dict[str, Any]", self.read()["deployment"] or {})
        has = {(str(each["urn"]), str(each.get("id"))) for each in resources(after)}
        lost = {
            urn: identity for urn, identity in recovery.ids.items() if (urn, identity) not in has
        }
        self._remember([each for each in pending(seen) if each["resource"]["urn"] in lost], folder)
        return [
            f"the cloud has nothing under {identity}: {urn} is still undecided"
            for urn, identity in lost.items()
        ]

    def _remember(self, operations: Sequence[Mapping[str, Any]], folder: Path) -> None:
        file = self._journal(folder)
        if not operations:
            file.unlink(missing_ok=True)
            return
        part = file.with_suffix(".part")
        part.unlink(missing_ok=True)
        _write(part, operations)
        part.replace(file)

    def _journal(self, folder: Path) -> Path:
        return folder / f"{self.project}.{self.stack}.unfinished"

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


def _write(file: Path, document: object) -> None:
    """To the disk, for its owner only."""
    with open(file, "x", encoding="utf-8", opener=_private) as text:
        json.dump(document, text, indent=2)
        text.flush()
        os.fsync(text.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _said(done: CommandResult) -> str:
    return (done.stderr or done.stdout).strip()
