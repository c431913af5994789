"""Tool schemas as Bedrock's models read them. Pure.

Bedrock wants an object at the root and takes no references; what a client means stays the same.
"""

from typing import cast

from .errors import WireError, unsupported_value
from .jsons import JsonObject, as_object

_MOST_NESTING = 64
_MOST_PARTS = 20_000
_SHARED = ("$defs", "definitions")


def tool_schema(parameters: JsonObject, path: str) -> JsonObject:
    """`parameters` with `type` at its root and every local reference replaced by what it names.

    Raises:
        WireError: 400 for a reference that is not local or not there or that contains itself, and
            for a schema that is too large once it is written out.
    """
    return {"type": "object", **_Inliner(parameters, path).root()}


class _Inliner:
    """Writes one schema out, however often its parts are shared, within bounds."""

    def __init__(self, schema: JsonObject, path: str) -> None:
        self._schema = schema
        self._path = path
        self._left = _MOST_PARTS

    def root(self) -> JsonObject:
        kept = {name: part for name, part in self._schema.items() if name not in _SHARED}
        return cast("JsonObject", self._written(kept, (), 0))

    def _written(self, value: object, inside: tuple[str, ...], depth: int) -> object:
        self._left -= 1
        if self._left < 0 or depth > _MOST_NESTING:
            raise self._unusable("is too large")
        if isinstance(value, list):
            listed = cast("list[object]", value)
            return [self._written(one, inside, depth + 1) for one in listed]
        schema = as_object(value)
        if schema is None:
            return value
        named: object = schema.get("$ref")
        if not isinstance(named, str):
            return {name: self._written(one, inside, depth + 1) for name, one in schema.items()}
        if named in inside:
            raise self._unusable("contains itself")
        target = self._written(self._find(named), (*inside, named), depth + 1)
        beside = {name: one for name, one in schema.items() if name != "$ref"}
        return {**(as_object(target) or {}), **beside}

    def _find(self, reference: str) -> JsonObject:
        found: object = self._schema
        head, *steps = reference.split("/")
        for step in steps:
            found = (as_object(found) or {}).get(step.replace("~1", "/").replace("~0", "~"))
        target = as_object(found)
        if head != "#" or target is None:
            raise self._unusable("refers to what it does not hold")
        return target

    def _unusable(self, why: str) -> WireError:
        return unsupported_value(
            self._path,
            f"'{self._path}' {why}, which this model's service does not take; write the schema out.",
        )
