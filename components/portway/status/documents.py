"""Looking into JSON that somebody else wrote: what is not there, or is something else, is empty."""

from collections.abc import Mapping
from typing import Any, cast

Json = Mapping[str, Any]


def member(value: object, *names: str) -> Json:
    """The object at a path of names."""
    for name in names:
        value = cast("Json", value).get(name) if isinstance(value, dict) else None
    return cast("Json", value) if isinstance(value, dict) else {}


def members(value: object) -> list[Json]:
    """The objects in a list."""
    if not isinstance(value, list):
        return []
    return [cast("Json", each) for each in cast("list[object]", value) if isinstance(each, dict)]


def values(value: object) -> list[Any]:
    """A list."""
    return cast("list[Any]", value) if isinstance(value, list) else []
