"""Text that depends on the model's identity and the prompt, and on nothing else."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.models.catalogue import catalogue
from portway.sandbox.dataplane import text
from portway.sandbox.dataplane.bedrock_catalogue import Catalogue
from portway.sandbox.dataplane.chat import Ask, Tool, respond
from portway.sandbox.dataplane.text import Identity, Turn

IDENTITY = Identity("acme/model", "abc", "fp8")
HELLO = [Turn("user", "Hello")]


def test_one_identity_answers_a_prompt_with_one_text() -> None:
    assert text.answer(IDENTITY, HELLO) == text.answer(Identity("acme/model", "abc", "fp8"), HELLO)


@pytest.mark.parametrize(
    "other",
    [
        Identity("acme/other", "abc", "fp8"),
        Identity("acme/model", "abd", "fp8"),
        Identity("acme/model", "abc", "bf16"),
    ],
)
def test_another_identity_answers_otherwise(other: Identity) -> None:
    assert text.answer(other, HELLO) != text.answer(IDENTITY, HELLO)


def test_another_prompt_or_choice_is_answered_otherwise() -> None:
    answers = {
        text.answer(IDENTITY, HELLO),
        text.answer(IDENTITY, [Turn("user", "Hello!")]),
        text.answer(IDENTITY, [Turn("assistant", "Hello")]),
        text.answer(IDENTITY, HELLO, choice=1),
    }
    assert len(answers) == 4


def test_the_api_that_carried_a_conversation_does_not_matter() -> None:
    chat = [Turn("developer", "Be brief."), Turn("user", "Hello"), Turn("user", "World ")]
    converse = [Turn("system", "Be brief."), Turn("user", "Hello\nWorld")]
    assert text.answer(IDENTITY, chat) == text.answer(IDENTITY, converse)


@given(st.text())
def test_tokens_joined_are_the_text(given_text: str) -> None:
    assert "".join(text.tokens(given_text)) == given_text


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1), st.integers(1, 40))
def test_an_answer_is_never_longer_than_allowed(prompt: str, most: int) -> None:
    turns = [Turn("user", prompt)]
    answer, whole = respond(IDENTITY, Ask(turns, most)), respond(IDENTITY, Ask(turns, 1000))
    assert answer.pieces == whole.pieces[:most]
    assert answer.output_tokens == len(answer.pieces)
    assert answer.finish == ("length" if whole.output_tokens > most else "stop")


def test_a_stop_sequence_ends_the_answer_before_itself() -> None:
    whole = text.answer(IDENTITY, HELLO)
    word = whole.split()[3]
    answer = respond(IDENTITY, Ask(HELLO, 500, ["never said", word]))
    assert answer.text == whole[: whole.index(word)]
    assert (answer.finish, answer.stopped_by) == ("stop", word)


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 12},
        "days": {"type": "integer", "minimum": 3, "maximum": 5},
        "share": {"type": "number", "exclusiveMinimum": 0},
        "unit": {"enum": ["c", "f"]},
        "sunny": {"type": ["boolean", "null"]},
        "kind": {"const": "weather"},
        "places": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/place"}},
        "extra": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "unused": {"type": "string"},
    },
    "required": ["city", "days", "share", "unit", "sunny", "kind", "places", "extra"],
    "additionalProperties": False,
    "$defs": {
        "place": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    },
}


@settings(max_examples=15, deadline=None)
@given(st.text())
def test_json_answers_and_tool_arguments_fit_their_schema(prompt: str) -> None:
    turns = [Turn("user", prompt)]
    answer = respond(IDENTITY, Ask(turns, 1000, schema=SCHEMA))
    call = respond(
        IDENTITY, Ask(turns, 1000, tools=[Tool("weather", SCHEMA)], must_call="weather")
    ).call
    assert call is not None
    for document in (answer.text, call.arguments):
        jsonschema.validate(json.loads(document), SCHEMA)


def test_a_tool_is_called_when_forced_or_named_and_not_after_its_result() -> None:
    tools = [Tool("weather", {}), Tool("news", {})]
    asked = [Turn("user", "Use news please")]

    def called(turns: list[Turn], must_call: str | None) -> str | None:
        call = respond(IDENTITY, Ask(turns, 100, tools=tools, must_call=must_call)).call
        return call.name if call else None

    assert [called(HELLO, None), called(HELLO, ""), called(HELLO, "news"), called(asked, None)] == [
        None, "weather", "news", "news",
    ]  # fmt: skip
    assert called([*asked, Turn("tool", "news: none")], None) is None


def test_the_embedded_bedrock_serves_what_the_catalogue_pins() -> None:
    served = Catalogue()
    path = Path(text.__file__).with_name("bedrock_models.json")
    weights = json.loads(path.read_text())["weights"]
    for model in catalogue().values():
        known = weights[model.weights]
        assert (known["revision"], known["precision"]) == (model.revision, model.precision)
        for region in model.bedrock.regions if model.bedrock else ():
            found = served.find(model.bedrock.model_id, region, "1") if model.bedrock else None
            assert found is not None
            assert found.identity == Identity(model.weights, model.revision or "", model.precision)
