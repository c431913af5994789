"""OpenAI to Converse and back, as pure functions."""

import base64
import json
from typing import Any, cast

import botocore.session
import pytest
from botocore.validate import ParamValidator

from portway.runtime.aws import AwsError
from portway.runtime.bedrock_answer import FINISH_REASONS, chunks, completion, finish_reason, usage
from portway.runtime.bedrock_errors import translate
from portway.runtime.bedrock_request import converse_arguments
from portway.runtime.errors import WireError
from portway.runtime.origin import BrokenAnswer, Unanswered, Unreached
from portway.runtime.upstream import ChatRequest
from support.runtime_process import MODEL

PIXEL = base64.b64encode(b"pixel").decode()
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "", "parameters": {"type": "object"}},
}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
}
USER = {"role": "user", "content": "Hi"}


def request(**body: Any) -> ChatRequest:
    body.setdefault("messages", [USER])
    return ChatRequest(
        body={"model": MODEL, **body},
        messages=body["messages"],
        stream=False,
        include_usage=False,
        max_tokens=body.get("max_tokens"),
        default_max_tokens=50,
        request_id="r",
    )


def mapped(model_id: str = "m.m", **body: Any) -> dict[str, Any]:
    arguments = converse_arguments(request(**body), model_id)
    assert valid(arguments) == ""
    assert arguments.pop("modelId") == model_id
    return arguments


def bedrock_model() -> Any:
    """The AWS SDK's own description of Bedrock; it has no types."""
    return cast("Any", botocore.session).get_session().get_service_model("bedrock-runtime")


def valid(arguments: dict[str, Any]) -> str:
    """What the AWS SDK's own model objects to, empty when nothing."""
    shape = bedrock_model().operation_model("Converse").input_shape
    return cast("str", cast("Any", ParamValidator()).validate(arguments, shape).generate_report())


def refusal(**body: Any) -> tuple[str | None, str | None]:
    with pytest.raises(WireError) as caught:
        converse_arguments(request(**body), "m.m")
    assert caught.value.status == 400
    return caught.value.param, caught.value.code


def test_a_conversation_becomes_alternating_turns() -> None:
    messages = [
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "One"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Two"},
                {"type": "text", "text": "  "},
                {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PIXEL}"}},
            ],
        },
        {"role": "assistant", "content": "", "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
        {"role": "tool", "tool_call_id": "call_2", "content": ""},
        {"role": "tool", "tool_call_id": "call_1", "content": "Sun"},
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "So?"},
        {"role": "assistant", "content": None},
    ]
    use = {"name": "weather", "input": {"city": "Paris"}}
    assert mapped(messages=messages, tools=[TOOL]) == {
        "system": [{"text": "Be kind."}, {"text": "Be brief."}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "One"},
                    {"text": "Two"},
                    {"image": {"format": "jpeg", "source": {"bytes": b"pixel"}}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"toolUse": {"toolUseId": "call_1", **use}},
                    {"toolUse": {"toolUseId": "call_2", **use}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "call_2", "content": [{"text": "(no output)"}]}},
                    {"toolResult": {"toolUseId": "call_1", "content": [{"text": "Sun"}]}},
                    {"text": "So?"},
                ],
            },
        ],
        "inferenceConfig": {"maxTokens": 50},
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}
            ]
        },
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_tokens": 7}, {"inferenceConfig": {"maxTokens": 7}}),
        (
            {"temperature": 1, "top_p": 0.5, "stop": ["END", ""]},
            {
                "inferenceConfig": {
                    "maxTokens": 50,
                    "temperature": 1,
                    "topP": 0.5,
                    "stopSequences": ["END"],
                }
            },
        ),
        ({"stop": ""}, {}),
        ({"n": 1, "logprobs": False, "presence_penalty": 0.0, "logit_bias": {}}, {}),
        ({"parallel_tool_calls": False}, {}),
        ({"service_tier": "auto"}, {}),
        ({"service_tier": "flex"}, {"serviceTier": {"type": "flex"}}),
        (
            {"user": "u-1", "metadata": {"team": "a b"}},
            {"requestMetadata": {"team": "a b", "user": "u-1"}},
        ),
        ({"response_format": {"type": "text"}}, {}),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "city", "schema": {"type": "object"}, "strict": True},
                }
            },
            {
                "outputConfig": {
                    "textFormat": {
                        "type": "json_schema",
                        "structure": {
                            "jsonSchema": {"schema": '{"type": "object"}', "name": "city"}
                        },
                    }
                }
            },
        ),
        ({"tools": [TOOL], "tool_choice": "none"}, {}),
    ],
)
def test_a_field_is_honoured(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    plain = mapped()
    assert mapped(**fields) == {**plain, **expected}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ({"type": "function", "function": {"name": "weather"}}, {"tool": {"name": "weather"}}),
        (None, None),
    ],
)
def test_a_tool_choice_keeps_its_meaning(choice: object, expected: object) -> None:
    fields: dict[str, Any] = {} if choice is None else {"tool_choice": choice}
    assert mapped(tools=[TOOL], **fields)["toolConfig"].get("toolChoice") == expected


