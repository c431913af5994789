"""The dated tables of this room, and the targets' own facts, read once."""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import TypeAdapter

from portway.errors import Missing
from portway.registry import load_target, registered
from portway.target import ResourceFacts

NO_FACTS = ResourceFacts()
_FACTS = TypeAdapter(ResourceFacts)


@cache
def table(name: str) -> dict[str, Any]:
    """The JSON table ``name``.

    Raises:
        Missing: the table that ships with the package is absent or broken.
    """
    try:
        return json.loads(files("portway.gate").joinpath("data", name).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Missing(f"gate/data/{name} cannot be read: {error}; reinstall portway") from error


@cache
def reason(name: str, section: str, token: str) -> str | None:
    """Why list ``section`` of table ``name`` covers the type ``token``; None when it does not."""
    for entry in table(name)[section]:
        if any(fnmatchcase(token, pattern) for pattern in entry["types"]):
            because: str = entry["because"]
            return because
    return None


@cache
def located(token: str) -> tuple[str, ...]:
    """The properties in which the pinned SDK lets a resource of type ``token`` say where it is."""
    package, _, rest = token.partition(":")
    module, _, name = rest.rpartition(":")
    if package not in ("aws", "gcp"):
        return ()
    for properties, modules in table(f"{package}.json")["located"].items():
        if name in modules.get(module.split("/")[0], ()):
            return tuple(properties.split("|"))
    return ()


@cache
def target_facts() -> Mapping[str, ResourceFacts]:
    """What the registered targets say of the resources they create."""
    merged: dict[str, ResourceFacts] = {}
    for name in registered():
        for token, facts in load_target(name).facts.items():
            merged[token] = both(merged.get(token, NO_FACTS), facts)
    return merged


def table_facts(name: str, token: str) -> ResourceFacts | None:
    """The facts of ``token`` in table ``name``; None when the table has none."""
    rows: dict[str, dict[str, Any]] = table(name)["facts"]
    row = next((rows[pattern] for pattern in rows if fnmatchcase(token, pattern)), None)
    if row is None:
        return None
    return _FACTS.validate_python(row)


def both(one: ResourceFacts, other: ResourceFacts) -> ResourceFacts:
    """What either says; where they differ, the reading that sees more."""

    def paths(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*getattr(one, name), *getattr(other, name))))

    maxima = [m for m in (one.maximum, *one.maximum_also, other.maximum, *other.maximum_also) if m]
    return ResourceFacts(
        region=paths("region"),
        maximum=maxima[0] if maxima else None,
        gpus=paths("gpus"),
        model_routes=paths("model_routes"),
        is_billed=one.is_billed or other.is_billed,
        needs_region=one.needs_region or other.needs_region,
        replicas=paths("replicas"),
        inside=one.inside or other.inside,
        maximum_also=tuple(dict.fromkeys(maxima[1:])),
        scales=one.scales or other.scales,
        gpu_claims=paths("gpu_claims"),
    )
