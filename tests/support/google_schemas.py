"""Google's published discovery documents as a judge of what a program would send.

The documents are those that Google ships in its own Python client. They know names, types, enums,
formats, and what only the server may set; they know no oneofs and no ranges.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

Json = Mapping[str, Any]

TYPES: Mapping[str, Json] = json.loads(
    (Path(__file__).parents[1] / "data" / "google_types.json").read_text(encoding="utf-8")
)
"""By Pulumi type: the request's schema, what is part of the address instead, and other names."""

_DURATION = re.compile(r"^\d+(\.\d{1,9})?s$")
_REQUIRED = "required"
_INTEGERS = {"int32": 2**31, "uint32": 2**32}


def faults(type_: str, inputs: Json) -> list[str]:
    """What Google's own request type has no home for, sorted; empty for an acceptable body.

    Raises:
        KeyError: ``tests/data/google_types.json`` does not say which request the type becomes.
    """
    row = TYPES[type_]
    schema = _schema(row["document"], row["schema"])
    named = {f"{name}: {_REQUIRED}" for name in row.get("address", ())}
    return sorted(set(_faults(body(type_, inputs), schema, row["document"], "")) - named)


def body(type_: str, inputs: Json) -> dict[str, Any]:
    """The request body that the provider makes of ``inputs``."""
    row = TYPES[type_]
    given = {key: value for key, value in inputs.items() if key not in row["drop"]}
    if "text" in row:
        given = json.loads(given.pop(row["text"]))
    for key, path in row.get("move", {}).items():
        if key in given:
            _put(given, path, given.pop(key))
    schema = _schema(row["document"], row["schema"])
    return cast("dict[str, Any]", _sent(given, schema, row["document"], row["rename"]))


def _put(into: dict[str, Any], path: list[str], value: object) -> None:
    for step in path[:-1]:
        into = into.setdefault(step, {})
    into[path[-1]] = value


@cache
def _document(name: str) -> Json:
    text = files("googleapiclient.discovery_cache.documents").joinpath(f"{name}.json")
    return json.loads(text.read_text(encoding="utf-8"))["schemas"]


def _schema(document: str, path: str) -> Json:
    name, *steps = path.split(".")
    schema = _document(document)[name]
    for step in steps:
        schema = schema["properties"][step]
        schema = schema.get("items", schema)
    return schema


def _resolved(schema: Json, document: str) -> Json:
    return _document(document)[schema["$ref"]] if "$ref" in schema else schema


def _home(name: str, properties: Json, rename: Mapping[str, str]) -> str:
    """The API's name of a property: the provider's own name for it, or its plural."""
    singular = [name, rename.get(name, name), re.sub("ies$", "y", name), re.sub("es$", "", name)]
    return next((one for one in [*singular, name.removesuffix("s")] if one in properties), name)


def _sent(value: Any, schema: Json, document: str, rename: Mapping[str, str]) -> Any:
    schema = _resolved(schema, document)
    if isinstance(value, dict) and set(cast("Json", value)) == {"(secret)"}:
        return cast("Json", value)["(secret)"]
    if schema.get("type") == "array":
        items = cast("list[Any]", value if isinstance(value, list) else [value])
        return [_sent(item, schema["items"], document, rename) for item in items]
    if not isinstance(value, dict) or schema.get("type") != "object":
        return cast("Any", value)
    properties = schema.get("properties", {})
    if "additionalProperties" in schema:
        free = schema["additionalProperties"]
        return {
            key: _sent(inner, free, document, rename) for key, inner in cast("Json", value).items()
        }
    named = {_home(key, properties, rename): inner for key, inner in cast("Json", value).items()}
    return {
        key: _sent(inner, properties.get(key, {}), document, rename) for key, inner in named.items()
    }


def _faults(value: object, schema: Json, document: str, path: str) -> Iterator[str]:
    if schema.get("readOnly"):
        yield f"{path}: only Google sets it"
    schema = _resolved(schema, document)
    kind = schema.get("type", "any")
    if kind == "array" and isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            yield from _faults(item, schema["items"], document, f"{path}[{index}]")
    elif kind == "object" and isinstance(value, dict):
        yield from _object(cast("Json", value), schema, document, path)
    else:
        yield from (f"{path}: {text}" for text in _scalar(value, schema, kind))


def _object(value: Json, schema: Json, document: str, path: str) -> Iterator[str]:
    properties, free = schema.get("properties", {}), schema.get("additionalProperties")
    for key, inner in value.items():
        where = f"{path}.{key}".lstrip(".")
        if key not in properties and free is None:
            yield f"{where}: no field of {schema.get('id', 'this object')}"
        else:
            yield from _faults(inner, properties.get(key, free), document, where)
    for key, inner in properties.items():
        if str(inner.get("description", "")).startswith("Required.") and key not in value:
            yield f"{path}.{key}".lstrip(".") + f": {_REQUIRED}"


def _scalar(value: object, schema: Json, kind: str) -> Iterator[str]:
    accepted: Any = {
        "any": object,
        "string": str,
        "boolean": bool,
        "integer": int,
        "number": (int, float),
        "object": dict,
        "array": list,
    }[kind]
    if schema.get("format") in {"int64", "uint64"}:
        accepted = (str, int)
    wrong = isinstance(value, bool) and kind not in {"boolean", "any"}
    if wrong or not isinstance(value, accepted):
        yield f"{value!r} is no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{value!r} is not one of {', '.join(schema['enum'])}"
    form = schema.get("format", "")
    if form == "google-duration" and not _DURATION.match(str(value)):
        yield f"{value!r} is no duration"
    if form in {"int64", "uint64"} and not re.fullmatch(r"-?\d+", str(value)):
        yield f"{value!r} is no {form}"
    if isinstance(value, int) and form in _INTEGERS and abs(value) >= _INTEGERS[form]:
        yield f"{value} does not fit {form}"
