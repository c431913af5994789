"""How two sets of inputs differ, and which of the differences force a replacement. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from portway.sandbox.providers.wire import Json, Value, as_asset, bare, is_list, is_object


class Kind(StrEnum):
    """What happened to one property."""

    ADD = "ADD"
    DELETE = "DELETE"
    UPDATE = "UPDATE"


@dataclass(frozen=True)
class Difference:
    """What changed.

    Attributes:
        changed: property path → what happened to it, at the deepest level that differs.
        replacing: those of ``changed`` that the cloud cannot change in place.
        delete_first: a replacement would meet the old resource under the same name.
    """

    changed: dict[str, Kind]
    replacing: frozenset[str] = frozenset()
    delete_first: bool = False


def compare(
    old: Json, new: Json, *, replaces: Iterable[str] = (), ignore: Iterable[str] = ()
) -> Difference:
    """Compare two sets of plain inputs.

    Assets and archives differ only by their hash: the same file elsewhere is the same. An unknown new
    value differs from everything.

    Args:
        old: inputs last saved.
        new: inputs wanted now.
        replaces: paths (``name``, ``template.volumes``, ``items[*].key``) that force a replacement when
            they or anything beneath them change; ``*`` stands for everything.
        ignore: paths whose changes do not count, in the same form.
    """
    ignored = [_segments(path) for path in ignore]
    forcing = [_segments(path) for path in replaces]
    changed = {
        text: kind
        for path, text, kind in _walk((), "", bare(old), bare(new))
        if not _covered(path, ignored)
    }
    replacing = frozenset(text for text in changed if _covered(_segments(text), forcing))
    return Difference(changed, replacing)


def _walk(
    path: tuple[str, ...], text: str, old: Value, new: Value
) -> Iterator[tuple[tuple[str, ...], str, Kind]]:
    if _same(old, new):
        return
    plain = as_asset(old) is None and as_asset(new) is None
    if plain and is_object(old) and is_object(new):
        for key in sorted({*old, *new}):
            yield from _walk((*path, key), _join(text, key), old.get(key), new.get(key))
    elif plain and is_list(old) and is_list(new):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else None
            after = new[index] if index < len(new) else None
            yield from _walk((*path, str(index)), f"{text}[{index}]", before, after)
    else:
        kind = Kind.ADD if old is None else Kind.DELETE if new is None else Kind.UPDATE
        yield path, text, kind


def _same(old: Value, new: Value) -> bool:
    one, other = as_asset(old), as_asset(new)
    if one and other:
        return (one.archive, one.hash) == (other.archive, other.hash) and bool(one.hash)
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    return old == new


def _join(text: str, key: str) -> str:
    if re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]*", key):
        return f"{text}.{key}" if text else key
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'{text}["{escaped}"]'


def _segments(path: str) -> tuple[str, ...]:
    found = re.findall(r'\["((?:[^"\\]|\\.)*)"\]|\[([^\]]*)\]|([^.\[\]]+)', path)
    return tuple(
        re.sub(r"\\(.)", r"\1", quoted) if quoted else index or plain
        for quoted, index, plain in found
    )


def _covered(path: tuple[str, ...], patterns: Iterable[tuple[str, ...]]) -> bool:
    return any(
        len(pattern) <= len(path)
        and all(want in ("*", got) for want, got in zip(pattern, path, strict=False))
        for pattern in patterns
    )
