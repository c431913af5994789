"""OpenAI messages as Converse turns. Pure.

Converse wants a `user` turn first, then strictly alternating turns; system text apart; tool
results inside the user turn that follows their calls; and no blank text anywhere.
"""

import re

from .errors import invalid, unsupported_value
from .images import read_image
from .jsons import JsonObject, as_list, as_text, decode

_TOOL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_NO_OUTPUT = "(no output)"
MOST_IMAGES = 20
"""Of one request (the AWS SDK's `bedrock-runtime` model, `Message.content`)."""


def conversation(messages: list[JsonObject]) -> tuple[list[JsonObject], list[JsonObject]]:
    """The system blocks, from wherever in the conversation, and the merged turns.

    The messages have passed `validate_messages`.

    Raises:
        WireError: 400 naming the message that has no place in Converse.
    """
    system: list[JsonObject] = []
    turns: list[JsonObject] = []
    for i, message in enumerate(messages):
        path, role = f"messages[{i}]", message["role"]
        if role in {"system", "developer"}:
            system += _blocks(message, path)
        elif role == "tool":
            _append(turns, "user", [_tool_result(message, path)])
        elif role == "user":
            blocks = _blocks(message, path)
            if not blocks:
                raise invalid(f"'{path}.content' is blank.", f"{path}.content")
            _append(turns, "user", blocks)
        else:
            _append(turns, "assistant", _assistant(message, path))
    pictures = sum("image" in block for turn in turns for block in _flat(turn["content"]))
    if pictures > MOST_IMAGES:
        raise unsupported_value(
            "messages",
            f"'messages' hold {pictures} images; this model's service takes {MOST_IMAGES}.",
        )
    if not turns or turns[0]["role"] != "user":
        raise invalid("The conversation must start with a user message.", "messages")
    return system, turns


def uses_tools(turns: list[JsonObject]) -> bool:
    """Whether the conversation contains tool calls or results."""
    return any("toolUse" in b or "toolResult" in b for turn in turns for b in turn["content"])


def _flat(blocks: list[JsonObject]) -> list[JsonObject]:
    """The blocks, and those inside tool results."""
    inside = [part for one in blocks for part in one.get("toolResult", {}).get("content", [])]
    return [*blocks, *inside]


def _append(turns: list[JsonObject], role: str, blocks: list[JsonObject]) -> None:
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    elif blocks:
        turns.append({"role": role, "content": blocks})


def _blocks(message: JsonObject, path: str) -> list[JsonObject]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"text": content}] if content.strip() else []
    blocks: list[JsonObject] = []
    for i, part in enumerate(as_list(content) or []):
        where = f"{path}.content[{i}]"
        kind = part["type"]
        if kind in {"text", "refusal"}:
            text = as_text(part.get(kind)) or ""
            blocks += [{"text": text}] if text.strip() else []
        else:
            blocks.append(_image(part["image_url"]["url"], where))
    return blocks


def _image(url: str, path: str) -> JsonObject:
    kind, data = read_image(url, path)
    return {"image": {"format": kind, "source": {"bytes": data}}}


def _assistant(message: JsonObject, path: str) -> list[JsonObject]:
    blocks = _blocks(message, path)
    if refusal := as_text(message.get("refusal")):
        blocks.append({"text": refusal})
    for i, call in enumerate(as_list(message.get("tool_calls")) or []):
        where = f"{path}.tool_calls[{i}]"
        function: JsonObject = call["function"]
        if not _TOOL_ID.fullmatch(call["id"]):
            raise unsupported_value(
                f"{where}.id", f"'{where}.id' must be 1 to 64 letters, digits or _ . : -"
            )
        given = decode(function["arguments"].encode() or b"{}")
        use = {"toolUseId": call["id"], "name": function["name"], "input": given}
        blocks.append({"toolUse": use})
    return blocks


def _tool_result(message: JsonObject, path: str) -> JsonObject:
    # Converse refuses an empty result, which OpenAI allows.
    content = _blocks(message, path) or [{"text": _NO_OUTPUT}]
    return {"toolResult": {"toolUseId": message["tool_call_id"], "content": content}}
