"""Facts about resource types that are data: ids, computed outputs, collision texts, replacements.

``google.json`` and ``amazon.json`` hold templates: ``{name}`` is an input (or something the cloud knows,
such as ``{project}``); ``{hex:17}``, ``{digits:21}`` and ``{uuid}`` are made up once per resource.
``replaces.json`` says which changes a cloud cannot make in place.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from portway.sandbox.providers.schema import ResourceType
from portway.sandbox.providers.wire import Json, Value, is_list, is_object

_HERE = Path(__file__).parent
_HOLE = re.compile(r"\{(\w+)(?::(\d+))?\}")


@dataclass(frozen=True)
class TypeFacts:
    """What is particular about one type.

    Attributes:
        id: template of the provider's id; "" when the cloud makes one up.
        outputs: computed output → template, or a value taken as it is.
        defaults: what the cloud reports for an input that was not given.
        exists: template of the error for a name that is taken.
        name: the input that is named automatically; "" for none.
    """

    id: str = ""
    outputs: Json = field(default_factory=dict[str, Any])
    defaults: Json = field(default_factory=dict[str, Any])
    exists: str = ""
    name: str | None = None


@cache
def load(cloud: str) -> dict[str, TypeFacts]:
    """Every type that ``<cloud>.json`` knows."""
    return {token: TypeFacts(**facts) for token, facts in _document(cloud)["types"].items()}


@cache
def regions(cloud: str) -> frozenset[str]:
    """Every region that ``<cloud>.json`` knows."""
    return frozenset(_document(cloud)["regions"])


def replacements() -> Json:
    """``replaces.json``: per type the paths that force a replacement, per package the placing ones."""
    return _document("replaces")


@cache
def _document(name: str) -> Json:
    document: Json = json.loads((_HERE / f"{name}.json").read_text(encoding="utf-8"))
    return document


def replaces(package: str, declared: ResourceType) -> frozenset[str]:
    """The property paths of a type whose change forces a replacement.

    From the table where it has the type; else what the SDK's own documentation says, together with the
    properties that say what and where a resource is.
    """
    listed = replacements()["types"].get(declared.token)
    if listed is not None:
        return frozenset(listed)
    if re.search(r"Iam(Member|Binding|Policy)$|I[Aa][Mm]Member$|Attachment$", declared.token):
        return frozenset("*")
    documented = {name for name, given in declared.inputs.items() if given.forces}
    placing = set(replacements()["placing"][package]) & declared.inputs.keys()
    return frozenset(documented | placing)


def fill(template: Value, values: Mapping[str, Any], seed: str) -> Value:
    """``template`` with its holes filled, at every depth; a hole nobody fills becomes "".

    ``seed`` makes up the same ids whenever the same resource is filled again.
    """
    if is_list(template):
        return [fill(item, values, seed) for item in template]
    if is_object(template):
        return {key: fill(item, values, seed) for key, item in template.items()}
    if not isinstance(template, str):
        return template
    return _HOLE.sub(lambda hole: _value(hole, values, seed, template), template)


def holes(template: str) -> tuple[str, ...]:
    """The names of the inputs a template needs."""
    return tuple(name for name, size in _HOLE.findall(template) if not size and name != "uuid")


def _value(hole: re.Match[str], values: Mapping[str, Any], seed: str, template: str) -> str:
    name, size = hole.groups()
    digest = hashlib.sha256(f"{seed}/{template}".encode())
    if name == "uuid":
        return str(uuid.UUID(bytes=digest.digest()[:16], version=4))
    if name == "hex" and size:
        return digest.hexdigest()[: int(size)]
    if name == "digits" and size:
        return str(int(digest.hexdigest(), 16))[: int(size)]
    value = values.get(name)
    return "" if value is None else str(value)
