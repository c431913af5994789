"""What the embedded clouds remember: resources, ports, statuses and an audit trail, in one SQLite file.

Stand-in plugins (many processes, started by the engine) write resources; the data plane (one daemon)
reads them and writes statuses. They share nothing else. Every write is one transaction, so that a
process killed at any moment leaves a store that is whole.
"""

import json
import random
import socket
import sqlite3
import time
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from portway.errors import Missing

KEPT_PORTS: Final = range(20_000, 32_768)
"""Below those that Linux (from 32768) and macOS (from 49152) lend to connections that go out: what is
kept for a stack must still be free when a sandbox starts again."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    cloud TEXT NOT NULL, scope TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    urn TEXT NOT NULL, inputs TEXT NOT NULL, outputs TEXT NOT NULL,
    generation INTEGER NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL,
    PRIMARY KEY (cloud, scope, type, id));
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, operation TEXT NOT NULL,
    cloud TEXT NOT NULL, scope TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    urn TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ports (owner TEXT PRIMARY KEY, port INTEGER NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS statuses (owner TEXT PRIMARY KEY, generation INTEGER NOT NULL,
    ready INTEGER NOT NULL, message TEXT NOT NULL, detail TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

Json = dict[str, Any]


class AlreadyExists(Exception):
    """The cloud already has a resource of that type and id in that scope."""


@dataclass(frozen=True)
class Key:
    """What makes a resource unique in its cloud.

    Attributes:
        cloud: ``gcp``, ``aws``, ``kubernetes`` or ``random`` (the provider package).
        scope: project, ``account:region`` or kubeconfig context: names collide inside it only.
        type: the Pulumi type token.
        id: the provider's id.
    """

    cloud: str
    scope: str
    type: str
    id: str

    def __str__(self) -> str:
        """One line that owns ports and statuses."""
        return "|".join((self.cloud, self.scope, self.type, self.id))


@dataclass(frozen=True)
class Row:
    """A resource as its cloud knows it. ``inputs`` and ``outputs`` are plain: no secret wrappers."""

    key: Key
    urn: str
    inputs: Json
    outputs: Json
    generation: int = 1
    updated_at: float = 0.0


@dataclass(frozen=True)
class Status:
    """What the data plane says of a resource, for the generation it last acted on."""

    generation: int
    ready: bool
    message: str = ""
    detail: Json = field(default_factory=dict[str, Any])


class Store:
    """The clouds' memory. Cheap to make; one per process or thread."""

    def __init__(self, path: Path) -> None:
        """Open (and, the first time, create) the store at ``path``.

        Raises:
            Missing: it is damaged or cannot be opened; so does every other call.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._transaction() as db:
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                # executescript would commit behind the transaction's back
                for statement in filter(str.strip, SCHEMA.split(";")):
                    db.execute(statement)
                db.execute("PRAGMA user_version = 1")
        path.chmod(0o600)

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as db:
                yield db
        except sqlite3.DatabaseError as error:
            raise Missing(_unusable(self.path, error)) from error

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._open() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._open() as db:
            return db.execute(query, values).fetchall()

    def create(self, row: Row) -> None:
        """Add ``row``.

        Raises:
            AlreadyExists: its key is taken.
        """
        now = time.time()
        with self._transaction() as db:
            try:
                db.execute(
                    "INSERT INTO resources VALUES (?,?,?,?,?,?,?,?,?,?)",
                    (*_parts(row.key), row.urn, _dump(row.inputs), _dump(row.outputs), 1, now, now),
                )
            except sqlite3.IntegrityError as error:
                raise AlreadyExists(str(row.key)) from error
            _event(db, "create", row.key, row.urn, {})

    def update(self, key: Key, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> bool:
        """Replace what is known of ``key`` and count its generation up; False if it is not there."""
        with self._transaction() as db:
            found = db.execute(
                "UPDATE resources SET inputs=?, outputs=?, generation=generation+1, updated_at=? "
                "WHERE cloud=? AND scope=? AND type=? AND id=?",
                (_dump(inputs), _dump(outputs), time.time(), *_parts(key)),
            ).rowcount
            if found:
                _event(db, "update", key, "", {})
        return bool(found)

    def delete(self, key: Key) -> bool:
        """Forget ``key``, its ports and its status; False if it was not there."""
        with self._transaction() as db:
            found = db.execute(
                "DELETE FROM resources WHERE cloud=? AND scope=? AND type=? AND id=?", _parts(key)
            ).rowcount
            db.execute("DELETE FROM ports WHERE owner=?", (str(key),))
            db.execute("DELETE FROM statuses WHERE owner=?", (str(key),))
            if found:
                _event(db, "delete", key, "", {})
        return bool(found)

    def get(self, key: Key) -> Row | None:
        """The resource with that key."""
        rows = self._rows("WHERE cloud=? AND scope=? AND type=? AND id=?", *_parts(key))
        return rows[0] if rows else None

    def all(self, *, cloud: str | None = None, type: str | None = None) -> list[Row]:  # noqa: A002 - the field's own word
        """Every resource, of one cloud and one type where given, oldest first."""
        return self._rows("WHERE (?1 IS NULL OR cloud=?1) AND (?2 IS NULL OR type=?2)", cloud, type)

    def _rows(self, where: str, *values: object) -> list[Row]:
        columns = "cloud,scope,type,id,urn,inputs,outputs,generation,updated_at"
        query = f"SELECT {columns} FROM resources {where} ORDER BY created_at"  # noqa: S608 - constants only
        return [
            Row(Key(*r[:4]), r[4], json.loads(r[5]), json.loads(r[6]), r[7], r[8])
            for r in self._read(query, *values)
        ]

    def revision(self) -> int:
        """Changes whenever any resource changes: the number of the newest event."""
        return int(self._read("SELECT COALESCE(MAX(seq), 0) FROM events")[0][0])

    def event(self, operation: str, key: Key, urn: str = "", **detail: object) -> None:
        """Record something that is not a create, update or delete, such as an injected fault."""
        with self._transaction() as db:
            _event(db, operation, key, urn, detail)

    def events(self, after: int = 0) -> list[Json]:
        """The audit trail from ``after`` on: what shows that nothing was created twice."""
        names = ("seq", "at", "operation", "cloud", "scope", "type", "id", "urn", "detail")
        rows = self._read(f"SELECT {','.join(names)} FROM events WHERE seq>? ORDER BY seq", after)  # noqa: S608
        return [dict(zip(names, (*r[:-1], json.loads(r[-1])), strict=True)) for r in rows]

    def port(self, owner: str) -> int:
        """The loopback port of ``owner``: the same one for as long as the owner exists."""
        with self._transaction() as db:
            row = db.execute("SELECT port FROM ports WHERE owner=?", (owner,)).fetchone()
            if row:
                return int(row[0])
            taken = {r[0] for r in db.execute("SELECT port FROM ports")}
            port = _free_port(taken)
            db.execute("INSERT INTO ports VALUES (?,?)", (owner, port))
            return port

    def set_status(self, owner: str, status: Status) -> None:
        """Say how ``owner`` (``str(key)``) is."""
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO statuses VALUES (?,?,?,?,?,?)",
                (owner, status.generation, int(status.ready), status.message,
                 _dump(status.detail), time.time()),
            )  # fmt: skip

    def status(self, owner: str) -> Status | None:
        """What the data plane last said of ``owner``."""
        rows = self._read(
            "SELECT generation, ready, message, detail FROM statuses WHERE owner=?", owner
        )
        if not rows:
            return None
        generation, ready, message, detail = rows[0]
        return Status(generation, bool(ready), message, json.loads(detail))

    def set_meta(self, key: str, value: str) -> None:
        """Remember ``value`` under ``key``."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (key, value))

    def meta(self, key: str) -> str | None:
        """What was remembered under ``key``."""
        rows = self._read("SELECT value FROM meta WHERE key=?", key)
        return rows[0][0] if rows else None


def _unusable(path: Path, error: sqlite3.DatabaseError) -> str:
    if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
        return (
            f"{path}: the sandbox's store cannot be used: {error}; look at the folder's permissions and "
            "the free space, then run the command again"
        )
    return (
        f"{path}: the sandbox's store is damaged: {error}; run `portway sandbox stop`, delete "
        f"{path.parent} and start again: only what is deployed in the sandbox is lost"
    )


def _parts(key: Key) -> tuple[str, str, str, str]:
    return key.cloud, key.scope, key.type, key.id


def _dump(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)


def _event(
    db: sqlite3.Connection, operation: str, key: Key, urn: str, detail: Mapping[str, Any]
) -> None:
    db.execute(
        "INSERT INTO events (at,operation,cloud,scope,type,id,urn,detail) VALUES (?,?,?,?,?,?,?,?)",
        (time.time(), operation, *_parts(key), urn, _dump(detail)),
    )


def _free_port(taken: set[int]) -> int:
    for port in random.sample(KEPT_PORTS, len(KEPT_PORTS)):
        if port in taken:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    first, last = KEPT_PORTS[0], KEPT_PORTS[-1]
    raise Missing(f"no loopback port from {first} to {last} is free; end what listens there")
