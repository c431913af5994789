"""An OpenAI chat request as the arguments of Bedrock's Converse, or a refusal. Pure.

What Converse cannot honour is refused with `unsupported_parameter` or `unsupported_value`; nothing
is dropped or clamped. Shapes and limits: the AWS SDK's `bedrock-runtime` model, `ConverseRequest`.
"""

import json
import re

from .bedrock_messages import conversation, uses_tools
from .bedrock_schema import tool_schema
from .errors import invalid, unsupported, unsupported_value
from .jsons import JsonObject, as_list, as_object, as_text
from .upstream import ChatRequest

_HONOURED = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "n",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "stop",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning_effort",
        "service_tier",
        "user",
        "safety_identifier",
        "metadata",
    }
)
_WITHOUT_EFFECT: dict[str, tuple[object, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "parallel_tool_calls": (True,),
    "store": (False,),
    "modalities": (["text"],),
    "functions": ([],),
}
"""Values that ask for nothing, so that accepting them drops nothing."""

_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}")
_MOST_METADATA = 16
_REASONING_FAMILY = "openai.gpt-oss"
_EFFORTS = ("low", "medium", "high")


def converse_arguments(request: ChatRequest, model_id: str) -> JsonObject:
    """The keyword arguments of `converse` and `converse_stream`.

    `maxTokens` is always there: Bedrock reserves quota for the model's maximum when it is not.

    Raises:
        WireError: 400 naming the field that Bedrock cannot honour.
    """
    body = request.body
    _refuse_unknown(body)
    system, messages = conversation(request.messages)
    arguments: JsonObject = {
        "modelId": model_id,
        "messages": messages,
        "inferenceConfig": _inference(request),
    }
    if system:
        arguments["system"] = system
    tools = _tool_config(body, history=uses_tools(messages))
    if tools is not None:
        arguments["toolConfig"] = tools
    output = _output_config(body.get("response_format"))
    if output is not None:
        arguments["outputConfig"] = output
    if (tier := _service_tier(body.get("service_tier"))) is not None:
        arguments["serviceTier"] = {"type": tier}
    if labels := _request_metadata(body):
        arguments["requestMetadata"] = labels
    if (effort := body.get("reasoning_effort")) is not None:
        arguments["additionalModelRequestFields"] = _reasoning(effort, model_id)
    return arguments


def _refuse_unknown(body: JsonObject) -> None:
    for name, value in body.items():
        if name in _HONOURED or value in _WITHOUT_EFFECT.get(name, ()):
            continue
        if name == "parallel_tool_calls" and not body.get("tools"):
            continue
        raise unsupported(name, f"'{name}' is not supported by this model's service; leave it out.")


def _inference(request: ChatRequest) -> JsonObject:
    body = request.body
    found: JsonObject = {"maxTokens": request.max_tokens or request.default_max_tokens}
    if "temperature" in body:
        if body["temperature"] > 1:
            raise unsupported_value(
                "temperature",
                f"'temperature' is {body['temperature']:g}; this model's service takes 0 to 1.",
            )
        found["temperature"] = body["temperature"]
    if "top_p" in body:
        found["topP"] = body["top_p"]
    given = body.get("stop")
    stops = [given] if isinstance(given, str) else as_list(given) or []
    if sequences := [stop for stop in stops if stop]:
        found["stopSequences"] = sequences
    return found


def _tool_config(body: JsonObject, *, history: bool) -> JsonObject | None:
    tools = as_list(body.get("tools")) or []
    choice: object = body.get("tool_choice")
    if not tools and history:
        raise invalid(
            "'tools' must be given when the messages contain tool calls or tool results.", "tools"
        )
    if not tools:
        return None
    if choice == "none":
        if history:
            raise unsupported_value(
                "tool_choice",
                "'tool_choice' cannot be 'none' after tool calls on this model's service.",
            )
        return None
    specs = [
        _tool_spec(tool["function"], f"tools[{i}].function.parameters")
        for i, tool in enumerate(tools)
    ]
    config: JsonObject = {"tools": [{"toolSpec": spec} for spec in specs]}
    if choice == "required":
        config["toolChoice"] = {"any": {}}
    elif (named := as_object(choice)) is not None:
        config["toolChoice"] = {"tool": {"name": named["function"]["name"]}}
    elif choice == "auto":
        config["toolChoice"] = {"auto": {}}
    return config


def _tool_spec(function: JsonObject, path: str) -> JsonObject:
    given = as_object(function.get("parameters")) or {"properties": {}}
    schema = tool_schema(given, path)
    spec: JsonObject = {"name": function["name"], "inputSchema": {"json": schema}}
    if description := as_text(function.get("description")):
        spec["description"] = description
    if function.get("strict"):
        spec["strict"] = True
    return spec


def _output_config(value: object) -> JsonObject | None:
    chosen = as_object(value)
    if chosen is None or chosen["type"] == "text":
        return None
    if chosen["type"] == "json_object":
        raise unsupported_value(
            "response_format",
            "'response_format' of type 'json_object' is not supported by this model's service; "
            "use 'json_schema'.",
        )
    wanted: JsonObject = chosen["json_schema"]
    schema: JsonObject = {"schema": json.dumps(wanted["schema"])}
    for name in ("name", "description"):
        if text := as_text(wanted.get(name)):
            schema[name] = text
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}


def _service_tier(tier: object) -> str | None:
    if tier in (None, "auto", "default"):
        return None
    return str(tier)


def _request_metadata(body: JsonObject) -> dict[str, str]:
    labels: dict[str, str] = dict(body.get("metadata") or {})
    for name in ("user", "safety_identifier"):
        if name in body:
            labels[name] = body[name]
    for name, value in labels.items():
        if not (_METADATA.fullmatch(name) and (not value or _METADATA.fullmatch(value))):
            param = name if name in {"user", "safety_identifier"} else "metadata"
            raise unsupported_value(
                param,
                f"'{param}' must be at most 256 letters, digits, spaces or : _ @ $ # = / + , . - "
                "on this model's service.",
            )
    if len(labels) > _MOST_METADATA:
        raise unsupported_value(
            "metadata", f"'metadata' and 'user' hold more than {_MOST_METADATA} pairs."
        )
    return labels


def _reasoning(effort: str, model_id: str) -> JsonObject:
    if _REASONING_FAMILY not in model_id:
        raise unsupported(
            "reasoning_effort", "'reasoning_effort' is not supported by this model; leave it out."
        )
    if effort not in _EFFORTS:
        raise unsupported_value(
            "reasoning_effort", f"'reasoning_effort' must be one of {', '.join(_EFFORTS)}."
        )
    return {"reasoning_effort": effort}
