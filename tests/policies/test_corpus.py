"""The corpus is well made, and the residency pack refuses all of it that leaks and next to nothing else."""

from functools import cache

import pytest

from corpus.report import MOST_FALSE_ALARMS, Case, Outcome, cases, families, outcome
from portway.gate.pack import load_pack
from support.packs import POLICIES
from support.sdk_shapes import resource_args, strange


@cache
def outcomes() -> tuple[Outcome, ...]:
    return tuple(outcome(case) for case in cases())


def test_every_leaking_set_is_refused() -> None:
    assert [one.case.id for one in outcomes() if one.case.leaks and not one.is_right] == []


def test_every_leaking_set_is_refused_for_what_leaks() -> None:
    wrong = {
        one.case.id: sorted(one.judgement.rules) for one in outcomes() if not one.is_for_the_reason
    }
    assert wrong == {}


def test_at_most_one_clean_set_in_a_hundred_is_refused() -> None:
    clean = [one for one in outcomes() if not one.case.leaks]
    refused = {
        one.case.id: [said.message for said in one.judgement.refusals]
        for one in clean
        if not one.is_right
    }
    assert len(refused) <= MOST_FALSE_ALARMS * len(clean), refused


def test_the_corpus_is_large_and_its_ids_are_unique() -> None:
    leaking = [case for case in cases() if case.leaks]
    clean = [case for case in cases() if not case.leaks]
    assert (len(leaking) >= 200, len(clean) >= 100) == (True, True)
    assert len({case.id for case in cases()}) == len(cases())


def test_every_leak_names_its_threat_and_families_that_exist() -> None:
    leaking = [case for case in cases() if case.leaks]
    assert [case.id for case in leaking if not case.threat or not case.families] == []
    assert {family for case in leaking for family in case.families} <= set(families())


def test_families_name_rules_of_the_pack() -> None:
    rules = {rule.id for rule in load_pack(POLICIES / "residency").rules}
    assert {rule for named in families().values() for rule in named} <= rules


def is_of_an_sdk(token: str) -> bool:
    package, module = token.split(":")[:2]
    group = module.split("/")[0]
    if package != "kubernetes":
        return package in ("aws", "gcp", "random")
    return "." not in group or group in (
        "helm.sh", "networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io",
        "discovery.k8s.io",
    )  # fmt: skip


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_types_and_properties_of_a_set_are_those_of_the_pinned_sdks(case: Case) -> None:
    for row in case.resources:
        if not is_of_an_sdk(row["type"]):
            continue
        args = resource_args(row["type"])
        assert args is not None, row["type"]
        assert list(strange(args, row["props"])) == []
