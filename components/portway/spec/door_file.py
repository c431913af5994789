"""What the file of a door's stack holds: a kind, a region, and weights over stacks of one service."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

from pydantic import BeforeValidator, Field, ValidationError

from portway.errors import Problem
from portway.registry import door_kinds
from portway.spec.complaints import complaints, suggestion, unknown_field
from portway.spec.document import Document, kind_of
from portway.spec.frozen import Frozen
from portway.spec.stack_file import DOOR_KEY, PLACEMENT_KEY, place, settings_of
from portway.target import DoorPlacement, End, KeyGeneration, Placement

DOOR: Final = "door"
"""The last part of the name of a door's stack."""

_WHOLE: Final = 100
_HOST: Final = re.compile(r"(?=.{1,253}$)([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


def _as_tuple(value: object) -> object:
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


class DoorSetting(Frozen):
    """``portway:door`` as it was written, but for its weights.

    Attributes:
        kind: what the door is made of; one of ``door_kinds``.
        cluster: kubeconfig context, for kinds that need one.
        hosts: names of the user's own that lead to the door.
        keys: generations of the door's own API key, as in a placement.
    """

    kind: str
    region: str
    cluster: str | None = None
    hosts: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    keys: Annotated[tuple[KeyGeneration, ...], Field(min_length=1), BeforeValidator(_as_tuple)] = (
        "1",
    )
    options: Mapping[str, Any] = {}


def is_door(name: str, config: Mapping[str, Any]) -> bool:
    """Whether a stack is a door, by its name or by what it holds."""
    return DOOR_KEY in config or name.rpartition(".")[2] == DOOR


def read_door(
    config: Mapping[str, Any], document: Document, problems: list[Problem]
) -> tuple[DoorSetting | None, dict[str, int]]:
    """The door in ``config`` and its valid weights; what is wrong is added to ``problems``."""
    raw: object = config.get(DOOR_KEY)
    if PLACEMENT_KEY in config:
        message = "is of a service, and this stack is a door; remove it"
        problems.append(Problem("placement", message, document.where(("config", PLACEMENT_KEY))))
    if not isinstance(raw, dict) or "secure" in raw:
        given = "is missing" if DOOR_KEY not in config else f"is {kind_of(cast('object', raw))}"
        message = f"{given}; write {{kind: …, region: …, weights: {{<stack>: <percent>}}}}"
        problems.append(Problem(DOOR, message, document.where(("config", DOOR_KEY))))
        return None, {}
    written = cast("dict[str, Any]", raw)
    fields = (*DoorSetting.model_fields, "weights")
    problems += [
        _at(f"{DOOR}.{key}", unknown_field(key, fields), document)
        for key in written
        if key not in fields
    ]
    weights = _weights(written.get("weights"), document, problems)
    given = {key: value for key, value in written.items() if key in DoorSetting.model_fields}
    try:
        setting = DoorSetting.model_validate(given)
    except ValidationError as error:
        found = complaints(error, DoorSetting, (DOOR,))
        problems += [one.at(place(one.path, document)) for one in found]
        return None, weights
    problems += _of_setting(setting, document)
    return setting, weights


def _of_setting(setting: DoorSetting, document: Document) -> list[Problem]:
    found: list[Problem] = []
    kinds = door_kinds()
    if setting.kind not in kinds:
        hint = suggestion(setting.kind, kinds)
        message = f"{setting.kind!r} is no kind of door; {hint} choose one of {', '.join(kinds)}"
        found.append(_at(f"{DOOR}.kind", message.replace(";  ", "; "), document))
    if len(set(setting.keys)) < len(setting.keys):
        message = "names a key generation twice; give each its own name"
        found.append(_at(f"{DOOR}.keys", message, document))
    found += [
        _at(
            f"{DOOR}.hosts",
            f"has {host!r}, which is no host name such as chat.example.eu",
            document,
        )
        for host in setting.hosts
        if not _HOST.fullmatch(host)
    ]
    return found


def _weights(raw: object, document: Document, problems: list[Problem]) -> dict[str, int]:
    """Percent by stack. A sum is only judged where every weight is one."""
    path = f"{DOOR}.weights"
    if not isinstance(raw, dict) or not raw:
        given = (
            "is missing"
            if raw is None
            else f"is {kind_of(cast('object', raw)) if raw else 'empty'}"
        )
        message = f"{given}; write {{<stack>: <percent>, …}}, which sum to 100"
        problems.append(_at(path, message, document))
        return {}
    weights: dict[str, int] = {}
    given = cast("dict[Any, Any]", raw)
    for name, share in given.items():
        if type(share) is int and 0 <= share <= _WHOLE:
            weights[str(name)] = share
        else:
            message = f"is {share!r}; a weight is a whole number of percent from 0 to 100"
            where = weight_place(str(name), document)
            problems.append(Problem(f"{path}.{name}", message, where))
    total = sum(weights.values())
    if len(weights) == len(given) and total != _WHOLE:
        message = f"sum to {total}; they are percent of all requests, make them sum to 100"
        problems.append(_at(path, message, document))
    return weights


def weight_place(stack: str, document: Document) -> str | None:
    """``file:line`` of the weight of ``stack``."""
    return document.where(("config", DOOR_KEY, "weights", stack))


def door_placement(
    setting: DoorSetting,
    ends: tuple[End, ...],
    environment: str,
    config: Mapping[str, Any],
) -> Placement:
    """The placement of a door that was found valid; its target is the one its kind belongs to."""
    return Placement(
        target=door_kinds()[setting.kind],
        region=setting.region,
        environment=environment,
        cluster=setting.cluster,
        keys=setting.keys,
        options=setting.options,
        settings=settings_of(config),
        door=DoorPlacement(kind=setting.kind, ends=ends, hosts=setting.hosts),
    )


def _at(path: str, message: str, document: Document) -> Problem:
    return Problem(path, message, place(path, document))
