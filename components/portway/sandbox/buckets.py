"""Objects that programs write into the embedded Cloud Storage: files beneath the sandbox's folder.

They outlive the daemon and go with their bucket. What a deployment uploads itself is a resource of its
own in the store, and not here. An object is there whole or not at all, whenever a process is killed.
"""

import base64
import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

FOLDER = "buckets"
_SESSION = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Written:
    """One object.

    Attributes:
        size: in bytes.
        md5: of the bytes, in base64.
        generation: another one each time that the object is written.
        updated: when, RFC 3339 in UTC.
        content: the file with its bytes.
    """

    name: str
    size: int
    md5: str
    metadata: Mapping[str, str]
    generation: int
    updated: str
    content: Path


class Session:
    """An upload that may go on later; ``done`` once the object is there."""

    def __init__(self, bucket: Path, identifier: str) -> None:
        """``bucket`` is the folder of a bucket."""
        self._bucket = bucket
        self._record = bucket / "sessions" / f"{identifier}.json"
        self.identifier = identifier
        self.part = bucket / "sessions" / f"{identifier}.part"
        told = json.loads(self._record.read_text("utf-8"))
        self.name: str = told["name"]
        self._metadata: dict[str, str] = told["metadata"]

    @property
    def done(self) -> bool:
        """Whether the object was made."""
        return not self.part.exists()

    @property
    def received(self) -> int:
        """Bytes that are kept so far."""
        return self.part.stat().st_size

    def finish(self) -> None:
        """Make the object of what was received, in the place of an older one."""
        with self.part.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
        now = datetime.now(UTC)
        generation = int(now.timestamp() * 1e6)
        objects = self._bucket / "objects"
        objects.mkdir(exist_ok=True)
        record = objects / f"{_safe(self.name)}.json"
        before = json.loads(record.read_text("utf-8"))["file"] if record.is_file() else None
        content = objects / f"{_safe(self.name)}.{generation}"
        size = self.received
        content.hardlink_to(self.part)
        told = {
            "name": self.name, "size": size, "md5": base64.b64encode(digest).decode(),
            "metadata": self._metadata, "generation": generation,
            "updated": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "file": content.name,
        }  # fmt: skip
        _write(record, told)
        self.part.unlink()
        if before is not None:
            (objects / before).unlink(missing_ok=True)


class Buckets:
    """The written objects of every bucket of one sandbox, whose folder is ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root / FOLDER

    def objects(self, bucket: str) -> list[Written]:
        """What is in a bucket, by name."""
        folder = self._folder(bucket) / "objects"
        found = [self._read(record) for record in folder.glob("*.json")]
        return sorted(found, key=lambda each: each.name)

    def find(self, bucket: str, name: str) -> Written | None:
        """One object; None when there is none."""
        record = self._folder(bucket) / "objects" / f"{_safe(name)}.json"
        return self._read(record) if record.is_file() else None

    def begin(self, bucket: str, name: str, metadata: Mapping[str, str]) -> Session:
        """A new upload of the object ``name``."""
        folder, identifier = self._folder(bucket), secrets.token_hex(16)
        (folder / "sessions").mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "sessions" / f"{identifier}.part").touch(mode=0o600)
        _write(
            folder / "sessions" / f"{identifier}.json", {"name": name, "metadata": dict(metadata)}
        )
        return Session(folder, identifier)

    def session(self, bucket: str, identifier: str) -> Session | None:
        """An upload that was begun; None when there is none of that identifier."""
        record = self._folder(bucket) / "sessions" / f"{identifier}.json"
        if not _SESSION.fullmatch(identifier) or not record.is_file():
            return None
        return Session(self._folder(bucket), identifier)

    def forget(self, bucket: str) -> None:
        """Remove everything that was written into a bucket."""
        shutil.rmtree(self._folder(bucket), ignore_errors=True)

    def keep(self, buckets: Iterable[str]) -> None:
        """Forget every other bucket."""
        there = {unquote(one.name) for one in self._root.iterdir()} if self._root.is_dir() else ()
        for gone in set(there) - set(buckets):
            self.forget(gone)

    def _folder(self, bucket: str) -> Path:
        return self._root / quote(bucket, safe="")

    def _read(self, record: Path) -> Written:
        told = json.loads(record.read_text("utf-8"))
        content = record.parent / told.pop("file")
        return Written(**told, content=content)


def described(bucket: str, written: Written) -> dict[str, object]:
    """The object as Cloud Storage's JSON API describes it (its resource ``Object``)."""
    return {
        "kind": "storage#object",
        "id": f"{bucket}/{written.name}/{written.generation}",
        "name": written.name,
        "bucket": bucket,
        "generation": str(written.generation),
        "metageneration": "1",
        "contentType": "application/octet-stream",
        "storageClass": "STANDARD",
        "size": str(written.size),
        "md5Hash": written.md5,
        "timeCreated": written.updated,
        "updated": written.updated,
        **({"metadata": dict(written.metadata)} if written.metadata else {}),
    }


def _safe(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _write(record: Path, told: Mapping[str, object]) -> None:
    partial = record.with_suffix(".partial")
    partial.write_text(json.dumps(told), encoding="utf-8")
    partial.chmod(0o600)
    partial.replace(record)
