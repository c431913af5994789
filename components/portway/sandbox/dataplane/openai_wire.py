"""Chat completions as vLLM reads and writes them: its checks, its error objects, its chunks."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from portway.sandbox.dataplane.chat import Answer, Ask, Tool
from portway.sandbox.dataplane.text import Turn, count
from portway.sandbox.dataplane.vllm_arguments import Options

Json = dict[str, Any]
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
BAD_REQUEST, NOT_FOUND = 400, 404
ANY_OBJECT: Json = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
}


class Rejected(Exception):
    """The request cannot be served; ``status`` is also the error object's integer code."""

    def __init__(self, status: int, message: str, param: str | None = None) -> None:
        """Say why in ``message``, and which field is at fault in ``param``."""
        super().__init__(message)
        self.status = status
        self.param = param


def error_body(error: Rejected) -> str:
    """The error object of vLLM, in which ``code`` is an integer."""
    kind = "NotFoundError" if error.status == NOT_FOUND else "BadRequestError"
    body = {"message": str(error), "type": kind, "param": error.param, "code": error.status}
    return json.dumps({"error": body})


@dataclass(frozen=True)
class ChatRequest:
    """A request that passed every check; one ask per choice wanted."""

    model: str
    asks: tuple[Ask, ...]
    stream: bool
    include_usage: bool
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, identifier: str, answers: Sequence[Answer]) -> Json:
        """The ``chat.completion`` object."""
        choices = [
            {"index": index, "message": _message(answer), "logprobs": None,
             "finish_reason": answer.finish, "stop_reason": answer.stopped_by}
            for index, answer in enumerate(answers)
        ]  # fmt: skip
        return {
            "id": identifier, "object": "chat.completion", "created": self.created,
            "model": self.model, "choices": choices, "service_tier": None,
            "system_fingerprint": None, "usage": self._usage(answers), "prompt_logprobs": None,
        }  # fmt: skip

    def chunks(self, identifier: str, answers: Sequence[Answer]) -> Iterator[tuple[Json, bool]]:
        """Every ``chat.completion.chunk``, and whether a token is generated before it."""
        for index, answer in enumerate(answers):
            yield self._chunk(identifier, index, {"role": "assistant", "content": ""}), False
            yield from ((self._chunk(identifier, index, d), True) for d in _deltas(answer))
            last = self._chunk(identifier, index, {"content": ""})
            last["choices"][0] |= {"finish_reason": answer.finish, "stop_reason": answer.stopped_by}
            yield last, False
        if self.include_usage:
            final = self._chunk(identifier, 0, {})
            yield final | {"choices": [], "usage": self._usage(answers)}, False

    def _chunk(self, identifier: str, index: int, delta: Json) -> Json:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
        return {
            "id": identifier, "object": "chat.completion.chunk", "created": self.created,
            "model": self.model, "choices": [choice],
        }  # fmt: skip

    def _usage(self, answers: Sequence[Answer]) -> Json:
        prompt, generated = count(self.asks[0].turns), sum(a.output_tokens for a in answers)
        return {
            "prompt_tokens": prompt, "total_tokens": prompt + generated,
            "completion_tokens": generated, "prompt_tokens_details": None,
        }  # fmt: skip


def read_request(body: bytes, options: Options) -> ChatRequest:
    """Check a request in vLLM's order: JSON, fields, model, context.

    Raises:
        Rejected: with vLLM's status and error object.
    """
    try:
        given: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Rejected(
            BAD_REQUEST,
            f"[{{'type': 'json_invalid', 'msg': 'JSON decode error', 'ctx': {error!s}}}]",
        ) from error
    if not isinstance(given, dict):
        raise Rejected(
            BAD_REQUEST,
            "[{'type': 'dict_type', 'loc': ('body',), 'msg': 'Input should be a valid dictionary'}]",
        )
    fields = cast("Json", given)
    turns = _turns(fields.get("messages"))
    model = fields.get("model") or options.names[0]
    if model not in options.names:
        raise Rejected(NOT_FOUND, f"The model `{model}` does not exist.", "model")
    most = _most_tokens(fields, turns, options.context_tokens)
    tools, must_call = _tools(fields, auto=options.calls_tools)
    stop: Any = fields.get("stop") or []
    choices = _integer(fields, "n", 1)
    asks = tuple(
        Ask(turns, most, [stop] if isinstance(stop, str) else stop, tools, must_call,
            _schema(fields.get("response_format")), choice)
        for choice in range(choices)
    )  # fmt: skip
    usage: Any = fields.get("stream_options") or {}
    return ChatRequest(model, asks, bool(fields.get("stream")), bool(usage.get("include_usage")))


