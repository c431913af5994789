"""Ordinary programs, as platform teams write them, are priced whole and refused for nothing."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from portway.gate.billing import stack_estimate
from portway.gate.testing import from_document, judge
from support.packs import POLICIES, pack_named
from support.priced_stacks import stack_of_rows

CORPUS = Path(__file__).resolve().parents[3] / "corpus" / "cost"
PROGRAMS = sorted(path.stem for path in CORPUS.glob("*.yaml"))


def program(name: str) -> Any:
    yaml: Any = YAML(typ="safe")
    return yaml.load(CORPUS / f"{name}.yaml")


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_ordinary_program_is_priced_to_the_last_resource(name: str) -> None:
    given = program(name)
    config: Any = pack_named("cost").configure({"cost": given["config"]})
    declared = tuple(config.declared_usd.items())
    found = stack_estimate(stack_of_rows(given["resources"], **given["providers"]), declared)
    assert found.faults == ()
    assert (f"{found.totals.floor}", f"{found.totals.ceiling}") == (
        given["floor"],
        given["ceiling"],
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_ordinary_program_within_its_limits_is_refused_for_nothing(name: str) -> None:
    given = program(name)
    said = judge(
        from_document(given["resources"]),
        POLICIES / "cost",
        given["config"],
        defaults=given["providers"],
    )
    assert [one.message for one in said.refusals] == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_program_is_refused_where_half_as_much_is_allowed(name: str) -> None:
    given = program(name)
    config = {**given["config"], "monthly_ceiling_usd": float(given["ceiling"]) // 2}
    said = judge(
        from_document(given["resources"]), POLICIES / "cost", config, defaults=given["providers"]
    )
    assert {one.rule for one in said.refusals} == {"cost-monthly-within-budget"}
