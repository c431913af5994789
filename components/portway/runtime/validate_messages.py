"""The messages of a chat request: their types, before any upstream sees them."""

from .errors import WireError, invalid, unsupported_value
from .images import read_image
from .jsons import JsonObject, as_list, as_object, as_text, decode

_ROLES = ("developer", "system", "user", "assistant", "tool")
_PARTS = ("text", "refusal", "image_url")
_SEEING = ("user", "tool")


def checked_messages(value: object) -> list[JsonObject]:
    """The messages, each an object with a known role and content of the right type.

    Raises:
        WireError: 400 naming the first part that is wrong.
    """
    messages = as_list(value)
    if value is None:
        raise invalid("'messages' is missing.", "messages", "missing_required_parameter")
    if not messages:
        raise invalid("'messages' must be a list with at least one message.", "messages")
    checked = [_message(message, f"messages[{i}]") for i, message in enumerate(messages)]
    _check_results(checked)
    return checked


def _message(value: object, path: str) -> JsonObject:
    message = as_object(value)
    if message is None:
        raise invalid(f"'{path}' must be an object.", path, "invalid_type")
    role = message.get("role")
    if role not in _ROLES:
        raise invalid(f"'{path}.role' must be one of {', '.join(_ROLES)}.", f"{path}.role")
    content = message.get("content")
    if content is None and role != "assistant":
        raise invalid(f"'{path}.content' is missing.", f"{path}.content")
    if as_list(content) is not None:
        for i, part in enumerate(as_list(content) or []):
            _check_part(part, f"{path}.content[{i}]", str(role))
    elif content is not None and not isinstance(content, str):
        raise invalid(
            f"'{path}.content' must be a string or a list of parts.",
            f"{path}.content",
            "invalid_type",
        )
    if role == "tool" and not as_text(message.get("tool_call_id")):
        raise invalid(f"'{path}.tool_call_id' is missing.", f"{path}.tool_call_id")
    _check_calls(message.get("tool_calls"), f"{path}.tool_calls")
    return message


def _check_part(value: object, path: str, role: str) -> None:
    part = as_object(value)
    if part is None or not as_text(part.get("type")):
        raise invalid(f"'{path}' must be an object with a 'type'.", path, "invalid_type")
    kind = part["type"]
    if kind not in _PARTS or (kind == "image_url" and role not in _SEEING):
        raise unsupported_value(f"{path}.type", f"'{path}.type' cannot be '{kind[:100]}' here.")
    if kind != "image_url" and not isinstance(part.get(kind), str):
        raise invalid(f"'{path}.{kind}' must be a string.", f"{path}.{kind}", "invalid_type")
    if kind == "image_url":
        image = as_object(part.get("image_url"))
        if image is None or not as_text(image.get("url")):
            raise invalid(
                f"'{path}.image_url.url' must be a string.", f"{path}.image_url", "invalid_type"
            )
        read_image(image["url"], path)


def _check_calls(value: object, path: str) -> None:
    if value is None:
        return
    calls = as_list(value)
    if calls is None:
        raise invalid(f"'{path}' must be a list.", path, "invalid_type")
    for i, call in enumerate(calls):
        function = as_object((as_object(call) or {}).get("function"))
        if function is None or not all(
            isinstance(part, str)
            for part in (call.get("id"), function.get("name"), function.get("arguments"))
        ):
            raise invalid(
                f"'{path}[{i}]' must have 'id', 'function.name' and 'function.arguments' strings.",
                f"{path}[{i}]",
            )
        _check_arguments(function["arguments"], f"{path}[{i}].function.arguments")


def _check_arguments(text: str, path: str) -> None:
    """Both upstreams read a call's arguments, and neither takes what is no object."""
    try:
        given = as_object(decode(text.encode("utf-8", "surrogatepass") or b"{}"))
    except ValueError:
        given = None
    if given is None:
        raise invalid(f"'{path}' must be a JSON object.", path)


def _check_results(messages: list[JsonObject]) -> None:
    """Every tool call has its result in the messages right after it, and every result its call."""
    waiting: list[str] = []
    for i, message in enumerate(messages):
        path = f"messages[{i}]"
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                param = f"{path}.tool_call_id"
                raise invalid(f"'{param}' answers no tool call of the message before.", param)
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            raise _unanswered(waiting, path)
        if message["role"] == "assistant":
            waiting = [call["id"] for call in as_list(message.get("tool_calls")) or []]
    if waiting:
        raise _unanswered(waiting, "messages")


def _unanswered(calls: list[str], path: str) -> WireError:
    return invalid(
        f"Each tool call needs a 'tool' message right after it; missing: {', '.join(calls)}.", path
    )
