"""What a resource tells the programs it runs: variables, arguments and documents, each by its name.

Which properties those are is a dated list (``hosts.json``) beside the targets' own facts. Documents in
texts, lists of name and value pairs, ``--flag value`` and ``NAME=value`` are taken apart; what a
Kubernetes Secret or a machine's user data keeps in base64 is decoded.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import Final, cast

from portway.gate.places import reading
from portway.gate.resource import Resource
from portway.gate.tables import table
from portway.gate.values import UNKNOWN, Known, Unknown, document
from portway.gate.workloads import joined, plain

_NAMES: Final = ("name", "Name", "key", "Key")
_VALUES: Final = ("value", "Value")
_GIVEN_ELSEWHERE: Final = ("valueFrom", "valueSource", "valueFromSecret", "valueSources")
_VARIABLES: Final = re.compile(r"(?i)env|envs|environment|environment_?variables|.*variables|.*envvars|parameters|options|substitutions|.*arguments")  # fmt: skip
_ARGUMENTS: Final = frozenset({"args", "command", "commands", "entryPoint", "entrypoint"})
_STARTS: Final = frozenset({"metadata", "stringData"})
"""Beside those, what tells a machine its variables when a list of carriers names it."""

_KEPT: Final = frozenset({"value", "insecureValue", "secretString", "secretData", "parameterData"})
"""What a store of settings keeps one of; called as the setting is, where that is said."""

_SPACE: Final = re.compile(r"\s")
_FLAG: Final = re.compile(r"--?[A-Za-z][\w.-]*")
_WHOLE: Final = re.compile(r"(?P<name>--?[A-Za-z][\w.-]*|[A-Za-z_]\w*)=(?P<value>\S+)")
_ASSIGNED: Final = re.compile(
    r"(?<![\w.-])(?:(?P<name>--?[A-Za-z][\w.-]*|[A-Za-z_][\w.-]*)[\"']?[ \t]*[=:][ \t]*"
    r"|(?P<flag>--?[A-Za-z][\w.-]*|proxy_pass|(?<!header )Host|upstream)[ \t]+)[\"']?"
    r"(?P<value>(?!-|//|[A-Za-z_]\w*=)[^\s\"',;]+)"
)
_SENDS: Final = re.compile(r"remote_write|exporters|sinks|(?i:outputs?\b)")
"""Says that a document is about sending on what a program measures or writes."""

_LONGEST_TEXT: Final = 200_000
"""Characters of one text that are taken apart; what follows is still searched for what it names."""


class Kind(Enum):
    """What a setting is to the program that reads it."""

    VARIABLE = auto()
    ARGUMENT = auto()
    DOCUMENT = auto()
    """An entry of a document, whose names mean whatever its reader makes of them."""


@dataclass(frozen=True)
class Setting:
    """One thing a program is told.

    Attributes:
        path: the property that holds it.
        name: the variable, the flag or the key; "" where it has none.
        value: None when it is not known now.
        is_whole: the value is all of the property, not a part of a longer text.
        is_sent_on: the text it is a part of says where to send what is measured or written.
    """

    path: str
    name: str
    value: str | None
    kind: Kind
    is_whole: bool = True
    is_sent_on: bool = False


class _Last:
    """The settings taken apart last: several rules ask for the same resource in turn."""

    resource: Resource | None = None
    found: tuple[Setting, ...] = ()


def settings(resource: Resource) -> tuple[Setting, ...]:
    """Everything ``resource`` tells a program; nothing for a resource that runs and keeps none."""
    paths = carriers(resource)
    if not paths:
        return ()
    if _Last.resource is not resource:
        found = tuple(_found(resource, paths))
        _Last.resource, _Last.found = resource, found
    return _Last.found


def carriers(resource: Resource) -> tuple[str, ...]:
    """The paths of ``resource`` under which it tells a program something."""
    return _carriers(resource.type, reading(resource).facts.model_routes)


@cache
def _carriers(token: str, model_routes: tuple[str, ...]) -> tuple[str, ...]:
    listed = _listed(token)
    others = (path for path in model_routes if not any(_is_below(path, one) for one in listed))
    return tuple(dict.fromkeys((*listed, *others)))


def _is_below(path: str, other: str) -> bool:
    start = other.removesuffix("[]")
    return path == start or path.startswith((f"{start}.", f"{start}["))


def _listed(token: str) -> tuple[str, ...]:
    if token.endswith((":CustomResourceDefinition", ":CustomResourceDefinitionPatch")):
        return ()  # says what objects may look like, at great length, and is none
    rows: dict[str, list[str]] = table("hosts.json")["settings"]
    row: Sequence[str] | None = rows.get(token)
    if row is None:
        row = next((rows[glob] for glob in rows if "*" in glob and fnmatchcase(token, glob)), ())
    return tuple(row)


@cache
def _encoded(token: str) -> tuple[str, ...]:
    said = (entry.split(" ") for entry in table("hosts.json")["encoded"])
    return tuple(path for of, path in said if of == token)


def _found(resource: Resource, paths: tuple[str, ...]) -> Iterator[Setting]:
    encoded = _encoded(resource.type)
    for path in paths:
        is_encoded = path in encoded
        start = _start(resource, path)
        for one in resource.properties.every(path):
            if is_encoded and isinstance(one, Known):
                one = Known(one.path, _decoded(one.value))  # noqa: PLW2901 - what its reader sees
            for setting in _of_one(resource, one, start):
                yield from _parts(setting)


def _start(resource: Resource, path: str) -> Kind:
    last = path.rpartition(".")[2].removesuffix("[]")
    in_object = resource.type.startswith("kubernetes:core/v1:") and path in ("data", "binaryData")
    return Kind.VARIABLE if last in _STARTS | _KEPT or in_object else _kind_of(last, Kind.DOCUMENT)


def _of_one(resource: Resource, one: Known | Unknown, start: Kind) -> Iterator[Setting]:
    name = one.path.rpartition(".")[2].partition("[")[0]
    if name in _KEPT:
        called = resource.properties.get("name")
        name = str(called.value).rpartition("/")[2] if isinstance(called, Known) else name
    if isinstance(one, Unknown):
        yield Setting(one.path, name, None, start)
    else:
        yield from _walk(one.value, one.path, name, start)


def _walk(value: object, path: str, name: str, kind: Kind) -> Iterator[Setting]:
    inner = document(plain(value))
    if isinstance(inner, str):
        yield Setting(path, name, inner, kind)
    elif inner is UNKNOWN:
        yield Setting(path, name, None, kind)
    elif isinstance(inner, dict | Mapping):
        # A document in a text is a document, whatever the text stands for.
        below = Kind.DOCUMENT if inner is not value else kind
        yield from _of_mapping(cast("Mapping[str, object]", inner), path, below)
    elif isinstance(inner, list | Sequence) and not isinstance(inner, bytes):
        below = kind if inner is value or _is_arguments(name) else Kind.DOCUMENT
        yield from _of_list(cast("Sequence[object]", inner), path, name, below)


def _of_mapping(values: Mapping[str, object], path: str, kind: Kind) -> Iterator[Setting]:
    named = next((values[one] for one in _NAMES if isinstance(values.get(one), str)), None)
    value_key = next((one for one in _VALUES if one in values), None)
    if named is not None and value_key is not None:
        yield from _walk(
            values[value_key], joined(path, value_key), str(named), _kind_of_pair(kind)
        )
        return
    if named is not None and any(one in values for one in _GIVEN_ELSEWHERE):
        yield Setting(path, str(named), "", _kind_of_pair(kind))
        return
    for key, child in values.items():
        yield from _walk(child, joined(path, str(key)), str(key), _kind_of(str(key), kind))


def _of_list(values: Sequence[object], path: str, name: str, kind: Kind) -> Iterator[Setting]:
    flag = ""
    for index, item in enumerate(values):
        at = f"{path}[{index}]"
        if isinstance(item, str) and _FLAG.fullmatch(item):
            flag = item
            continue
        called = flag or ("" if kind is Kind.ARGUMENT else name)
        yield from _walk(item, at, called, kind)
        flag = ""


def _kind_of(key: str, kind: Kind) -> Kind:
    if key in _ARGUMENTS:
        return Kind.ARGUMENT
    return Kind.VARIABLE if _holds_variables(key) else kind


@lru_cache(maxsize=4096)
def _holds_variables(key: str) -> bool:
    return _VARIABLES.fullmatch(key) is not None


def _kind_of_pair(kind: Kind) -> Kind:
    return Kind.VARIABLE if kind is Kind.ARGUMENT else kind


def _is_arguments(name: str) -> bool:
    return name in _ARGUMENTS


def _parts(setting: Setting) -> Iterator[Setting]:
    """``setting`` itself, and what its text assigns: flags, variables, entries of a document."""
    text = setting.value
    if not text or (not _SPACE.search(text) and "=" not in text):
        yield setting
        return
    match = _WHOLE.fullmatch(text)
    if match is not None and setting.kind is Kind.ARGUMENT:
        yield replace(setting, name=match["name"], value=match["value"])
        return
    yield setting
    if not _SPACE.search(text):
        return  # one URL, whose query assigns nothing to anybody here
    kind = Kind.ARGUMENT if setting.kind is Kind.ARGUMENT else Kind.DOCUMENT
    is_sent_on = _SENDS.search(text) is not None
    pair = ""
    for match in _ASSIGNED.finditer(text[:_LONGEST_TEXT]):
        name = match["name"] or match["flag"]
        value = match["value"].rstrip("}])")
        if match["name"] == "Host":
            continue  # a header of requests, not where they go
        if name in _VALUES and pair:
            name = pair
        pair = value if name in _NAMES else ""
        yield Setting(setting.path, name, value, kind, is_whole=False, is_sent_on=is_sent_on)


def _decoded(value: object) -> object:
    """``value`` as its reader sees it; a text that is no base64 of a text stays as it is."""
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, object]", value)
        return {name: _decoded(child) for name, child in entries.items()}
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return value
