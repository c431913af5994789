"""AWS's own service models (those of botocore) as a judge of what a program would send.

A resource becomes one call or several; every property must find a home in one of them. The models
know names, types, enums, lengths, ranges and patterns.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import regex
from botocore.loaders import Loader
from botocore.model import ServiceModel

Json = Mapping[str, Any]

TYPES: Mapping[str, Json] = json.loads(
    (Path(__file__).parents[1] / "data" / "aws_types.json").read_text(encoding="utf-8")
)
"""By Pulumi type: the calls that create it, other names, and what is the provider's own."""

_PROVIDERS_OWN = {"region", "tagsAll"}


def faults(type_: str, inputs: Json) -> list[str]:
    """What AWS's service models refuse, sorted; empty for calls that they accept.

    Raises:
        KeyError: ``tests/data/aws_types.json`` does not say which calls the type becomes.
    """
    bodies, homeless = calls(type_, inputs)
    found = [f"{name}: no home in {', '.join(bodies)}" for name in homeless]
    for call, sent in bodies.items():
        found += _faults(sent, _input(call), "")
    return sorted(set(found))


def calls(type_: str, inputs: Json) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The parameters of each call, and the properties that none of them takes."""
    row = TYPES[type_]
    given = _given(row, inputs)
    bodies: dict[str, dict[str, Any]] = {}
    homeless = set(given)
    for number, call in enumerate(row["calls"]):
        shape = _input(call)
        homes = {name: _home(name, shape, "", row) for name in given}
        taken = {name: home for name, home in homes.items() if home in shape.members}
        homeless -= set(taken)
        address = {k: v for k, v in row.get("address", {}).items() if k in shape.members}
        sent = {
            home: _value(given[name], shape.members[home], name, row)
            for name, home in taken.items()
        }
        if number == 0 or set(shape.required_members) <= {*sent, *address}:
            bodies[call] = {**address, **sent}
    return bodies, sorted(homeless)


def _notification(given: Json) -> dict[str, Any]:
    """AWS keeps a notification and who is told of it apart; the provider writes them as one."""
    told = [("SNS", one) for one in given.get("subscriberSnsTopicArns", ())]
    told += [("EMAIL", one) for one in given.get("subscriberEmailAddresses", ())]
    return {
        "Notification": {k: v for k, v in given.items() if not k.startswith("subscriber")},
        "Subscribers": [{"SubscriptionType": kind, "Address": one} for kind, one in told],
    }


def _prepared(inputs: Json) -> Iterator[tuple[str, Any]]:
    """The properties whose form, not only whose name, is the provider's own."""
    for name, value in inputs.items():
        if name == "notifications":
            yield name, [_notification(one) for one in value]
        elif name == "hashKey":
            keys = {"HASH": value, "RANGE": inputs.get("rangeKey")}
            yield (
                "keySchema",
                [{"AttributeName": key, "KeyType": kind} for kind, key in keys.items() if key],
            )
        elif name == "code" and "(asset)" in value:
            yield name, {"ZipFile": b"the bundle"}
        elif isinstance(value, dict) and set(cast("Json", value)) == {"(secret)"}:
            yield name, value["(secret)"]
        else:
            yield name, value


def _given(row: Json, inputs: Json) -> dict[str, Any]:
    given = {
        name: value
        for name, value in _prepared(inputs)
        if name not in {*_PROVIDERS_OWN, "rangeKey", *row.get("drop", ())} and value is not None
    }
    for name, path in row.get("move", {}).items():
        if name in given:
            value, into = given.pop(name), given
            for step in path[:-1]:
                into = into.setdefault(step, {})
            into[path[-1]] = value
    return given


@cache
def _service(name: str) -> Any:
    loader: Any = Loader()
    return ServiceModel(loader.load_service_model(name, "service-2"), name)


def _input(call: str) -> Any:
    """The shape of a call's parameters; botocore does not type its shapes."""
    service, _, operation = call.partition(".")
    return _service(service).operation_model(operation).input_shape