def test_a_strict_tool_stays_strict() -> None:
    tool = {"type": "function", "function": {"name": "t", "strict": True}}
    assert mapped(tools=[tool])["toolConfig"]["tools"] == [
        {
            "toolSpec": {
                "name": "t",
                "inputSchema": {"json": {"type": "object", "properties": {}}},
                "strict": True,
            }
        }
    ]


def test_reasoning_effort_is_for_the_family_that_has_it() -> None:
    assert mapped("openai.gpt-oss-20b-1:0", reasoning_effort="low")[
        "additionalModelRequestFields"
    ] == {"reasoning_effort": "low"}
    assert refusal(reasoning_effort="low") == ("reasoning_effort", "unsupported_parameter")


REFUSED_FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({"temperature": 1.2}, "temperature", "unsupported_value"),
    ({"seed": 0}, "seed", "unsupported_parameter"),
    ({"logprobs": True}, "logprobs", "unsupported_parameter"),
    ({"frequency_penalty": 0.1}, "frequency_penalty", "unsupported_parameter"),
    ({"presence_penalty": -1}, "presence_penalty", "unsupported_parameter"),
    ({"logit_bias": {"1": 5}}, "logit_bias", "unsupported_parameter"),
    ({"store": True}, "store", "unsupported_parameter"),
    ({"top_k": 5}, "top_k", "unsupported_parameter"),
    ({"functions": [{}]}, "functions", "unsupported_parameter"),
    ({"modalities": ["audio"]}, "modalities", "unsupported_parameter"),
    (
        {"tools": [TOOL], "parallel_tool_calls": False},
        "parallel_tool_calls",
        "unsupported_parameter",
    ),
    ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_value"),
    ({"user": "é"}, "user", "unsupported_value"),
    ({"metadata": {str(i): "" for i in range(17)}}, "metadata", "unsupported_value"),
]


@pytest.mark.parametrize(("fields", "param", "code"), REFUSED_FIELDS)
def test_what_bedrock_cannot_honour_is_refused_by_name(
    fields: dict[str, Any], param: str, code: str
) -> None:
    assert refusal(**fields) == (param, code)


REFUSED_MESSAGES: list[tuple[list[dict[str, Any]], str]] = [
    ([{"role": "system", "content": "x"}], "messages"),
    ([{"role": "assistant", "content": "x"}, USER], "messages"),
    ([{"role": "user", "content": " "}], "messages[0].content"),
    (
        [USER, {"role": "assistant", "tool_calls": [{**CALL, "id": "a b"}]}],
        "messages[1].tool_calls[0].id",
    ),
    (
        [
            USER,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        ],
        "tools",
    ),
]


@pytest.mark.parametrize(("messages", "param"), REFUSED_MESSAGES)
def test_a_message_without_a_place_in_converse_is_refused(
    messages: list[dict[str, Any]], param: str
) -> None:
    assert refusal(messages=messages)[0] == param


def test_calls_cannot_be_forbidden_after_calls() -> None:
    messages = [
        USER,
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
    ]
    found = refusal(messages=messages, tools=[TOOL], tool_choice="none")
    assert found == ("tool_choice", "unsupported_value")


def test_usage_counts_cached_tokens_within_the_prompt() -> None:
    counted = {
        "inputTokens": 10,
        "outputTokens": 3,
        "totalTokens": 18,
        "cacheReadInputTokens": 4,
        "cacheWriteInputTokens": 1,
    }
    assert usage(counted) == {
        "prompt_tokens": 15,
        "completion_tokens": 3,
        "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
    }


def response(content: list[dict[str, Any]], stop: str = "end_turn") -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop,
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    }


def test_text_and_calls_and_reasoning_are_all_kept() -> None:
    answer = completion(
        response(
            [
                {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "s"}}},
                {"reasoningContent": {"redactedContent": b"x"}},
                {"text": "Let me "},
                {"text": "look."},
                {"citationsContent": {"content": [{"text": " See."}], "citations": []}},
                {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {}}},
            ],
            "tool_use",
        )
    )
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Let me look. See.",
                "reasoning_content": "Hm",
                "tool_calls": [
                    {
                        "id": "t1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": "{}"},
                    }
                ],
            },
            "finish_reason": "tool_calls",
        }
    ]


def test_content_is_null_only_beside_calls() -> None:
    call = {"toolUse": {"toolUseId": "t1", "name": "w", "input": {"a": 1}}}
    assert completion(response([call], "tool_use"))["choices"][0]["message"]["content"] is None
    assert completion(response([]))["choices"][0]["message"]["content"] == ""


def test_every_stop_reason_of_bedrock_has_a_meaning() -> None:
    known = set(bedrock_model().shape_for("StopReason").enum)
    failures = {"malformed_model_output", "malformed_tool_use"}
    assert known - failures <= set(FINISH_REASONS)
    for reason in (*failures, "something_new"):
        with pytest.raises(WireError) as caught:
            finish_reason(reason)
        assert caught.value.status == 502


