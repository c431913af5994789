"""Resources of an exported state: the JSON that ``pulumi stack export`` writes."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from portway.errors import BadInput, Missing, Problem
from portway.gate.resource import PROVIDER_PREFIX
from portway.gate.testing.given import UNKNOWN, Given, Secret, is_list, is_mapping
from portway.gate.testing.wire import SECRET_SIGNATURE, SIGNATURE, UNKNOWN_ON_THE_WIRE

_VERSIONS = (3, 4)
_UNREADABLE = "[secret]"


def from_state(state: Path | str | Mapping[str, Any]) -> tuple[Given, ...]:
    """The resources of a state file, or of one already read.

    Each is judged by its inputs, and with the whole stack by its outputs. A secret that is still
    encrypted becomes the text ``[secret]``, as ``pulumi policy analyze --file`` has it, which is
    nothing that a rule can know. Resources about to be deleted are left out.

    Raises:
        Missing: there is no such file.
        BadInput: it is no state, of a version that nobody reads any more, or encrypted as a whole.
    """
    where = "the state" if is_mapping(state) else str(state)
    content: object = state if is_mapping(state) else _read(Path(str(state)))
    rows = _resources(content, where)
    kept = [row for row in rows if not row.get("delete")]
    providers = {
        f"{row['urn']}::{row.get('id', '')}": _given(row, {})
        for row in kept
        if str(row["type"]).startswith(PROVIDER_PREFIX)
    }
    return tuple(_given(row, providers) for row in kept)


def _read(file: Path) -> object:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Missing(
            f"{file}: cannot be read: {error.strerror}; export the state again"
        ) from error
    except ValueError as error:
        message = f"is not JSON ({error}); export it again: pulumi stack export --file {file.name}"
        raise BadInput([Problem("", message, str(file))]) from None


def _resources(content: object, where: str) -> list[Mapping[str, Any]]:
    if not is_mapping(content) or "version" not in content:
        message = "is no exported state; write one with pulumi stack export --file"
        raise BadInput([Problem("", message, where)])
    version, deployment = content["version"], content.get("deployment")
    if version not in _VERSIONS:
        message = f"is {version!r}; versions {_VERSIONS[0]} to {_VERSIONS[1]} can be read: export it again"
        raise BadInput([Problem("version", message, where)])
    if not is_mapping(deployment):
        message = "is encrypted, or not there; export it where its secrets provider can be used"
        raise BadInput([Problem("deployment", message, where)])
    rows: object = deployment.get("resources") or []
    if not is_list(rows) or not all(map(_is_resource, rows)):
        message = "must be a list of resources, each with a urn and a type; export the state again"
        raise BadInput([Problem("deployment.resources", message, where)])
    return list(rows)


def _is_resource(row: object) -> bool:
    return is_mapping(row) and all(isinstance(row.get(key), str) for key in ("urn", "type"))


def _given(row: Mapping[str, Any], providers: Mapping[str, Given]) -> Given:
    outputs = row.get("outputs")
    return Given(
        type=row["type"],
        name=str(row["urn"]).rpartition("::")[2],
        props=_value(row.get("inputs") or {}),
        outputs=None if outputs is None else _value(outputs),
        provider=providers.get(str(row.get("provider"))),
        parent=row.get("parent") or None,
        depends_on=dict(_sources(row)),
        is_custom=bool(row.get("custom")),
        is_read=bool(row.get("external")),
        known_urn=row["urn"],
    )


def _sources(row: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    said: Mapping[str, Any] = row.get("propertyDependencies") or {}
    for name, urns in said.items():
        if urns:
            yield name, tuple(urns)


def _value(value: object) -> Any:  # noqa: ANN401 - what a document holds
    if value == UNKNOWN_ON_THE_WIRE:
        return UNKNOWN
    if is_mapping(value):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return _secret(value)
        return {key: _value(child) for key, child in value.items()}
    return [_value(child) for child in value] if is_list(value) else value


def _secret(value: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what a document holds
    if "value" in value:
        return Secret(_value(value["value"]))
    try:
        return Secret(_value(json.loads(value["plaintext"])))
    except (KeyError, TypeError, ValueError):
        return _UNREADABLE
