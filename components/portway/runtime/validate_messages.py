"""The messages of a chat request: their types, before any upstream sees them."""

from .errors import invalid
from .jsons import JsonObject, as_list, as_object, as_text

_ROLES = ("developer", "system", "user", "assistant", "tool", "function")


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
    return [_message(message, f"messages[{i}]") for i, message in enumerate(messages)]


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
            _check_part(part, f"{path}.content[{i}]")
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


def _check_part(value: object, path: str) -> None:
    part = as_object(value)
    if part is None or not as_text(part.get("type")):
        raise invalid(f"'{path}' must be an object with a 'type'.", path, "invalid_type")
    if part["type"] == "text" and not isinstance(part.get("text"), str):
        raise invalid(f"'{path}.text' must be a string.", f"{path}.text", "invalid_type")
    if part["type"] == "image_url":
        image = as_object(part.get("image_url"))
        if image is None or not as_text(image.get("url")):
            raise invalid(
                f"'{path}.image_url.url' must be a string.", f"{path}.image_url", "invalid_type"
            )


def _check_calls(value: object, path: str) -> None:
    if value is None:
        return
    calls = as_list(value)
    if calls is None:
        raise invalid(f"'{path}' must be a list.", path, "invalid_type")
    for i, call in enumerate(calls):
        function = as_object((as_object(call) or {}).get("function"))
        complete = function is not None and all(
            isinstance(part, str)
            for part in (call.get("id"), function.get("name"), function.get("arguments"))
        )
        if not complete:
            raise invalid(
                f"'{path}[{i}]' must have 'id', 'function.name' and 'function.arguments' strings.",
                f"{path}[{i}]",
            )
