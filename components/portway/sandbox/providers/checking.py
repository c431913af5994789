"""Inputs held against what the SDK declares: unknown, misspelt, missing and wrongly shaped properties."""

import difflib
from collections.abc import Iterable, Iterator, Mapping

from portway.sandbox.providers.cloud import Failure
from portway.sandbox.providers.schema import Property, Shape, UnknownType
from portway.sandbox.providers.wire import UNKNOWN, Json, Value, as_asset, is_list, is_object

_CALLED = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
    "map": "an object",
    "object": "an object",
    "document": "JSON text or an object",
    "asset": "a file or an archive",
}


def check(properties: Mapping[str, Property], inputs: Json) -> list[Failure]:
    """Everything wrong with ``inputs``, at every depth the SDK has a class for.

    Values not known yet are taken as right. As the real providers do, a number may come as text and
    text as a number.
    """
    return list(_object(properties, inputs, ""))


def unknown_type(error: UnknownType) -> str:
    """A sentence for a type token that the SDK does not have."""
    hint = _suggestion(error.token, error.candidates)
    return f"unknown resource type {error.token}{hint or '; the installed SDK does not declare it'}"


def _object(properties: Mapping[str, Property], values: Json, path: str) -> Iterator[Failure]:
    for name in sorted(values.keys() - properties.keys()):
        if name.startswith("__"):
            continue
        hint = _suggestion(name, properties) or f"; it takes {', '.join(sorted(properties))}"
        yield Failure(_join(path, name), f'unknown property "{name}"{hint}')
    for name, declared in properties.items():
        where, value = _join(path, name), values.get(name)
        if value is None:
            if declared.required:
                yield Failure(where, f'missing required property "{name}"')
        else:
            yield from _value(declared.shape, value, where)


def _value(shape: Shape, value: Value, path: str) -> Iterator[Failure]:
    if value == UNKNOWN or value is None or shape.kind == "any":
        return
    if not _fits(shape, value):
        yield Failure(path, f"expected {_CALLED[shape.kind]}, got {_given(value)}")
    elif is_list(value) and shape.item:
        for index, item in enumerate(value):
            yield from _value(shape.item, item, f"{path}[{index}]")
    elif is_object(value) and shape.fields:
        yield from _object(shape.fields.properties(), value, path)
    elif is_object(value) and shape.item:
        for key, item in value.items():
            yield from _value(shape.item, item, _join(path, key))


def _fits(shape: Shape, value: Value) -> bool:
    match shape.kind:
        case "string":
            return isinstance(value, str | int | float)
        case "integer":
            return _is_number(value, whole=True)
        case "number":
            return _is_number(value, whole=False)
        case "boolean":
            return isinstance(value, bool) or value in ("true", "false")
        case "list":
            return is_list(value)
        case "document":
            return isinstance(value, str) or (is_object(value) and not as_asset(value))
        case "asset":
            return as_asset(value) is not None
        case _:
            return is_object(value) and as_asset(value) is None


def _is_number(value: Value, *, whole: bool) -> bool:
    if isinstance(value, bool):
        return False
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return number.is_integer() or not whole


def _given(value: Value) -> str:
    # never the text itself: it may be a secret that was handed to the wrong property
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if is_list(value):
        return "a list"
    if as_asset(value):
        return "a file or an archive"
    return "an object" if is_object(value) else str(value)


def _suggestion(given: str, known: Iterable[str]) -> str:
    names = list(known)
    exact = [name for name in names if name.lower() == given.replace("_", "").lower()]
    close = exact or difflib.get_close_matches(given, names, n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
