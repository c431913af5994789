"""What applications keep in the simulated databases: JSON values by container and name, in one file.

It outlives the daemon, like everything that is deployed; a container (a table, a database) that is
no longer deployed takes its records with it.
"""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from portway.sandbox.store import Json

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS records "
    "(container TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (container, name))"
)


class Records:
    """Used by the daemon's one thread only, so a read and a write with no await between are atomic."""

    def __init__(self, path: Path) -> None:
        """Open (and, the first time, create) the file."""
        self._path = path
        with closing(self._open()) as db:
            db.execute(_SCHEMA)
        path.chmod(0o600)

    def get(self, container: str, name: str) -> Json | None:
        """One record, None when there is none."""
        with closing(self._open()) as db:
            row = db.execute(
                "SELECT value FROM records WHERE container=? AND name=?", (container, name)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, container: str, changes: Iterable[tuple[str, Json | None]]) -> None:
        """Write records, or remove those that are None: all of them or none."""
        with closing(self._open()) as db, db:
            db.execute("BEGIN IMMEDIATE")
            for name, value in changes:
                if value is None:
                    statement = "DELETE FROM records WHERE container=? AND name=?"
                    db.execute(statement, (container, name))
                else:
                    statement = "INSERT OR REPLACE INTO records VALUES (?,?,?)"
                    db.execute(statement, (container, name, json.dumps(value)))
            db.execute("COMMIT")

    def all(self, container: str) -> dict[str, Json]:
        """Every record of a container by name."""
        with closing(self._open()) as db:
            rows: list[Any] = db.execute(
                "SELECT name, value FROM records WHERE container=? ORDER BY name", (container,)
            ).fetchall()
        return {name: json.loads(value) for name, value in rows}

    def keep(self, containers: Iterable[str]) -> None:
        """Forget the records of every other container."""
        kept = sorted(set(containers))
        with closing(self._open()) as db:
            known = {row[0] for row in db.execute("SELECT DISTINCT container FROM records")}
            for gone in known - set(kept):
                db.execute("DELETE FROM records WHERE container=?", (gone,))

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30, isolation_level=None)
