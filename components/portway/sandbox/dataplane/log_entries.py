"""What deployed programs wrote as JSON lines, for the clouds' stores that make metrics of logs."""

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from portway.sandbox.store import Json

MOST_ENTRIES = 20_000


@dataclass(frozen=True)
class Entry:
    """One line: when it was written (unix seconds), and its fields."""

    at: float
    fields: Json


class LogEntries:
    """The JSON lines of every log of a sandbox, read as they grow; the newest of each are kept."""

    def __init__(self, folder: Path) -> None:
        """``folder`` holds one ``<name>.log`` for each kind of process."""
        self._folder = folder
        self._known: dict[str, _Log] = {}

    def of(self, name: str) -> Sequence[Entry]:
        """The entries of the log ``name``, oldest first; none where there is no such log."""
        known = self._known.setdefault(name, _Log())
        known.read(self._folder / f"{name}.log")
        return known.entries


class _Log:
    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=MOST_ENTRIES)
        self._at = 0

    def read(self, file: Path) -> None:
        try:
            with file.open("rb") as log:
                log.seek(0, 2)
                if log.tell() < self._at:
                    self._at = 0
                    self.entries.clear()
                log.seek(self._at)
                whole, newline, _ = log.read().rpartition(b"\n")
        except OSError:
            return
        self._at += len(whole) + len(newline)
        for line in whole.splitlines():
            if (entry := read_entry(line)) is not None:
                self.entries.append(entry)


def read_entry(line: bytes) -> Entry | None:
    """A line as an entry; None for one that is no JSON object with a time."""
    if not line.startswith(b"{"):
        return None
    try:
        fields: Any = json.loads(line)
        return Entry(datetime.fromisoformat(str(fields["time"])).timestamp(), cast("Json", fields))
    except (ValueError, KeyError, RecursionError):
        return None
