"""One migration of a service at a time: a lease with a token that only grows.

A controller that was believed dead and is not must not act on what another has taken over: before each
side effect it looks whether the lease still carries its token.
"""

import json
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import psutil
from filelock import FileLock, Timeout

from portway.errors import Findings, Missing
from portway.portability.journal import sync_folder

_LEASE: Final = "lease.json"
_LAST: Final = "last-token"
_LOCK: Final = "lease.lock"
_LOCK_SECONDS: Final = 10.0


class Busy(Findings):
    """Somebody else migrates this service, or may."""


class Fenced(Findings):
    """Somebody else has taken this migration over; this process does nothing more."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease.

    Attributes:
        pid: the process.
        started: when that process started, in the machine's own ticks; tells a reused id apart.
        host: its machine.
        since: when the lease was taken, RFC 3339.
    """

    token: int
    pid: int
    started: float
    host: str
    since: str

    @property
    def is_alive(self) -> bool | None:
        """Whether it still runs; None where that cannot be seen from here."""
        if self.host != socket.gethostname():
            return None
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return abs(process.create_time() - self.started) < 1.0
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return None


class Lease:
    """A lease that this process holds; use it as a context, which gives it back."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        """Only ``take`` makes one."""
        self._folder = folder
        self._holder = holder

    @property
    def token(self) -> int:
        """Greater than that of every lease before it."""
        return self._holder.token

    def check(self) -> None:
        """Go on only while the lease is ours.

        Raises:
            Fenced: it is not.
        """
        now = read_holder(self._folder)
        if now == self._holder:
            return
        who = "nobody" if now is None else f"process {now.pid} on {now.host}, since {now.since}"
        raise Fenced(
            f"this migration is no longer ours: its lease {self._folder / _LEASE} is held by {who}; "
            "nothing more was done here"
        )

    def release(self) -> None:
        """Give it back, if it is still ours."""
        with _locked(self._folder):
            if read_holder(self._folder) == self._holder:
                (self._folder / _LEASE).unlink(missing_ok=True)

    def __enter__(self) -> "Lease":
        """Hold it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self.release()


def take(folder: Path, what: str) -> Lease:
    """Take the lease kept in ``folder``; one of a process that is gone is taken over.

    Args:
        folder: made where it is missing. All who may migrate the same service must see it.
        what: the service and its environment, for people.

    Raises:
        Busy: somebody holds it, or may.
        Missing: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(folder):
            now = read_holder(folder)
            if now is not None and now.is_alive is not False:
                raise Busy(_busy(folder, what, now))
            me = psutil.Process()
            token = max(_last_token(folder), 0 if now is None else now.token) + 1
            since = datetime.now(UTC).isoformat(timespec="seconds")
            holder = Holder(token, me.pid, me.create_time(), socket.gethostname(), since)
            _write(folder / _LAST, str(token))
            _write(folder / _LEASE, json.dumps(vars(holder)))
    except OSError as error:
        where = error.filename or folder
        raise Missing(
            f"{where}: the lease of {what} cannot be written: {error.strerror or error}; nothing was "
            "done"
        ) from error
    return Lease(folder, holder)


def read_holder(folder: Path) -> Holder | None:
    """Who holds the lease in ``folder``; None where nobody does.

    Raises:
        Missing: the file is there and cannot be understood.
    """
    file = folder / _LEASE
    try:
        found = cast("dict[str, Any]", json.loads(file.read_text(encoding="utf-8")))
        return Holder(
            int(found["token"]), int(found["pid"]), float(found["started"]), str(found["host"]),
            str(found["since"]),
        )  # fmt: skip
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Missing(
            f"{file} is damaged: {error}; when no migration of this service runs anywhere, remove it"
        ) from error


def _busy(folder: Path, what: str, now: Holder) -> str:
    held = f"{what} is being migrated by process {now.pid} on {now.host} since {now.since}"
    if now.is_alive:
        return f"{held}; wait until it ends, or look with --status. Nothing was done"
    return (
        f"{held}; whether that process still runs cannot be seen from here. When it does not, remove "
        f"{folder / _LEASE} and try again. Nothing was done"
    )


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Held only while the lease is read and written; ends with the process."""
    lock = FileLock(folder / _LOCK, timeout=_LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise Busy(f"{folder / _LOCK} is held by somebody; try again. Nothing was done") from None
    try:
        yield
    finally:
        lock.release()


def _last_token(folder: Path) -> int:
    file = folder / _LAST
    text = file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else "0"
    if not text.isdecimal():
        raise Missing(
            f"{file} holds {text[:20]!r}, no number; write the number of migrations so far"
        )
    return int(text)


def _write(file: Path, text: str) -> None:
    part = file.with_name(f"{file.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    part.replace(file)
    sync_folder(file.parent)
