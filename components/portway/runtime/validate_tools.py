"""The tools and the answer format of a chat request: their types."""

import re

from .errors import invalid, unsupported_value
from .jsons import JsonObject, as_list, as_object, as_text

_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_tools(body: JsonObject) -> None:
    """Check `tools` and `tool_choice` together.

    Raises:
        WireError: 400 naming the first part that is wrong.
    """
    tools: object = body.get("tools")
    names: set[str] = set()
    if tools is not None and not as_list(tools):
        raise invalid("'tools' must be a list with at least one tool.", "tools", "invalid_type")
    for i, tool in enumerate(as_list(tools) or []):
        path = f"tools[{i}]"
        if as_object(tool) is None or tool.get("type") != "function":
            raise unsupported_value(f"{path}.type", f"'{path}.type' must be 'function'.")
        function = as_object(tool.get("function")) or {}
        name = as_text(function.get("name")) or ""
        if not _FUNCTION_NAME.fullmatch(name):
            raise invalid(
                f"'{path}.function.name' must be 1 to 64 letters, digits, '_' or '-'.",
                f"{path}.function.name",
            )
        if function.get("parameters") is not None and as_object(function["parameters"]) is None:
            raise invalid(
                f"'{path}.function.parameters' must be a JSON schema object.",
                f"{path}.function.parameters",
                "invalid_type",
            )
        names.add(name)
    _check_tool_choice(body.get("tool_choice"), names)


def _check_tool_choice(choice: object, names: set[str]) -> None:
    named = as_object(choice)
    if choice is None or choice == "none":
        return
    if choice in ("auto", "required"):
        if not names:
            raise invalid(f"'tool_choice' is '{choice}' but there are no 'tools'.", "tool_choice")
        return
    if named is None or named.get("type") != "function":
        raise unsupported_value(
            "tool_choice",
            "'tool_choice' must be 'auto', 'none', 'required' or a function from 'tools'.",
        )
    name = as_text((as_object(named.get("function")) or {}).get("name"))
    if name not in names:
        raise invalid("'tool_choice' names a function that is not in 'tools'.", "tool_choice")


def check_response_format(value: object) -> None:
    """Check `response_format`.

    Raises:
        WireError: 400 when it is no format that OpenAI knows.
    """
    if value is None:
        return
    chosen = as_object(value)
    kind = chosen.get("type") if chosen is not None else None
    if chosen is None or kind not in ("text", "json_object", "json_schema"):
        raise invalid(
            "'response_format.type' must be 'text', 'json_object' or 'json_schema'.",
            "response_format",
        )
    schema = as_object((as_object(chosen.get("json_schema")) or {}).get("schema"))
    if kind == "json_schema" and schema is None:
        raise invalid(
            "'response_format.json_schema.schema' must be a JSON schema object.",
            "response_format.json_schema",
        )
