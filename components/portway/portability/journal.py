"""The journal of a migration: every step is on the disk before it is tried, and after.

One JSON object a line. Each line holds the checksum of itself and of the line before it, and a small
file beside the journal says how far it goes, so that damage anywhere is noticed. Only the last line may
be torn: then nothing was done under it yet.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from portway.errors import Missing
from portway.portability.migration import Kind, Record

VERSION: Final = 1
_SUM: Final = "sum"


class Damaged(Missing):
    """A journal cannot be trusted; nothing is done by it."""


class NotWritten(Missing):
    """A record could not be brought to the disk, so what it was to precede was not done."""


class Storage(Protocol):
    """Where one journal is kept."""

    @property
    def name(self) -> str:
        """What people find it by."""
        ...

    def read(self) -> bytes:
        """Everything; empty where nothing was written yet."""
        ...

    def write(self, data: bytes, at: int) -> None:
        """Cut everything off from ``at`` on, write ``data`` there, and bring it to the disk.

        Raises:
            OSError: it is not there, or not wholly.
        """
        ...

    def head(self) -> int:
        """The number last given to ``set_head``; 0 before."""
        ...

    def set_head(self, number: int) -> None:
        """Keep ``number``, whole or not at all. Raises OSError."""
        ...


class Journal:
    """The records of one migration, in order. Whoever writes holds its lease."""

    def __init__(self, storage: Storage) -> None:
        """Read what is there.

        Raises:
            Damaged: it is damaged, cut short, or of another version.
        """
        self._storage = storage
        self.records, self._size, self._sum = _read(storage)

    @property
    def name(self) -> str:
        """What people find it by."""
        return self._storage.name

    def append(
        self, kind: Kind, token: int, step: str = "", data: Mapping[str, Any] | None = None
    ) -> Record:
        """Write one record, and return when it is on the disk.

        Raises:
            NotWritten: it is not; the caller must not go on.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        record = Record(len(self.records) + 1, at, token, kind, step, data or {})
        line, total = _line(record, self._sum)
        try:
            self._storage.write(line, self._size)
            self._storage.set_head(record.number)
        except OSError as error:
            what = f"{kind.value} {step}".strip()
            raise NotWritten(
                f"{self.name}: the record of `{what}` could not be written: "
                f"{error.strerror or error}; nothing more was done. Make room, then --resume or "
                "--rollback"
            ) from error
        self.records = (*self.records, record)
        self._size, self._sum = self._size + len(line), total
        return record


class FileStorage:
    """A journal in a file, readable by its owner only, with its head beside it."""

    def __init__(self, file: Path) -> None:
        """``file`` need not be there yet."""
        self.file = file

    @property
    def name(self) -> str:
        """The file."""
        return str(self.file)

    def read(self) -> bytes:
        """As ``Storage``."""
        return self.file.read_bytes() if self.file.exists() else b""

    def write(self, data: bytes, at: int) -> None:
        """As ``Storage``."""
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, at)
            os.lseek(handle, at, os.SEEK_SET)
            left = memoryview(data)
            while left:
                left = left[os.write(handle, left) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        sync_folder(self.file.parent)

    def head(self) -> int:
        """As ``Storage``."""
        file = self._head
        text = file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else "0"
        if not text.isdecimal():
            raise Damaged(f"{file} holds {text[:20]!r}, no number; {_WHAT_NOW}")
        return int(text)

    def set_head(self, number: int) -> None:
        """As ``Storage``."""
        part = self._head.with_suffix(".part")
        with part.open("w", encoding="ascii") as text:
            text.write(f"{number}\n")
            text.flush()
            os.fsync(text.fileno())
        part.replace(self._head)
        sync_folder(self.file.parent)

    @property
    def _head(self) -> Path:
        return self.file.with_suffix(".head")


def sync_folder(folder: Path) -> None:
    """Bring the names in ``folder`` to the disk. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_WHAT_NOW = (
    "nothing was done. The traffic goes on as the door's weights say. Restore the journal from a "
    "backup; or look at both stacks and the door yourself, and move the journal away before another "
    "migration"
)


def _line(record: Record, before: str) -> tuple[bytes, str]:
    body = {
        "version": VERSION,
        "number": record.number,
        "at": record.at,
        "token": record.token,
        "kind": record.kind.value,
        "step": record.step,
        "data": dict(record.data),
    }
    total = _checksum(body, before)
    return (json.dumps({**body, _SUM: total}, ensure_ascii=False) + "\n").encode(), total


def _checksum(body: Mapping[str, Any], before: str) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()[:32]


def _read(storage: Storage) -> tuple[tuple[Record, ...], int, str]:
    """The records, how many bytes they take, and the last checksum."""
    *whole, _torn = storage.read().split(b"\n")
    records: list[Record] = []
    size, before = 0, ""
    for number, line in enumerate(whole, 1):
        record, before = _parsed(line, number, before, storage.name)
        records.append(record)
        size += len(line) + 1
    missing = storage.head() - len(records)
    if missing > 0:
        raise Damaged(
            f"{storage.name}: {missing} of its records are missing at its end; {_WHAT_NOW}"
        )
    if records and records[0].kind is not Kind.BEGIN:
        raise Damaged(f"{storage.name}: its beginning is missing; {_WHAT_NOW}")
    return tuple(records), size, before


def _parsed(line: bytes, number: int, before: str, name: str) -> tuple[Record, str]:
    where = f"{name}:{number}"
    try:
        body: Any = json.loads(line)
    except ValueError:
        raise Damaged(f"{where}: is no JSON; {_WHAT_NOW}") from None
    if not isinstance(body, dict):
        raise Damaged(f"{where}: is no JSON object; {_WHAT_NOW}")
    found: dict[str, Any] = body  # pyright: ignore[reportUnknownVariableType] - JSON
    if found.get("version") != VERSION:
        raise Damaged(
            f"{where}: is of version {found.get('version')!r}, and this portway reads {VERSION}; go on "
            f"with the portway that began it; {_WHAT_NOW}"
        )
    total = found.pop(_SUM, None)
    if total != _checksum(found, before):
        raise Damaged(f"{where}: its checksum does not fit; {_WHAT_NOW}")
    try:
        record = Record(
            found["number"], found["at"], found["token"], Kind(found["kind"]), found["step"],
            found["data"],
        )  # fmt: skip
    except (KeyError, ValueError) as error:
        raise Damaged(f"{where}: is no record: {error}; {_WHAT_NOW}") from None
    if record.number != number:
        raise Damaged(f"{where}: is record {record.number}; {_WHAT_NOW}")
    return record, str(total)
