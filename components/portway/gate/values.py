"""Reading a resource's properties, when any of them may not be known yet.

A tree is plain data (mappings, sequences, strings, numbers, booleans, None) in which ``UNKNOWN``
stands for a value that nobody can know now: computed by a cloud later, or a secret that cannot be
decrypted here. Nothing in this module raises over what a tree holds.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from typing import Any, Final, cast

_STEP = re.compile(r'\["([^"]*)"\]|\[(\d*)\]|([^.\[\]]+)')
_PUNCTUATED = re.compile(r"[.\[\]]")
_UNREADABLE_SECRET = "[secret]"  # noqa: S105 - what `pulumi policy analyze --file` writes for one
_PLACE = re.compile(
    r"(?i)global|unspecified|us|eu|europe|asia|(?:nam|eur|asia)\d{1,2}"
    r"|[a-z]{2,14}(?:-[a-z]{2,14}){1,3}-?\d{1,2}(?:-?[a-z])?"
)


class _Marker(Enum):
    UNKNOWN = "unknown"


UNKNOWN: Final = _Marker.UNKNOWN


@dataclass(frozen=True)
class Known:
    """A value that is set. Whole floats are integers, as they were before they crossed a wire."""

    path: str
    value: Any


@dataclass(frozen=True)
class Unknown:
    """A value that is set and cannot be known now. ``path`` is where knowledge ends."""

    path: str


@dataclass(frozen=True)
class Missing:
    """A value that is not set, or set to nothing."""

    path: str


@dataclass(frozen=True)
class View:
    """A resource's properties, read by Pulumi property paths (``a.b[].c["d.e"]``)."""

    tree: Any

    def get(self, path: str) -> Known | Unknown | Missing:
        """The value at ``path``, which must not walk a list."""
        seen = next(iter(self.every(path)), None)
        return Missing(path) if seen is None else seen

    def every(self, path: str) -> tuple[Known | Unknown, ...]:
        """All values that are set at ``path``; ``[]`` walks a list. Empty when there is none."""
        found = self._found.get(path)
        if found is None:
            found = self._found[path] = tuple(_at(self.tree, _steps_with_text(path)))
        return found

    def first(self, paths: Sequence[str]) -> tuple[Known | Unknown, ...]:
        """The values at the first of ``paths`` where anything is set."""
        for path in paths:
            if seen := self.every(path):
                return seen
        return ()

    def names(self) -> tuple[str, ...]:
        """The top-level properties."""
        is_mapping = isinstance(self.tree, Mapping)
        return tuple(cast("Mapping[str, object]", self.tree)) if is_mapping else ()

    def leaves(self, *paths: str) -> tuple[Known | Unknown, ...]:
        """Every scalar at or under ``paths``, once, each with its own concrete path.

        A string that holds a JSON object or list is read as the document it is.
        """
        leaves = self._under.get(paths)
        if leaves is None:
            found: dict[str, Known | Unknown] = {}
            for seen in (one for path in paths for one in self.every(path)):
                under = [seen] if isinstance(seen, Unknown) else _leaves(seen.value, seen.path)
                found.update((leaf.path, leaf) for leaf in under)
            leaves = self._under[paths] = tuple(found.values())
        return leaves

    @cached_property
    def texts(self) -> tuple[Known, ...]:
        """Every text that is known, with its concrete path; documents in texts are read too."""
        leaves = _leaves(self.tree, "")
        return tuple(one for one in leaves if isinstance(one, Known) and isinstance(one.value, str))

    @cached_property
    def _found(self) -> dict[str, tuple[Known | Unknown, ...]]:
        """What was found at a path: many rules ask for the same ones, and twice each."""
        return {}

    @cached_property
    def _under(self) -> dict[tuple[str, ...], tuple[Known | Unknown, ...]]:
        return {}


@cache
def steps(path: str) -> tuple[str | int | None, ...]:
    """``path`` taken apart: names, list positions, and None for ``[]``."""
    return tuple(_step(match) for match in _STEP.finditer(path))


def document(value: object) -> object:
    """``value`` as data when it is text that holds a JSON object or list; else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def shown(value: object) -> str:
    """``value`` for a message: a number, or a text that has the shape of a place; else its size.

    Policies see secrets in clear, so nothing that could be one is repeated.
    """
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, str):
        return value if _PLACE.fullmatch(value) else f"a text of {len(value)} characters"
    return f"a {type(value).__name__}"


def _step(match: re.Match[str]) -> str | int | None:
    quoted, position, name = match.groups()
    if position is not None:
        return int(position) if position else None
    return quoted if quoted is not None else name


@cache
def _steps_with_text(path: str) -> tuple[tuple[str | int | None, str], ...]:
    """The steps of ``path``, each name with how it is written after another."""
    return tuple((step, _after(step) if isinstance(step, str) else "") for step in steps(path))


def _at(tree: object, path: Sequence[tuple[str | int | None, str]]) -> list[Known | Unknown]:
    """What is set at ``path``, one step after the other; an unknown ends the walk where it is."""
    reached: list[tuple[object, str]] = [(_normal(tree), "")]
    for step, text in path:
        reached = [
            (_normal(child), where)
            for value, at in reached
            for child, where in (
                ((UNKNOWN, at),) if value is UNKNOWN else _children(value, step, text, at)
            )
            if child is not None
        ]
    return [
        Unknown(at) if value is UNKNOWN else Known(at, value)
        for value, at in reached
        if value is not None
    ]


def _children(
    value: object, step: str | int | None, text: str, path: str
) -> Iterable[tuple[object, str]]:
    if isinstance(step, str):
        if not isinstance(value, dict | Mapping):
            return ()
        child = cast("Mapping[str, object]", value).get(step)
        return ((child, f"{path}{text}" if path else text.removeprefix(".")),)
    if not _is_list(value):
        return ()
    items = cast("Sequence[object]", value)
    wanted = range(len(items)) if step is None else range(step, min(step + 1, len(items)))
    return ((items[index], f"{path}[{index}]") for index in wanted)


def _leaves(value: object, path: str) -> list[Known | Unknown]:
    found: list[Known | Unknown] = []
    _gather(value, path, found)
    return found


def _gather(value: object, path: str, found: list[Known | Unknown]) -> None:
    inner = document(_normal(value))
    if isinstance(inner, str):
        found.append(Known(path, inner))
    elif inner is UNKNOWN:
        found.append(Unknown(path))
    elif isinstance(inner, dict | Mapping):
        for name, child in cast("Mapping[str, object]", inner).items():
            text = _after(str(name))
            _gather(child, f"{path}{text}" if path else text.removeprefix("."), found)
    elif _is_list(inner):
        for index, child in enumerate(cast("Sequence[object]", inner)):
            _gather(child, f"{path}[{index}]", found)
    elif inner is not None:
        found.append(Known(path, inner))


def _after(name: str) -> str:
    """``name`` as it is written after another step."""
    return f'["{name}"]' if _PUNCTUATED.search(name) else f".{name}"


def _normal(value: object) -> object:
    if isinstance(value, str):
        return UNKNOWN if value == _UNREADABLE_SECRET else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_list(value: object) -> bool:
    return isinstance(value, list) or (
        isinstance(value, Sequence) and not isinstance(value, str | bytes)
    )
