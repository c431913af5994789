"""What is deployed, read once from the store and looked up many times."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from portway.sandbox.store import Json, Row


class PlatformError(Exception):
    """What a platform says when it cannot run what was deployed: its own sentence."""


class World:
    """A snapshot of every resource.

    Attributes:
        root: the sandbox's folder, below which file contents are kept as ``objects/<sha256>``.
    """

    def __init__(self, rows: Iterable[Row], root: Path) -> None:
        self.root = root
        self._by_type: dict[str, list[Row]] = {}
        for row in rows:
            self._by_type.setdefault(row.key.type, []).append(row)

    def of(self, *types: str) -> list[Row]:
        """The resources of these types, oldest first."""
        return [row for kind in types for row in self._by_type.get(kind, [])]

    def of_prefix(self, prefix: str) -> list[Row]:
        """The resources whose type begins with ``prefix``."""
        return [
            row for kind, rows in self._by_type.items() if kind.startswith(prefix) for row in rows
        ]

    def object(self, row: Row, name: str) -> Path | None:
        """The file whose content hash ``row`` keeps in ``outputs[name]``; None if it is not there."""
        digest = row.outputs.get(name)
        path = self.root / "objects" / str(digest)
        return path if digest and path.is_file() else None


def text(values: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that is set, as text; ``""`` when none is."""
    return next((str(values[name]) for name in names if values.get(name) not in (None, "")), "")


def number(values: Mapping[str, Any], name: str, default: float) -> float:
    """A numeric field; ``default`` when it is not set."""
    value = values.get(name)
    return default if value is None else float(value)


def items(values: Mapping[str, Any], name: str) -> Sequence[Json]:
    """A field that is a list of objects; empty when it is not set."""
    return values.get(name) or []


def child(values: Mapping[str, Any], name: str) -> Json:
    """A field that is an object; empty when it is not set."""
    return values.get(name) or {}


def fingerprint(row: Row) -> tuple[int, float]:
    """Differs whenever a resource was changed, or deleted and created again under the same name."""
    return row.generation, row.updated_at
