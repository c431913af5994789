"""Converse requests and answers: Bedrock's checks, its objects and its stream events."""

import json
from collections.abc import Iterator
from typing import Any, cast

from portway.sandbox.dataplane.chat import Answer, Ask, Tool
from portway.sandbox.dataplane.text import Turn, count
from portway.sandbox.dataplane.world import child, items, text

Json = dict[str, Any]
_STOP_REASONS = {
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "guardrail_intervened",
}


class Invalid(Exception):
    """A ValidationException; the text is Bedrock's."""


def read(body: bytes, context_tokens: int) -> Ask:
    """The question in a Converse request.

    Raises:
        Invalid: Bedrock would refuse it.
    """
    fields = body_of(body)
    turns = _turns(fields)
    if count(turns) >= context_tokens:
        raise Invalid("Input is too long for requested model.")
    config = child(fields, "inferenceConfig")
    for name in ("temperature", "topP"):
        if config.get(name) is not None and not 0 <= config[name] <= 1:
            raise Invalid(
                f"1 validation error detected: Value '{config[name]}' at 'inferenceConfig.{name}' failed to satisfy constraint: Member must have value less than or equal to 1"
            )
    most = config.get("maxTokens") or context_tokens - count(turns)
    if most > context_tokens:
        raise Invalid(
            f"The maximum tokens you requested exceeds the model limit of {context_tokens}. Try again with a maximum tokens value that is lower than {context_tokens}."
        )
    tools, must_call = _tools(child(fields, "toolConfig"))
    return Ask(turns, most, config.get("stopSequences") or [], tools, must_call, _schema(fields))


def body_of(body: bytes) -> Json:
    """The JSON object that a request is.

    Raises:
        Invalid: it is none.
    """
    try:
        given: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("The request body is not valid JSON.") from error
    if not isinstance(given, dict):
        raise Invalid("The request body is not a JSON object.")
    return cast("Json", given)


def whole(ask: Ask, answer: Answer, milliseconds: int) -> Json:
    """The answer of Converse."""
    content: list[Json]
    if answer.call is None:
        content = [{"text": answer.text}]
    else:
        content = [{"toolUse": _tool_use(answer) | {"input": json.loads(answer.call.arguments)}}]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _stop_reason(answer),
        **_metadata(ask, answer, milliseconds),
    }


def events(ask: Ask, answer: Answer, milliseconds: int) -> Iterator[tuple[str, Json]]:
    """The events of ConverseStream in order; plain text has no ``contentBlockStart``."""
    yield "messageStart", {"role": "assistant"}
    if answer.call is None:
        deltas = [{"text": piece} for piece in answer.pieces]
    else:
        yield "contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": _tool_use(answer)}}
        half = len(answer.call.arguments) // 2
        parts = (answer.call.arguments[:half], answer.call.arguments[half:])
        deltas = [{"toolUse": {"input": part}} for part in parts]
    for delta in deltas:
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": delta}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    yield "messageStop", {"stopReason": _stop_reason(answer)}
    yield "metadata", _metadata(ask, answer, milliseconds)


def _turns(fields: Json) -> list[Turn]:
    messages = items(fields, "messages")
    if not messages:
        raise Invalid("The messages field is required and must have at least one message.")
    if messages[0].get("role") != "user":
        raise Invalid(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message."
        )
    turns = [Turn("system", str(part.get("text", ""))) for part in items(fields, "system")]
    for index, message in enumerate(messages):
        role = message.get("role")
        if role not in ("user", "assistant"):
            raise Invalid(
                f"1 validation error detected: Value '{role}' at 'messages.{index + 1}.member.role' failed to satisfy constraint: Member must satisfy enum value set: [user, assistant]"
            )
        if index and messages[index - 1].get("role") == role:
            raise Invalid(
                "Roles must alternate between user and assistant. Try again with alternating roles."
            )
        content = items(message, "content")
        if not content:
            raise Invalid(
                f"The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the content field and try again."
            )
        turns += [_turn(role, block) for block in content]
    return turns


def _turn(role: str, block: Json) -> Turn:
    if "text" in block:
        return Turn(role, str(block["text"]))
    if "toolUse" in block:
        return Turn(role, json.dumps(block["toolUse"].get("input"), ensure_ascii=False))
    parts = items(child(block, "toolResult"), "content")
    texts = [str(p["text"]) if "text" in p else json.dumps(p.get("json")) for p in parts]
    return Turn("tool" if "toolResult" in block else role, "\n".join(texts))


def _tools(config: Json) -> tuple[list[Tool], str | None]:
    specs = [child(tool, "toolSpec") for tool in items(config, "tools")]
    tools = [Tool(str(s.get("name")), child(child(s, "inputSchema"), "json")) for s in specs]
    choice = child(config, "toolChoice")
    if "any" in choice:
        return tools, ""
    if "tool" in choice:
        name = str(choice["tool"].get("name"))
        if name not in [tool.name for tool in tools]:
            raise Invalid(f"The tool {name} in toolChoice is not one of the tools of toolConfig.")
        return tools, name
    return tools, None


def _schema(fields: Json) -> Json | None:
    form = child(child(fields, "outputConfig"), "textFormat")
    schema = child(child(form, "structure"), "jsonSchema")
    if form.get("type") != "json_schema":
        return None
    try:
        return cast("Json", json.loads(text(schema, "schema")))
    except ValueError as error:
        raise Invalid(
            "outputConfig.textFormat.structure.jsonSchema.schema is not a JSON schema."
        ) from error


def _tool_use(answer: Answer) -> Json:
    assert answer.call is not None
    return {"toolUseId": f"tooluse_{answer.call.id[:22]}", "name": answer.call.name}


def _stop_reason(answer: Answer) -> str:
    if answer.stopped_by is not None:
        return "stop_sequence"
    return _STOP_REASONS.get(answer.finish, "end_turn")


def _metadata(ask: Ask, answer: Answer, milliseconds: int) -> Json:
    prompt = count(ask.turns)
    usage = {
        "inputTokens": prompt,
        "outputTokens": answer.output_tokens,
        "totalTokens": prompt + answer.output_tokens,
    }
    return {"usage": usage, "metrics": {"latencyMs": milliseconds}}
