"""What a request body must be, on every target alike."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.runtime.config import Config, read_config
from portway.runtime.errors import WireError
from portway.runtime.upstream import ChatRequest
from portway.runtime.validate import chat_request
from support.runtime_process import KEY, MODEL, environment

USER = {"role": "user", "content": "Hi"}
CONFIG: Config = read_config(environment("http://127.0.0.1:9", Path(KEY)))
FUNCTION = {"name": "f", "parameters": {"type": "object"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
REMOTE_IMAGE = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/x.png"}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def checked(**fields: object) -> ChatRequest:
    body = {"model": MODEL, "messages": [USER], **fields}
    return chat_request(json.dumps(body).encode(), CONFIG, "r")


def refused(data: bytes) -> tuple[int, str | None, str | None]:
    with pytest.raises(WireError) as caught:
        chat_request(data, CONFIG, "r")
    return caught.value.status, caught.value.param, caught.value.code


def refused_fields(**fields: object) -> tuple[int, str | None, str | None]:
    return refused(json.dumps({"model": MODEL, "messages": [USER], **fields}).encode())


def test_a_request_is_kept_without_its_nulls() -> None:
    assert checked(stream=True, temperature=None, stream_options={"include_usage": True}) == (
        ChatRequest(
            body={
                "model": MODEL,
                "messages": [USER],
                "stream": True,
                "stream_options": {"include_usage": True},
            },
            messages=[USER],
            stream=True,
            include_usage=True,
            max_tokens=None,
            default_max_tokens=50,
            request_id="r",
        )
    )


def test_the_newer_name_of_the_token_limit_wins() -> None:
    assert checked(max_completion_tokens=5, max_tokens=6).max_tokens == 5
    assert checked(max_tokens=6).max_tokens == 6


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe{\x00}\x00", b'{"a": NaN}', b"[" * 100_000],
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    assert refused(data) == (400, None, None)


WRONG: list[tuple[dict[str, Any], tuple[int, str | None, str | None]]] = [
    ({"model": None}, (400, "model", "missing_required_parameter")),
    ({"model": 3}, (400, "model", "invalid_type")),
    ({"model": "gpt-4o"}, (404, "model", "model_not_found")),
    ({"model": "\ud800"}, (404, "model", "model_not_found")),
    ({"messages": None}, (400, "messages", "missing_required_parameter")),
    ({"messages": []}, (400, "messages", None)),
    ({"messages": "Hi"}, (400, "messages", None)),
    ({"messages": ["Hi"]}, (400, "messages[0]", "invalid_type")),
    ({"messages": [USER, {"role": "robot"}]}, (400, "messages[1].role", None)),
    ({"messages": [{"role": ["user"]}]}, (400, "messages[0].role", None)),
    ({"messages": [{"role": "user"}]}, (400, "messages[0].content", None)),
    (
        {"messages": [{"role": "user", "content": 5}]},
        (400, "messages[0].content", "invalid_type"),
    ),
    (
        {"messages": [{"role": "user", "content": ["x"]}]},
        (400, "messages[0].content[0]", "invalid_type"),
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        (400, "messages[0].content[0].text", "invalid_type"),
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        (400, "messages[0].content[0].image_url", "invalid_type"),
    ),
    (
        {"messages": [USER, {"role": "tool", "content": "x"}]},
        (400, "messages[1].tool_call_id", None),
    ),
    (
        {"messages": [USER, {"role": "assistant", "tool_calls": {}}]},
        (400, "messages[1].tool_calls", "invalid_type"),
    ),
    (
        {"messages": [USER, {"role": "assistant", "tool_calls": [{"id": "c"}]}]},
        (400, "messages[1].tool_calls[0]", None),
    ),
    ({"messages": [USER, {"role": "function", "content": "x"}]}, (400, "messages[1].role", None)),
    (
        {"messages": [USER, {"role": "tool", "tool_call_id": "c", "content": "x"}]},
        (400, "messages[1].tool_call_id", None),
    ),
    (
        {"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}, USER]},
        (400, "messages[2]", None),
    ),
    (
        {"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}]},
        (400, "messages", None),
    ),
    (
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "[]"}}],
                }
            ]
        },
        (400, "messages[0].tool_calls[0].function.arguments", None),
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
        (400, "messages[0].content[0].type", "unsupported_value"),
    ),
    (
        {"messages": [{"role": "system", "content": [IMAGE]}]},
        (400, "messages[0].content[0].type", "unsupported_value"),
    ),
    (
        {"messages": [{"role": "user", "content": [REMOTE_IMAGE]}]},
        (400, "messages[0].content[0].image_url", "unsupported_value"),
    ),
    ({"messages": [{"role": "user", "content": "\ud800"}]}, (400, None, None)),
    ({"store": True}, (400, "store", "unsupported_parameter")),
    ({"modalities": ["text", "audio"]}, (400, "modalities", "unsupported_parameter")),
    ({"audio": {"voice": "x"}}, (400, "audio", "unsupported_parameter")),
    ({"functions": [FUNCTION]}, (400, "functions", "unsupported_parameter")),
    ({"function_call": "auto"}, (400, "function_call", "unsupported_parameter")),
    ({"web_search_options": {}}, (400, "web_search_options", "unsupported_parameter")),
    ({"service_tier": "scale"}, (400, "service_tier", "unsupported_value")),
    ({"temperature": 2.1}, (400, "temperature", "invalid_value")),
    ({"temperature": "1"}, (400, "temperature", "invalid_value")),
    ({"temperature": True}, (400, "temperature", "invalid_value")),
    ({"top_p": -0.1}, (400, "top_p", "invalid_value")),
    ({"stream": "yes"}, (400, "stream", "invalid_value")),
    ({"n": 2}, (400, "n", "unsupported_parameter")),
    ({"n": 0}, (400, "n", "invalid_value")),
    ({"max_tokens": 0}, (400, "max_tokens", "invalid_value")),
    ({"max_tokens": 1.5}, (400, "max_tokens", "invalid_value")),
    ({"max_tokens": 51}, (400, "max_tokens", "invalid_value")),
    ({"max_completion_tokens": 101}, (400, "messages", "context_length_exceeded")),
    ({"stop": ["a", "b", "c", "d", "e"]}, (400, "stop", "invalid_value")),
    ({"stop": [1]}, (400, "stop", "invalid_value")),
    ({"seed": "x"}, (400, "seed", "invalid_value")),
    ({"logit_bias": {"1": 101}}, (400, "logit_bias", "invalid_value")),
    ({"top_logprobs": 2}, (400, "top_logprobs", None)),
    ({"metadata": {"a": 1}}, (400, "metadata", "invalid_value")),
    ({"stream_options": {}}, (400, "stream_options", None)),
    (
        {"stream": True, "stream_options": {"include_usage": 1}},
        (400, "stream_options.include_usage", "invalid_type"),
    ),
    (
        {"stream": True, "stream_options": {"include_obfuscation": True}},
        (400, "stream_options.include_obfuscation", "unsupported_value"),
    ),
    (
        {"stream": True, "stream_options": {"continuous_usage_stats": True}},
        (400, "stream_options.continuous_usage_stats", "unsupported_parameter"),
    ),
    ({"tools": []}, (400, "tools", "invalid_type")),
    ({"tools": [{"type": "custom"}]}, (400, "tools[0].type", "unsupported_value")),
    (
        {"tools": [{"type": "function", "function": {"name": "a b"}}]},
        (400, "tools[0].function.name", None),
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "a", "parameters": "x"}}]},
        (400, "tools[0].function.parameters", "invalid_type"),
    ),
    ({"tool_choice": "auto"}, (400, "tool_choice", None)),
    ({"tool_choice": ["auto"]}, (400, "tool_choice", "unsupported_value")),
    (
        {
            "tools": [{"type": "function", "function": FUNCTION}],
            "tool_choice": {"type": "function", "function": {"name": ["g"]}},
        },
        (400, "tool_choice", None),
    ),
    ({"response_format": "json"}, (400, "response_format", None)),
    (
        {"response_format": {"type": "json_schema"}},
        (400, "response_format.json_schema", None),
    ),
]


@pytest.mark.parametrize(("fields", "expected"), WRONG)
def test_a_wrong_field_is_named(
    fields: dict[str, Any], expected: tuple[int, str | None, str | None]
) -> None:
    assert refused_fields(**fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 2, "top_p": 1, "n": 1, "stop": "x", "seed": -1, "top_k": 5},
        {"logprobs": True, "top_logprobs": 20, "presence_penalty": -2, "logit_bias": {"5": -100}},
        {"tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "required"},
        {"tool_choice": "none"},
        {"store": False, "modalities": ["text"], "functions": [], "service_tier": "flex"},
        {"messages": [{"role": "user", "content": [IMAGE]}]},
        {"messages": [{"role": "user", "content": "😀"}]},
        {"response_format": {"type": "json_object"}},
        {
            "messages": [
                {"role": "developer", "content": "x"},
                USER,
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": ""}]},
            ]
        },
    ],
)
def test_what_openai_allows_passes(fields: dict[str, Any]) -> None:
    expected = {"model": MODEL, "messages": [USER], **fields}
    assert checked(**fields).body == expected


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["messages", "tools", "tool_choice", "response_format", "stop", "stream_options", "stream", "n"]
)


@given(st.dictionaries(NAMES, JSON, max_size=3))
def test_any_json_is_accepted_or_refused_but_never_a_fault(fields: dict[str, Any]) -> None:
    body = {"model": MODEL, "messages": [USER], **fields}
    status = 200
    try:
        chat_request(json.dumps(body).encode(), CONFIG, "r")
    except WireError as error:
        status = error.status
    assert status in {200, 400}
