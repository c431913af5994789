"""Names as other languages write them, and what a model says of its fields."""

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import BaseModel

_AN_ATTRIBUTE = re.compile(r"(?P<names>\w+): (?P<text>.+)")
_A_SNAKE = re.compile(r"\b[a-z]+[a-z0-9]*(?:_[a-z0-9]+)+\b")


def camel(name: str) -> str:
    """``timeoutSeconds`` of ``timeout_seconds``."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def camel_text(text: str, fields: frozenset[str]) -> str:
    """``text`` with every one of ``fields`` as it is written in other languages."""
    return _A_SNAKE.sub(lambda found: camel(found[0]) if found[0] in fields else found[0], text)


def fields_of(*models: type[BaseModel]) -> frozenset[str]:
    """The names of all fields of ``models`` and of the models in them."""
    found: set[str] = set()
    for model in models:
        schema = model.model_json_schema()
        for one in (schema, *schema.get("$defs", {}).values()):
            found.update(one.get("properties", {}))
    return frozenset(found)


def attributes_of(docstring: str) -> Mapping[str, str]:
    """What the section ``Attributes`` of a docstring says, by name."""
    _, _, section = docstring.partition("Attributes:")
    found: dict[str, str] = {}
    last = ""
    for line in section.splitlines()[1:]:
        said = _AN_ATTRIBUTE.fullmatch(line.strip())
        if said is not None and len(line) - len(line.lstrip()) == _INDENT:
            last = said["names"]
            found[last] = said["text"]
        elif last and line.strip():
            found[last] += f" {line.strip()}"
    return {name: text.replace("``", "`").rstrip(".") for name, text in found.items()}


_INDENT = 4


def summary_of(docstring: str) -> str:
    """What a docstring says before its sections, in one paragraph for each of its own."""
    told = docstring.partition("Attributes:")[0].replace("``", "`")
    paragraphs = (" ".join(part.split()) for part in told.split("\n\n"))
    return "\n\n".join(part for part in paragraphs if part)


def to_snake(value: object, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """``value`` with the keys of ``schema`` as our models write them, and whole numbers whole.

    Keys that are no fields stay as they are, so that they are refused, or are a map's own.

    Args:
        value: as the engine hands it over; numbers are floats.
        schema: JSON Schema of its model.
        defs: the models that it refers to.
    """
    schema = _resolved(schema, defs)
    if isinstance(value, Mapping):
        given = cast("Mapping[str, object]", value)
        known = {camel(name): name for name in schema.get("properties", {})}
        inner = cast("Mapping[str, Any]", schema.get("properties", {}))
        other = schema.get("additionalProperties")
        rest = cast("Mapping[str, Any]", other if isinstance(other, Mapping) else {})
        return {
            known.get(key, key): to_snake(item, inner.get(known.get(key, key), rest), defs)
            for key, item in given.items()
        }
    if isinstance(value, list):
        items = schema.get("items", {})
        return [to_snake(item, items, defs) for item in cast("list[object]", value)]
    return _whole(value)


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What ``schema`` refers to; of several, the one that has fields."""
    if "$ref" in schema:
        return defs[str(schema["$ref"]).rpartition("/")[2]]
    choices: list[Mapping[str, Any]] = schema.get("anyOf", [])
    has: Callable[[str], list[Mapping[str, Any]]] = lambda key: [  # noqa: E731 - two uses
        one for one in (_resolved(choice, defs) for choice in choices) if key in one
    ]
    return next(iter((*has("properties"), *has("items"))), schema)


def _whole(value: object) -> object:
    """Numbers cross the engine's wire as floats: 3 arrives as 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
