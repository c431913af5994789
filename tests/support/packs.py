"""The repository's packs for tests, and their rules' examples as resources."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from portway.gate.pack import Pack, load_pack
from portway.gate.testing import Given, from_document

POLICIES = Path(__file__).parents[2] / "policies"
CLOUDS = frozenset({"aws", "gcp", "kubernetes"})


@cache
def pack_named(name: str) -> Pack:
    """One of the repository's packs."""
    return load_pack(POLICIES / name)


def example_resources(example: Mapping[str, Any]) -> tuple[Given, ...]:
    """The resources of one example: a list, or the example itself when it is one.

    What is of no cloud and names no provider is a component.
    """
    alone = {key: value for key, value in example.items() if key not in ("name", "says", "config")}
    rows = [dict(row) for row in example.get("resources", [alone])]
    for row in rows:
        if row["type"].split(":")[0] not in CLOUDS and "provider" not in row:
            row["component"] = not row["type"].startswith("pulumi:")
    return from_document(rows)