def test_a_picture_is_no_text_answer() -> None:
    with pytest.raises(WireError) as caught:
        completion(response([{"image": {}}]))
    assert (caught.value.status, caught.value.detail) == (502, "image")


def events(*made: dict[str, Any]) -> list[dict[str, Any]]:
    last: dict[str, Any] = {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}
    return [*made, {"messageStop": {"stopReason": "tool_use"}}, {"metadata": last}]


def test_streamed_calls_are_numbered_densely_and_have_valid_arguments() -> None:
    def start(block: int, name: str) -> dict[str, Any]:
        use = {"toolUseId": f"t{block}", "name": name}
        return {"contentBlockStart": {"start": {"toolUse": use}, "contentBlockIndex": block}}

    def delta(block: int, value: dict[str, Any]) -> dict[str, Any]:
        return {"contentBlockDelta": {"delta": value, "contentBlockIndex": block}}

    made = events(
        {"messageStart": {"role": "assistant"}},
        delta(0, {"reasoningContent": {"text": "Hm"}}),
        delta(0, {"reasoningContent": {"signature": "s"}}),
        {"contentBlockStop": {"contentBlockIndex": 0}},
        start(1, "a"),
        delta(1, {"toolUse": {"input": ""}}),
        {"contentBlockStop": {"contentBlockIndex": 1}},
        start(3, "b"),
        delta(3, {"toolUse": {"input": '{"x":'}}),
        delta(3, {"toolUse": {"input": "1}"}}),
        {"contentBlockStop": {"contentBlockIndex": 3}},
    )
    found = list(chunks(made))
    deltas = [piece["choices"][0]["delta"] for piece in found[:-1]]
    assert deltas[:2] == [{"role": "assistant", "content": ""}, {"reasoning_content": "Hm"}]
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert [(c["index"], c.get("id"), c["function"].get("name")) for c in calls] == [
        (0, "t1", "a"),
        (0, None, None),
        (1, "t3", "b"),
        (1, None, None),
        (1, None, None),
    ]
    joined = ["".join(c["function"]["arguments"] for c in calls if c["index"] == i) for i in (0, 1)]
    assert [json.loads(text) for text in joined] == [{}, {"x": 1}]
    assert found[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert found[-1]["usage"]["total_tokens"] == 2


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_stream_that_ends_early_is_never_finished(kept: int) -> None:
    made = [{"messageStart": {"role": "assistant"}}, {"messageStop": {"stopReason": "end_turn"}}]
    with pytest.raises(WireError) as caught:
        list(chunks(made[:kept]))
    assert (caught.value.status, caught.value.code) == (502, "upstream_error")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (AwsError("ValidationException", "bad"), 400, None),
        (
            AwsError("ValidationException", "Input is too long for requested model."),
            400,
            "context_length_exceeded",
        ),
        (
            AwsError("ValidationException", "The provided model identifier is invalid."),
            404,
            "model_not_found",
        ),
        (AwsError("ResourceNotFoundException", "x"), 404, "model_not_found"),
        (AwsError("AccessDeniedException", "x"), 403, "permission_denied"),
        (AwsError("ThrottlingException", "x"), 429, "rate_limit_exceeded"),
        (AwsError("throttlingException", "x"), 429, "rate_limit_exceeded"),
        (AwsError("ServiceQuotaExceededException", "x"), 429, "rate_limit_exceeded"),
        (AwsError("ModelNotReadyException", "x"), 429, "rate_limit_exceeded"),
        (AwsError("ModelTimeoutException", "x"), 504, "deadline_exceeded"),
        (AwsError("ModelErrorException", "x"), 502, "upstream_error"),
        (AwsError("modelStreamErrorException", "x"), 502, "upstream_error"),
        (AwsError("InternalServerException", "x"), 502, "upstream_error"),
        (AwsError("ServiceUnavailableException", "x"), 503, "upstream_unavailable"),
        (AwsError("ExpiredTokenException", "x"), 500, "internal_error"),
        (Unreached(), 503, "upstream_unavailable"),
        (Unanswered(), 503, "upstream_unavailable"),
        (BrokenAnswer(), 502, "upstream_error"),
        (TimeoutError(), 504, "deadline_exceeded"),
        (RuntimeError(), 502, "upstream_error"),
    ],
)
def test_every_failure_of_bedrock_has_a_status_that_clients_understand(
    error: Exception, status: int, code: str | None
) -> None:
    found = translate(error, MODEL)
    assert (found.status, found.code) == (status, code)
    assert (found.retry_after_seconds is not None) is (status in {429, 503})


def test_resource_names_do_not_leave_in_a_message() -> None:
    text = "No access to arn:aws:bedrock:eu-west-1:111122223333:x/y in 111122223333"
    found = translate(AwsError("ValidationException", text), MODEL)
    assert found.message == "The model refused the request: No access to [resource] in [account]"
