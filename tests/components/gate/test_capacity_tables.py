"""The reviewed modules of the capacity table are those of the pinned SDKs, no more and no fewer."""

from fnmatch import fnmatchcase
from typing import Any

import pytest

from portway.gate.tables import table


def modules(cloud: str) -> set[str]:
    inventory = table(f"{cloud}.json")
    places: dict[str, dict[str, Any]] = inventory["located"]
    return {module for names in places.values() for module in names} | set(inventory["unlocated"])


def unread(cloud: str) -> set[str]:
    """The modules of which every type may run machines."""
    listed = [token for row in table("capacity.json")["may_run"] for token in row["types"]]
    whole = [token.removesuffix("/*") for token in listed if token.endswith("/*")]
    return {name.partition(":")[2] for name in whole if name.startswith(f"{cloud}:")}


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_every_module_of_an_sdk_was_read_or_is_refused_by_name(cloud: str) -> None:
    reviewed = set(table("capacity.json")["reviewed_modules"][cloud])
    assert reviewed.isdisjoint(unread(cloud))
    assert modules(cloud) - reviewed - unread(cloud) == set()
    assert reviewed - modules(cloud) == set()


def test_no_machine_is_known_that_no_family_with_accelerators_has() -> None:
    machines: dict[str, Any] = table("capacity.json")["machines"]
    strange = [
        name
        for name in machines["gpus"]
        if not any(fnmatchcase(name, pattern) for pattern in machines["accelerated"])
    ]
    assert strange == []