def _home(name: str, shape: Any, path: str, row: Json) -> str:
    whole = f"{path}.{name}".lstrip(".")
    renamed = row.get("rename", {}).get(whole)
    if renamed is not None:
        return renamed
    pascal = name[:1].upper() + name[1:]
    singular = (pascal, name, re.sub("ies$", "y", pascal), pascal.removesuffix("s"))
    plural = re.sub("y$", "ies", pascal), f"{pascal}s"
    return next((one for one in (*singular, *plural) if one in shape.members), pascal)


def _value(value: Any, shape: Any, path: str, row: Json) -> Any:
    if shape.type_name == "list":
        if isinstance(value, dict) and _is_pairs(shape.member):
            return _pairs(cast("Json", value), shape.member)
        items = cast("list[Any]", value if isinstance(value, list) else [value])
        return [_value(item, shape.member, path, row) for item in items]
    if shape.type_name == "structure" and isinstance(value, dict):
        return {
            (home := _home(name, shape, path, row)): _value(
                inner, shape.members[home], f"{path}.{name}", row
            )
            if home in shape.members
            else inner
            for name, inner in cast("Json", value).items()
        }
    return value


def _is_pairs(shape: Any) -> bool:
    names = {name.lower() for name in getattr(shape, "members", ())}
    return names in ({"key", "value"}, {"name", "value"})


def _pairs(value: Json, shape: Any) -> list[dict[str, Any]]:
    key, text = list(shape.members)[:2]
    return [{key: name, text: inner} for name, inner in sorted(value.items())]


def _faults(value: Any, shape: Any, path: str) -> Iterator[str]:
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            yield from _structure(cast("Json", value), shape, path)
        case "list" if isinstance(value, list):
            for index, item in enumerate(cast("list[Any]", value)):
                yield from _faults(item, shape.member, f"{path}[{index}]")
        case "map" if isinstance(value, dict):
            for key, item in cast("Json", value).items():
                yield from _faults(key, shape.key, f"{path}.{key}")
                yield from _faults(item, shape.value, f"{path}.{key}")
        case _:
            yield from (f"{path}: {text}" for text in _scalar(value, shape))
            return
    size = len(cast("Json | list[Any]", value))
    yield from (f"{path}: {text}" for text in _bounds(size, shape))


def _structure(value: Json, shape: Any, path: str) -> Iterator[str]:
    for name, inner in value.items():
        where = f"{path}.{name}".lstrip(".")
        if name in shape.members:
            yield from _faults(inner, shape.members[name], where)
        else:
            yield f"{where}: no member of {shape.name}"
    for name in shape.required_members:
        if name not in value:
            yield f"{path}.{name}".lstrip(".") + ": required"


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "blob": (bytes, str),
    "timestamp": (str, int),
}


def _scalar(value: Any, shape: Any) -> Iterator[str]:
    kind = shape.type_name
    wrong = isinstance(value, bool) and kind != "boolean"
    if kind not in _KINDS or wrong or not isinstance(value, _KINDS[kind]):
        yield f"{value!r} is no {kind}"
        return
    enum = shape.metadata.get("enum", ())
    if enum and value not in enum:
        yield f"{value!r} is not one of {', '.join(enum)}"
    pattern = shape.metadata.get("pattern")
    if pattern is not None and isinstance(value, str) and not _matches(pattern, value):
        yield f"{value!r} does not match {pattern}"
    size = len(value) if isinstance(value, (str, bytes)) else value
    if not isinstance(value, bool):
        yield from _bounds(size, shape)


def _matches(pattern: str, value: str) -> bool:
    return regex.fullmatch(pattern, value, regex.DOTALL | regex.V1) is not None


def _bounds(size: float, shape: Any) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"{size} is below {least}"
    if most is not None and size > most:
        yield f"{size} is above {most}"
