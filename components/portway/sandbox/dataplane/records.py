"""What applications keep in the simulated databases: JSON values by container and name, in one file.

It outlives the daemon, like everything that is deployed; a container (a table, a database) that is
no longer deployed takes its records with it.
"""

import json
import sqlite3
from collections.abc import Iterable
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
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        # Another process may read it; a killed daemon loses nothing, a machine without power may.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(_SCHEMA)
        path.chmod(0o600)

    def get(self, container: str, name: str) -> Json | None:
        """One record, None when there is none."""
        query = "SELECT value FROM records WHERE container=? AND name=?"
        row = self._db.execute(query, (container, name)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, container: str, changes: Iterable[tuple[str, Json | None]]) -> None:
        """Write records, or remove those that are None: all of them or none."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for name, value in changes:
                if value is None:
                    statement = "DELETE FROM records WHERE container=? AND name=?"
                    self._db.execute(statement, (container, name))
                else:
                    statement = "INSERT OR REPLACE INTO records VALUES (?,?,?)"
                    self._db.execute(statement, (container, name, json.dumps(value)))

    def all(self, container: str) -> dict[str, Json]:
        """Every record of a container by name."""
        query = "SELECT name, value FROM records WHERE container=? ORDER BY name"
        rows: list[Any] = self._db.execute(query, (container,)).fetchall()
        return {name: json.loads(value) for name, value in rows}

    def keep(self, containers: Iterable[str]) -> None:
        """Forget the records of every other container."""
        known = {row[0] for row in self._db.execute("SELECT DISTINCT container FROM records")}
        for gone in known - set(containers):
            self._db.execute("DELETE FROM records WHERE container=?", (gone,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
