"""What a stack's file holds: a spec's name, a placement, and settings that belong to others."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError

from portway.errors import Problem
from portway.registry import registered
from portway.spec.complaints import complaints, suggestion, unknown_field
from portway.spec.document import Document, Path_, kind_of
from portway.spec.service import NAME_PATTERN
from portway.target import Placement

SPEC_KEY = "portway:spec"
PLACEMENT_KEY = "portway:placement"
DOOR_KEY = "portway:door"
_SECTIONS = {"placement": PLACEMENT_KEY, "door": DOOR_KEY}
_STACK_FIELDS = ("config", "secretsprovider", "encryptionsalt", "encryptedkey", "environment")
_PLACEMENT_FIELDS = ("target", "region", "cluster", "keys", "options")
_NAME = re.compile(NAME_PATTERN)


def place(path: str, document: Document) -> str:
    """``file:line`` in a stack's document of ``placement.region`` or of a setting's full key."""
    return document.where(("config", *_steps(path)))


def _steps(path: str) -> Path_:
    if ":" in path.partition(".")[0]:
        return (path,)
    first, *rest = path.split(".")
    if (first, rest[:1]) == ("placement", ["settings"]):
        return (".".join(rest[1:]),)
    return (_SECTIONS.get(first, first), *rest)


def name_parts(name: str, document: Document, problems: list[Problem]) -> tuple[str, str, str]:
    """Service, environment and target of a stack's name; empty where it has none."""
    match name.split("."):
        case [service, environment, target] if _NAME.match(service) and _NAME.match(environment):
            return service, environment, target
        case _:
            message = f"the stack's name {name!r} is not <service>.<environment>.<target>, such as chat.prod.{registered()[0]}; rename the file and the stack"
            problems.append(Problem("", message, document.where(())))
            return "", "", ""


def read_config(document: Document) -> tuple[Mapping[str, Any], list[Problem]]:
    """The stack's configuration by full key (empty where there is none), and what is wrong with it."""
    problems = [
        Problem(key, unknown_field(key, _STACK_FIELDS), document.where((key,)))
        for key in document.data
        if key not in _STACK_FIELDS
    ]
    config = document.data.get("config")
    if not isinstance(config, dict):
        given = "is missing" if "config" not in document.data else f"holds {kind_of(config)}"
        message = f"{given}; write `config:` with {SPEC_KEY} and {PLACEMENT_KEY} in it"
        return {}, [*problems, Problem("config", message, document.where(("config",)))]
    ours = (SPEC_KEY, PLACEMENT_KEY, DOOR_KEY)
    for key in cast("Mapping[str, Any]", config):
        bare = key.removeprefix("portway:")
        if key not in ours and (key.startswith("portway:") or ":" not in key):
            meant = suggestion(f"portway:{bare}", ours)
            message = f"is not a setting of portway; {meant or 'remove it, or write namespace:key'}"
            problems.append(Problem(key, message, document.where(("config", key))))
    return cast("Mapping[str, Any]", config), problems


def read_placement(
    config: Mapping[str, Any], document: Document, environment: str, problems: list[Problem]
) -> Placement | None:
    """The placement in ``config``; None, and an entry in ``problems``, where it is no valid one."""
    raw = config.get(PLACEMENT_KEY)
    above = ("config", PLACEMENT_KEY)
    if not isinstance(raw, dict):
        given = "is missing" if PLACEMENT_KEY not in config else f"is {kind_of(raw)}"
        message = f"{given}; write {{target: …, region: …}}"
        problems.append(Problem("placement", message, document.where(above)))
        return None
    written = cast("dict[str, Any]", raw)
    if "secure" in written:
        message = "is encrypted; a placement is no secret: set it as plain text"
        problems.append(Problem("placement", message, document.where(above)))
        return None
    before = len(problems)
    for key in written:
        if key not in _PLACEMENT_FIELDS:
            message = unknown_field(key, _PLACEMENT_FIELDS)
            problems.append(Problem(f"placement.{key}", message, document.where((*above, key))))
    given = {key: value for key, value in written.items() if key in _PLACEMENT_FIELDS}
    placement = _valid_placement(given, environment, settings_of(config), document, problems)
    return placement if len(problems) == before else None


def _valid_placement(
    given: dict[str, Any],
    environment: str,
    settings: Mapping[str, str],
    document: Document,
    problems: list[Problem],
) -> Placement | None:
    if isinstance(given.get("keys"), list):
        given["keys"] = tuple(given["keys"])
    target = given.get("target")
    if isinstance(target, str) and target not in registered():
        message = f"{target!r} is not a target; {suggestion(target, registered())} choose one of {', '.join(registered())}"
        problems.append(_placed("placement.target", message.replace(";  ", "; "), document))
    try:
        placement = Placement.model_validate(
            {**given, "environment": environment, "settings": settings}
        )
    except ValidationError as error:
        found = complaints(error, Placement, ("placement",))
        problems += [problem.at(place(problem.path, document)) for problem in found]
        return None
    if len(set(placement.keys)) < len(placement.keys):
        message = "names a key generation twice; give each its own name"
        problems.append(_placed("placement.keys", message, document))
    return placement


def _placed(path: str, message: str, document: Document) -> Problem:
    return Problem(path, message, place(path, document))


def settings_of(config: Mapping[str, Any]) -> dict[str, str]:
    """The rest of the configuration as an engine hands it to a program; nothing encrypted."""
    rest = {key: value for key, value in config.items() if not key.startswith("portway:")}
    return {
        key: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        for key, value in rest.items()
        if not _holds_secret(value)
    }


def _holds_secret(value: object) -> bool:
    if isinstance(value, dict):
        inside = cast("dict[str, object]", value)
        return "secure" in inside or any(map(_holds_secret, inside.values()))
    return isinstance(value, list) and any(map(_holds_secret, cast("list[object]", value)))


def check_target(placement: Placement | None, named: str, document: Document) -> list[Problem]:
    """A stack is called after its target: whoever reads ``pulumi stack ls`` believes the name."""
    if placement is None or not named or placement.target == named:
        return []
    message = f"is {placement.target!r}, but the stack's name ends in {named!r}; make them one"
    return [_placed("placement.target", message, document)]
