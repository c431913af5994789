"""OpenAI messages as Converse turns. Pure.

Converse wants a `user` turn first, then strictly alternating turns; system text apart; tool
results inside the user turn that follows their calls; and no blank text anywhere.
"""

import base64
import binascii
import re

from .errors import WireError, invalid, unsupported_value
from .jsons import JsonObject, as_list, as_object, as_text, decode

_IMAGE = re.compile(r"data:image/(png|jpe?g|gif|webp);base64,(.+)", re.DOTALL)
_TOOL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_NO_OUTPUT = "(no output)"


def conversation(messages: list[JsonObject]) -> tuple[list[JsonObject], list[JsonObject]]:
    """The system blocks, from wherever in the conversation, and the merged turns.

    Raises:
        WireError: 400 naming the message that has no place in Converse.
    """
    system: list[JsonObject] = []
    turns: list[JsonObject] = []
    open_calls: list[str] = []
    for i, message in enumerate(messages):
        path, role = f"messages[{i}]", message["role"]
        if role != "tool" and open_calls:
            raise _unanswered(open_calls, path)
        if role in {"system", "developer"}:
            system += _texts(message, path)
        elif role == "tool":
            _append(turns, "user", [_tool_result(message, path, open_calls)])
        elif role == "user":
            blocks = _blocks(message, path)
            if not blocks:
                raise invalid(f"'{path}.content' is blank.", f"{path}.content")
            _append(turns, "user", blocks)
        elif role == "assistant":
            _append(turns, "assistant", _assistant(message, path, open_calls))
        else:
            raise unsupported_value(f"{path}.role", f"'{path}.role' cannot be '{role}' here.")
    if open_calls:
        raise _unanswered(open_calls, "messages")
    if not turns or turns[0]["role"] != "user":
        raise invalid("The conversation must start with a user message.", "messages")
    return system, turns


def uses_tools(turns: list[JsonObject]) -> bool:
    """Whether the conversation contains tool calls or results."""
    return any("toolUse" in b or "toolResult" in b for turn in turns for b in turn["content"])


def _unanswered(calls: list[str], path: str) -> WireError:
    return invalid(
        f"Each tool call needs a 'tool' message right after it; missing: {', '.join(calls)}.", path
    )


def _append(turns: list[JsonObject], role: str, blocks: list[JsonObject]) -> None:
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    elif blocks:
        turns.append({"role": role, "content": blocks})


def _texts(message: JsonObject, path: str) -> list[JsonObject]:
    blocks = _blocks(message, path)
    for block in blocks:
        if "text" not in block:
            raise unsupported_value(
                f"{path}.content", f"'{path}.content' may hold only text in this role."
            )
    return blocks


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
        elif kind == "image_url" and message["role"] in {"user", "tool"}:
            blocks.append(_image(part["image_url"]["url"], where))
        else:
            raise unsupported_value(f"{where}.type", f"'{where}.type' cannot be '{kind}' here.")
    return blocks


def _image(url: str, path: str) -> JsonObject:
    param = f"{path}.image_url"
    found = _IMAGE.fullmatch(url)
    if found is None:
        raise unsupported_value(
            param, f"'{param}.url' must be a base64 data URI of a png, jpeg, gif or webp image."
        )
    try:
        data = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        raise invalid(f"'{param}.url' is not valid base64.", param) from None
    return {"image": {"format": found[1].replace("jpg", "jpeg"), "source": {"bytes": data}}}


def _assistant(message: JsonObject, path: str, open_calls: list[str]) -> list[JsonObject]:
    blocks = _texts(message, path)
    if refusal := as_text(message.get("refusal")):
        blocks.append({"text": refusal})
    for i, call in enumerate(as_list(message.get("tool_calls")) or []):
        where = f"{path}.tool_calls[{i}]"
        function: JsonObject = call["function"]
        if not _TOOL_ID.fullmatch(call["id"]):
            raise unsupported_value(
                f"{where}.id", f"'{where}.id' must be 1 to 64 letters, digits or _ . : -"
            )
        try:
            given = as_object(decode(function["arguments"].encode() or b"{}"))
        except ValueError:
            given = None
        if given is None:
            raise invalid(
                f"'{where}.function.arguments' must be a JSON object.",
                f"{where}.function.arguments",
            )
        use = {"toolUseId": call["id"], "name": function["name"], "input": given}
        blocks.append({"toolUse": use})
        open_calls.append(call["id"])
    return blocks


def _tool_result(message: JsonObject, path: str, open_calls: list[str]) -> JsonObject:
    call_id = message["tool_call_id"]
    if call_id not in open_calls:
        raise invalid(
            f"'{path}.tool_call_id' answers no tool call of the message before.",
            f"{path}.tool_call_id",
        )
    open_calls.remove(call_id)
    # Converse refuses an empty result, which OpenAI allows.
    content = _blocks(message, path) or [{"text": _NO_OUTPUT}]
    return {"toolResult": {"toolUseId": call_id, "content": content}}
