"""What the targets tell the runtime of its meter is what the runtime reads."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from portway.runtime.meter_settings import MeterSettings, read_meter

GOLDEN = Path(__file__).parents[1] / "golden"
PATHS = sorted(GOLDEN.glob("metered@*.resources.json"))


def environments(value: Any) -> Iterator[Mapping[str, str]]:
    """Every environment in a golden that has a meter, whatever form its platform gives it."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if "PORTWAY_METER" in members:
            yield members
        for each in members.values():
            yield from environments(each)
    elif isinstance(value, list):
        listed = cast("list[Any]", value)
        named = [cast("dict[str, Any]", each) for each in listed if isinstance(each, dict)]
        variables = {str(each.get("name")): str(each.get("value")) for each in named}
        if "PORTWAY_METER" in variables:
            yield variables
        for each in listed:
            yield from environments(each)


def settings(path: Path) -> MeterSettings:
    (variables,) = environments(json.loads(path.read_text("utf-8")))
    faults: list[str] = []
    most = int(variables["PORTWAY_MAX_OUTPUT_TOKENS"])
    found = read_meter(variables["PORTWAY_METER"], most, faults)
    assert not faults
    assert found is not None
    return found


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_the_runtime_reads_what_a_target_tells_it(path: Path) -> None:
    found = settings(path)
    assert found.service == "chat-prod"
    assert found.limits.keys() >= {"requests", "tokens"}
    assert ("micro_usd" in found.limits) == (found.prices is not None)


def test_every_target_has_a_store_of_its_own_cloud() -> None:
    kinds = {path.name.split("@")[1].split(".")[0]: settings(path).store["kind"] for path in PATHS}
    assert len(kinds) == len(set(kinds.values())) == 3
