"""The same resources as a CloudFormation template, for the linters that AWS users trust."""

import json
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, cast

from support.aws_shapes import TYPES, calls

Json = Mapping[str, Any]

_api: Any = import_module("cfnlint.api")  # its matches are not typed
_arguments: Any = import_module("cfnlint.config").ManualArgs


def template(created: Iterable[Json]) -> dict[str, Any]:
    """A template of every resource that CloudFormation has a type for."""
    resources = {
        "".join(filter(str.isalnum, str(one["name"]).title())) + str(number): _resource(one)
        for number, one in enumerate(created)
        if "cfn" in TYPES[one["type"]]
    }
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def complaints(created: Iterable[Json], regions: list[str]) -> list[str]:
    """What cfn-lint says of the template at its default level: ``rule path: message``, sorted."""
    text = json.dumps(template(created))
    found = _api.lint(text, config=_arguments(regions=regions))
    return sorted(
        f"{match.rule.id} {'/'.join(map(str, match.path or []))}: {match.message}"
        for match in found
    )


def _resource(one: Json) -> dict[str, Any]:
    row = TYPES[one["type"]]["cfn"]
    bodies, _ = calls(one["type"], one["inputs"])
    given = {name: value for body in bodies.values() for name, value in body.items()}
    kept = {name: value for name, value in given.items() if name not in row.get("drop", ())}
    return {
        "Type": row["type"],
        "Properties": _renamed(kept, "", row.get("rename", {})),
    }


def _renamed(value: Any, path: str, rename: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(item, path, rename) for item in cast("list[Any]", value)]
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, dict):
        return value
    named: dict[str, Any] = {}
    for name, inner in cast("Json", value).items():
        where = f"{path}.{name}".lstrip(".")
        named[rename.get(where, _pascal(name, path))] = _property(name, inner, where, rename)
    return named


def _pascal(name: str, path: str) -> str:
    """Only CloudWatch Logs writes its own names small; what is inside a map is nobody's name."""
    return name if path else name[:1].upper() + name[1:]


def _property(name: str, value: Any, path: str, rename: Mapping[str, str]) -> Any:
    if path in {"Tags", "tags", "ResourceTags"} and isinstance(value, dict):
        return [{"Key": key, "Value": text} for key, text in cast("Json", value).items()]
    if name.endswith("Document") and isinstance(value, str):
        return json.loads(value)
    return _renamed(value, path, rename)