def _turns(messages: Any) -> list[Turn]:  # noqa: ANN401 - any JSON
    if not isinstance(messages, list):
        raise Rejected(
            BAD_REQUEST,
            "[{'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field required'}]",
        )
    turns: list[Turn] = []
    for index, message in enumerate(cast("list[Any]", messages)):
        role: Any = message.get("role") if isinstance(message, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any JSON
        if role not in ROLES:
            raise Rejected(
                BAD_REQUEST,
                f"[{{'type': 'value_error', 'loc': ('body', 'messages', {index}), 'msg': 'Input should have a known role'}}]",
            )
        turns.append(Turn(str(role), _content(message, index)))  # pyright: ignore[reportUnknownArgumentType] - any JSON
    if not turns:
        raise Rejected(BAD_REQUEST, "list index out of range")
    return turns


def _content(message: Mapping[str, Any], index: int) -> str:
    content: Any = message.get("content")
    if isinstance(content, str):
        return content
    if content is None:
        calls: list[Any] = message.get("tool_calls") or []
        return " ".join(str(call.get("function", {}).get("arguments", "")) for call in calls)
    if isinstance(content, list):
        parts = cast("list[Any]", content)
        return "\n".join(str(p.get("text", "")) for p in parts if isinstance(p, dict))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - any JSON
    raise Rejected(
        BAD_REQUEST,
        f"[{{'type': 'string_type', 'loc': ('body', 'messages', {index}, 'content'), 'msg': 'Input should be a valid string'}}]",
    )


def _integer(fields: Json, name: str, default: int) -> int:
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise Rejected(
            BAD_REQUEST,
            f"[{{'type': 'int_type', 'loc': ('body', '{name}'), 'msg': 'Input should be a valid integer'}}]",
        )
    if value < 1:
        raise Rejected(BAD_REQUEST, f"{name} must be at least 1, got {value}.", name)
    return value


def _most_tokens(fields: Json, turns: Sequence[Turn], context_tokens: int) -> int:
    prompt = count(turns)
    name = (
        "max_completion_tokens" if fields.get("max_completion_tokens") is not None else "max_tokens"
    )
    if prompt >= context_tokens:
        raise Rejected(
            BAD_REQUEST,
            f"This model's maximum context length is {context_tokens} tokens. However, your request has {prompt} input tokens. Please reduce the length of the input messages.",
            "input_tokens",
        )
    most = _integer(fields, name, context_tokens - prompt)
    if most > context_tokens - prompt:
        raise Rejected(
            BAD_REQUEST,
            f"'max_tokens' or 'max_completion_tokens' is too large: {most}. This model's maximum context length is {context_tokens} tokens and your request has {prompt} input tokens ({most} > {context_tokens} - {prompt}).",
            "max_tokens",
        )
    return most


def _tools(fields: Json, *, auto: bool) -> tuple[list[Tool], str | None]:
    given: list[Any] = fields.get("tools") or []
    try:
        tools = [Tool(t["function"]["name"], t["function"].get("parameters") or {}) for t in given]
    except (KeyError, TypeError, AttributeError) as error:
        raise Rejected(
            BAD_REQUEST, "[{'type': 'missing', 'loc': ('body', 'tools'), 'msg': 'Field required'}]"
        ) from error
    choice: Any = fields.get("tool_choice") or ("auto" if tools else "none")
    if choice == "none":
        return [], None
    if not tools:
        raise Rejected(BAD_REQUEST, "When using `tool_choice`, `tools` must be set.", "tool_choice")
    if choice == "auto":
        if not auto:
            raise Rejected(
                BAD_REQUEST,
                '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
            )
        return tools, None
    if choice == "required":
        return tools, ""
    name = choice.get("function", {}).get("name") if isinstance(choice, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any JSON
    if name not in [tool.name for tool in tools]:
        raise Rejected(
            BAD_REQUEST,
            "The tool specified in `tool_choice` does not match any of the specified `tools`",
            "tool_choice",
        )
    return tools, str(name)  # pyright: ignore[reportUnknownArgumentType] - any JSON


def _schema(response_format: Any) -> Mapping[str, Any] | None:  # noqa: ANN401 - any JSON
    form = cast("Json", response_format) if isinstance(response_format, dict) else {}
    match form.get("type"):
        case "json_object":
            return ANY_OBJECT
        case "json_schema":
            wrapper: Json = form.get("json_schema") or {}
            return wrapper.get("schema") or ANY_OBJECT
        case _:
            return None


def _message(answer: Answer) -> Json:
    call = answer.call
    calls = [] if call is None else [_call(call.id, call.name, call.arguments)]
    content = None if call else answer.text
    return {"role": "assistant", "content": content, "refusal": None, "tool_calls": calls}


def _call(identifier: str, name: str, arguments: str) -> Json:
    function = {"name": name, "arguments": arguments}
    return {"id": f"chatcmpl-tool-{identifier}", "type": "function", "function": function}


def _deltas(answer: Answer) -> Iterator[Json]:
    if answer.call is None:
        yield from ({"content": piece} for piece in answer.pieces)
        return
    call = answer.call
    half = len(call.arguments) // 2
    yield {"tool_calls": [{"index": 0, **_call(call.id, call.name, "")}]}
    for part in (call.arguments[:half], call.arguments[half:]):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": part}}]}
