"""Tool schemas as Bedrock reads them: written out, with the same meaning."""

from typing import Any

import pytest
from pydantic import BaseModel

from portway.runtime.bedrock_schema import tool_schema
from portway.runtime.errors import WireError


class City(BaseModel):
    name: str


class Trip(BaseModel):
    start: City
    stops: list[City]


def test_the_root_is_an_object_even_when_nobody_says_so() -> None:
    assert tool_schema({"properties": {}}, "p") == {"type": "object", "properties": {}}


def test_what_a_schema_library_shares_is_written_out() -> None:
    written = tool_schema(Trip.model_json_schema(), "p")
    city = City.model_json_schema()
    assert "$defs" not in written
    assert written["properties"]["start"] == city
    assert written["properties"]["stops"]["items"] == city


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"definitions": {"type": "string"}}}
    assert tool_schema(schema, "p") == schema


def wide(levels: int) -> dict[str, Any]:
    shared = {f"l{n}": {"anyOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 10} for n in range(levels)}
    return {"$defs": {**shared, f"l{levels}": {}}, "properties": {"x": {"$ref": "#/$defs/l0"}}}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "x": {"$ref": "#/$defs/a"}}, "itself"),
        ({"properties": {"x": {"$ref": "https://elsewhere/schema"}}}, "does not hold"),
        ({"properties": {"x": {"$ref": "#/$defs/none"}}}, "does not hold"),
        (wide(12), "too large"),
        (deep(200), "too large"),
    ],
)
def test_what_cannot_be_written_out_is_refused_by_name(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(WireError, match=why) as told:
        tool_schema(schema, "tools[0].function.parameters")
    assert (told.value.status, told.value.param) == (400, "tools[0].function.parameters")
