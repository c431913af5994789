"""Changes to sets of resources that must not change, or may only sharpen, what is said of them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, cast

from portway.gate.testing import Given
from portway.gate.testing.given import NotKnown, Output, Secret

Path = tuple[str | int, ...]
_ARN = re.compile(r"\barn:aws:")


def leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Every scalar in ``value`` with the way to it."""
    if isinstance(value, Mapping):
        for key, child in cast("Mapping[str, object]", value).items():
            yield from leaves(child, (*path, key))
    elif isinstance(value, list | tuple):
        for index, child in enumerate(cast("Sequence[object]", value)):
            yield from leaves(child, (*path, index))
    elif isinstance(value, Secret):
        yield from leaves(value.value, path)
    elif not isinstance(value, NotKnown | Output):
        yield path, value


def nodes(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Every value in ``value`` with the way to it, inner ones and scalars alike."""
    if path:
        yield path, value
    if isinstance(value, Mapping):
        for key, child in cast("Mapping[str, object]", value).items():
            yield from nodes(child, (*path, key))
    elif isinstance(value, list | tuple):
        for index, child in enumerate(cast("Sequence[object]", value)):
            yield from nodes(child, (*path, index))


def changed(value: Any, path: Path, to: object) -> Any:
    """``value`` with ``to`` at ``path``."""
    if isinstance(value, Secret):
        return Secret(changed(value.value, path, to))
    if not path:
        return to
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        return {
            key: changed(child, path[1:], to) if key == path[0] else child
            for key, child in mapping.items()
        }
    items = cast("Sequence[Any]", value)
    return [
        changed(child, path[1:], to) if index == path[0] else child
        for index, child in enumerate(items)
    ]


def each_leaf(value: Any, change: Callable[[object], object]) -> Any:
    """``value`` with every scalar changed; what is unknown or an output stays so."""
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        return {key: each_leaf(child, change) for key, child in mapping.items()}
    if isinstance(value, list | tuple):
        return [each_leaf(child, change) for child in cast("Sequence[Any]", value)]
    if isinstance(value, Secret):
        return Secret(each_leaf(value.value, change))
    return value if isinstance(value, NotKnown | Output) else change(value)


def reordered(value: Any, random: Random) -> Any:
    """``value`` with the keys of every object in another order, also in JSON inside texts."""
    if isinstance(value, Mapping):
        items = list(cast("Mapping[str, Any]", value).items())
        random.shuffle(items)
        return {key: reordered(child, random) for key, child in items}
    if isinstance(value, list | tuple):
        return [reordered(child, random) for child in cast("Sequence[Any]", value)]
    if isinstance(value, Secret):
        return Secret(reordered(value.value, random))
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.dumps(reordered(json.loads(value), random), indent=random.choice([None, 3]))
        except ValueError:
            return value
    return value


def in_partition(partition: str) -> Callable[[object], object]:
    """A change that moves every ARN in a text to another partition of AWS."""

    def change(leaf: object) -> object:
        return _ARN.sub(f"arn:{partition}:", leaf) if isinstance(leaf, str) else leaf

    return change


def with_props(given: Given, change: Callable[[Any], Any]) -> Given:
    """``given`` with changed inputs."""
    return replace(given, props=change(given.props))
