"""Every rule passes its good examples and refuses its bad, omitted and unknown ones, as the engine runs it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from ruamel.yaml import YAML

from portway.gate.pack import load_pack
from portway.gate.rule import Severity
from portway.gate.testing import judge
from support.packs import POLICIES, example_resources

PACKS = ("cost", "residency")
KINDS = ("good", "bad", "omitted", "unknown")


@dataclass(frozen=True)
class Case:
    pack: str
    rule: str
    kind: str
    example: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.rule}: {self.kind}: {self.example['name']}"


def examples_of(pack: str, rule: str) -> tuple[Path, Mapping[str, Any]]:
    stem = rule.removeprefix(f"{pack}-").replace("-", "_")
    file = POLICIES / pack / "rules" / f"{stem}.examples.yaml"
    yaml: Any = YAML(typ="safe")
    return file, cast("Mapping[str, Any]", yaml.load(file)) if file.exists() else {}


def cases() -> Iterator[Case]:
    for pack in PACKS:
        for rule in load_pack(POLICIES / pack).rules:
            file, examples = examples_of(pack, rule.id)
            for kind in KINDS if file.exists() else ():
                for example in examples[kind]:
                    config = example.get("config", examples["config"])
                    yield Case(pack, rule.id, kind, example, config)


CASES = tuple(cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_an_example_is_judged_as_its_rule_says(case: Case) -> None:
    configuration = {case.pack: case.config}
    resources = example_resources(case.example)
    said = judge(resources, POLICIES / case.pack, configuration)
    refusals = [one for one in said.refusals if one.rule == case.rule]
    if case.kind == "good":
        # a provider that is only mentioned is judged too, as by the engine; it is not the example
        is_about_providers = any(given.is_provider for given in resources)
        of_it = [one for one in refusals if is_about_providers or ":providers:" not in one.urn]
        assert of_it == []
        return
    assert refusals != [], "a bad example must be refused, mandatorily"
    texts = "\n".join(one.message for one in refusals)
    for expected in case.example.get("says", []):
        assert expected in texts


def first_bad_of_each_rule() -> tuple[Case, ...]:
    """The policies of a pack share one session, so one example of each rule shows it."""
    return tuple({case.rule: case for case in reversed(CASES) if case.kind == "bad"}.values())


@pytest.mark.parametrize("case", first_bad_of_each_rule(), ids=lambda case: case.id)
def test_a_judgement_does_not_depend_on_which_policy_was_configured(case: Case) -> None:
    resources = example_resources(case.example)
    first, *others = load_pack(POLICIES / case.pack).policies
    folder = POLICIES / case.pack
    expected = judge(resources, folder, {first: case.config})
    assert [judge(resources, folder, {name: case.config}) for name in others] == [expected] * 3


@pytest.mark.parametrize("pack", PACKS)
def test_every_rule_is_described_and_has_examples_of_every_kind(pack: str) -> None:
    for rule in load_pack(POLICIES / pack).rules:
        file, examples = examples_of(pack, rule.id)
        assert file.exists()
        assert set(examples) == {"config", *KINDS}
        assert all(len(examples[kind]) >= 1 for kind in KINDS)
        assert len(examples["good"]) >= 2
        assert len(examples["bad"]) >= 2
        assert rule.severity in Severity
        cited = " ".join(rule.controls)
        standards = ("GDPR Art. ", "ISO/IEC 27001:2022 A.", "NIST SP 800-53 r5 ")
        assert pack == "cost" or all(standard in cited for standard in standards), rule.id
        assert rule.description.endswith(".")
        assert rule.remediation.endswith(".")


@pytest.mark.parametrize("pack", PACKS)
def test_no_examples_are_left_without_a_rule(pack: str) -> None:
    folder = POLICIES / pack / "rules"
    rules = {file.stem for file in folder.glob("*.py")}
    assert {file.name.removesuffix(".examples.yaml") for file in folder.glob("*.yaml")} == rules
