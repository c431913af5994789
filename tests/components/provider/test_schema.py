"""The schema is made from the models, is whole, and is the one that is checked in."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from portway.provider.schema import components, schema, schema_text, token
from portway.provider.words import attributes_of, camel, camel_text, summary_of, to_snake
from portway.registry import load_target, registered
from portway.spec import InferenceServiceSpec
from support.provider_host import COMPONENTS

WHOLE = schema()
KINDS = {"string", "integer", "number", "boolean", "array", "object"}


def test_the_schema_that_is_checked_in_is_the_one_that_is_served() -> None:
    file = COMPONENTS / "schema.json"
    how = "write it anew: .venv/bin/python -m portway.provider > components/schema.json"
    assert file.read_text() == schema_text(), how


def test_there_is_a_component_for_every_target_and_one_for_all() -> None:
    assert list(components().values()) == list(registered())
    assert set(WHOLE["resources"]) == {token(one) for one in ("InferenceService", *components())}
    assert all(one["isComponent"] for one in WHOLE["resources"].values())


def inside(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every type in a schema, wherever it stands."""
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        yield mapping
        for one in mapping.values():
            yield from inside(one)
    elif isinstance(value, list):
        for one in cast("list[Any]", value):
            yield from inside(one)


def test_every_reference_leads_somewhere_and_every_type_is_used() -> None:
    led = {one["$ref"].removeprefix("#/types/") for one in inside(WHOLE) if "$ref" in one}
    assert led - {"pulumi.json#/Any"} == set(WHOLE["types"])


def test_every_property_is_of_a_kind_that_schemas_know() -> None:
    for of in (*WHOLE["types"].values(), *WHOLE["resources"].values()):
        for group in ("properties", "inputProperties"):
            for name, one in of.get(group, {}).items():
                known = "$ref" in one or "oneOf" in one or one.get("type") in KINDS
                assert known, name
                assert "_" not in name
                assert set(one) <= {
                    "type", "items", "additionalProperties", "$ref", "oneOf", "description",
                    "plain", "secret",
                }  # fmt: skip


def test_every_field_of_the_spec_and_of_all_options_is_there() -> None:
    for model, name in (
        (InferenceServiceSpec, "InferenceServiceSpec"),
        *((load_target(of).options, load_target(of).options.__name__) for of in registered()),
    ):
        found = set(WHOLE["types"][token(name)]["properties"])
        assert found == {camel(field) for field in model.model_fields}


def test_inputs_are_literals_all_the_way_down() -> None:
    for of in WHOLE["resources"].values():
        for name, one in of["inputProperties"].items():
            assert one["plain"], name
            assert one.get("items", {"plain": True})["plain"]


def test_what_a_model_says_of_a_field_is_its_documentation() -> None:
    budget = WHOLE["types"][token("Budget")]
    assert budget["description"].startswith("The most a service may cost and may be used")
    assert budget["required"] == ["monthlyUsd"]
    assert budget["properties"]["monthlyUsd"] == {
        "type": "number",
        "description": "the most it may cost at `scaling.max`, and the level of the alerts; where a "
        "model is sold by the token it is also enforced before the model is asked; above 0 to "
        "100,000,000",
    }
    spec = WHOLE["types"][token("InferenceServiceSpec")]
    assert spec["required"] == ["model", "scaling"], "a service is called as its resource is"
    assert spec["properties"]["timeoutSeconds"]["description"].endswith("; 1 to 3,600; 300 without")
    shape = WHOLE["types"][token("Traffic")]["properties"]["shape"]
    numbers = {"type": "array", "items": {"type": "number"}}
    assert shape["oneOf"] == [{"type": "string"}, numbers]


def test_keys_are_secret_outputs() -> None:
    for of in WHOLE["resources"].values():
        assert of["properties"]["apiKey"]["secret"]
        assert "apiKey" not in of["required"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"timeoutSeconds": 60.0}, {"timeout_seconds": 60}),
        ({"scaling": {"max": 3.0}}, {"scaling": {"max": 3}}),
        ({"budget": {"monthlyUsd": 10.5}}, {"budget": {"monthly_usd": 10.5}}),
        ({"traffic": {"shape": [1.0, 0.5]}}, {"traffic": {"shape": [1, 0.5]}}),
        ({"residency": ["eu"]}, {"residency": ["eu"]}),
        ({"someThing": {"elseWhere": 1}}, {"someThing": {"elseWhere": 1}}),
    ],
)
def test_names_of_other_languages_become_those_of_the_models(given: Any, expected: Any) -> None:
    whole = InferenceServiceSpec.model_json_schema()
    assert to_snake(given, whole, whole["$defs"]) == expected


def test_words_of_docstrings_are_told_apart() -> None:
    said = (
        "A thing.\n\nMore ``of it``.\n\nAttributes:\n    one_day: first\n        line.\n    b: x."
    )
    assert summary_of(said) == "A thing.\n\nMore `of it`."
    assert attributes_of(said) == {"one_day": "first line", "b": "x"}
    assert camel_text("lower one_day, not other_day", frozenset({"one_day"})) == (
        "lower oneDay, not other_day"
    )
