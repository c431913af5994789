"""Functions that a model may call, and answers of a given form."""

import json
from typing import Any

from portway.conformance.check import Check, answered, expect, refused, same
from portway.conformance.endpoint import Endpoint

_WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
_ASKED = [{"role": "user", "content": "What is the weather in Paris?"}]
_NAMED = {"type": "function", "function": {"name": "get_weather"}}
_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}
_RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees, rain"}
_SCHEMA = {
    "name": "city",
    "strict": True,
    "schema": {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    },
}


def _chat(endpoint: Endpoint, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    asked = {"messages": _ASKED, "tools": [_WEATHER], "max_tokens": 200, **fields}
    return answered(endpoint.post(endpoint.chat(**asked)))


def _is_call(call: dict[str, Any]) -> None:
    expect(isinstance(call["id"], str) and bool(call["id"]), f"id is {call['id']!r}")
    same(call["type"], "function", "type")
    same(call["function"]["name"], "get_weather", "the function's name")
    arguments: object = json.loads(call["function"]["arguments"])
    expect(isinstance(arguments, dict), "the arguments are no JSON object")


def _auto(endpoint: Endpoint) -> None:
    message = _chat(endpoint, tool_choice="auto")["choices"][0]["message"]
    same(message["role"], "assistant", "the role")


def _required(endpoint: Endpoint) -> None:
    choice = _chat(endpoint, tool_choice="required")["choices"][0]
    same(choice["finish_reason"], "tool_calls", "finish_reason")
    calls = choice["message"]["tool_calls"]
    expect(len(calls) > 0, "no tool was called")
    for call in calls:
        _is_call(call)


def _named(endpoint: Endpoint) -> None:
    choice = _chat(endpoint, tool_choice=_NAMED)["choices"][0]
    expect(len(choice["message"]["tool_calls"]) > 0, "no tool was called")
    _is_call(choice["message"]["tool_calls"][0])


def _streamed(endpoint: Endpoint) -> None:
    found = endpoint.stream(
        messages=_ASKED, tools=[_WEATHER], tool_choice="required", max_tokens=200
    )
    if found.answer.status != 200:  # noqa: PLR2004 - HTTP
        answered(found.answer)
    calls: dict[int, dict[str, Any]] = {}
    for chunk in found.chunks:
        for choice in chunk["choices"]:
            pieces: list[dict[str, Any]] = choice["delta"].get("tool_calls") or []
            for piece in pieces:
                call = calls.setdefault(piece["index"], {"function": {"name": "", "arguments": ""}})
                _join(call, piece)
    expect(len(calls) > 0, "no tool was called")
    for call in calls.values():
        _is_call(call)


def _join(call: dict[str, Any], piece: dict[str, Any]) -> None:
    for name in ("id", "type"):
        if piece.get(name):
            expect(name not in call, f"{name} comes again")
            call[name] = piece[name]
    function: dict[str, str] = piece.get("function") or {}
    call["function"]["name"] += function.get("name") or ""
    call["function"]["arguments"] += function.get("arguments") or ""


def _answered_call(endpoint: Endpoint) -> None:
    called = {"role": "assistant", "content": None, "tool_calls": [_CALL]}
    body = _chat(endpoint, messages=[*_ASKED, called, _RESULT], max_tokens=16)
    same(body["choices"][0]["message"]["role"], "assistant", "the role")


def _unanswered_call(endpoint: Endpoint) -> None:
    called = {"role": "assistant", "content": None, "tool_calls": [_CALL]}
    asked = endpoint.chat(messages=[*_ASKED, called], tools=[_WEATHER])
    refused(endpoint.post(asked), 400)


def _unknown_choice(endpoint: Endpoint) -> None:
    named = {"type": "function", "function": {"name": "no_such_tool"}}
    asked = endpoint.chat(messages=_ASKED, tools=[_WEATHER], tool_choice=named)
    refused(endpoint.post(asked), 400)


def _schema(endpoint: Endpoint) -> None:
    asked = endpoint.chat(
        messages=[{"role": "user", "content": "Name a city, as JSON."}],
        max_tokens=200,
        response_format={"type": "json_schema", "json_schema": _SCHEMA},
    )
    said = answered(endpoint.post(asked))["choices"][0]["message"]["content"]
    found: object = json.loads(said)
    expect(isinstance(found, dict) and set(found) == {"name"}, f"the answer is {said[:80]!r}")  # pyright: ignore[reportUnknownArgumentType] - JSON


def _json_object(endpoint: Endpoint) -> None:
    asked = endpoint.chat(
        messages=[{"role": "user", "content": "Name a city, as a JSON object."}],
        max_tokens=200,
        response_format={"type": "json_object"},
    )
    said = answered(endpoint.post(asked))["choices"][0]["message"]["content"]
    found: object = json.loads(said)
    expect(isinstance(found, dict), f"the answer is {said[:80]!r}")


def _plain(endpoint: Endpoint) -> None:
    answered(endpoint.post(endpoint.chat(response_format={"type": "text"})))


def _unknown_format(endpoint: Endpoint) -> None:
    refused(endpoint.post(endpoint.chat(response_format={"type": "xml"})), 400)


CHECKS = (
    Check("tools-auto", "tools are taken", _auto, is_optional=True),
    Check("tools-required", "a required tool is called, with JSON arguments", _required, is_optional=True),
    Check("tools-named", "a tool that is named is called", _named, is_optional=True),
    Check("tools-streamed", "pieces of a tool call make one call", _streamed, is_optional=True),
    Check("tools-answered", "the result of a call is taken", _answered_call, is_optional=True),
    Check("tools-unanswered", "a call without its result is refused", _unanswered_call),
    Check("tools-unknown", "a tool that was not given cannot be chosen", _unknown_choice),
    Check("format-schema", "an answer follows a JSON schema", _schema, is_optional=True),
    Check("format-object", "an answer is a JSON object", _json_object, is_optional=True),
    Check("format-text", "a format of text is taken", _plain),
    Check("format-unknown", "an unknown format is refused", _unknown_format),
)  # fmt: skip
