"""Advice on the configuration itself: what ends, what nothing needs, what lets everything pass."""

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from portway.gate.costs import Costs
from portway.gate.notes import notes
from portway.gate.run import StackReport, load_policies
from support.gate_reports import REGION, record, said
from support.packs import POLICIES

TODAY = date.fromisoformat("2026-11-21")
ZERO = Decimal(0)


def noted(
    tmp_path: Path,
    config: dict[str, Any],
    *reports: StackReport,
    every_stack: bool = True,
    today: date = TODAY,
    whole: bool = False,
) -> list[str]:
    file = tmp_path / "residency.json"
    file.write_text(json.dumps(config if whole else {"residency": config}))
    policies = load_policies(POLICIES, {"residency": file})
    found = notes(policies, reports, today, every_stack=every_stack)
    return [note for note in found if note.startswith("residency.json: ")]


def exemption(urn: str, expires: date) -> dict[str, str]:
    return {"rule": REGION, "urn": urn, "reason": "r", "owner": "ann", "expires": str(expires)}


def report(*reported: Any, texts: tuple[str, ...] = ()) -> StackReport:
    return StackReport("prod", replace(record(*reported), texts=frozenset(texts)), ())


def test_an_exemption_is_announced_seven_days_before_it_ends_and_after(tmp_path: Path) -> None:
    expires = date.today() + timedelta(days=30)  # noqa: DTZ011 - the pack's own clock bounds it
    config = {"exemptions": [exemption("*::data", expires)]}
    needed = report(said(level="advisory"))

    def at(days_before: int) -> list[str]:
        today = expires - timedelta(days=days_before)
        return noted(tmp_path, config, needed, today=today)

    what = f"residency.json: the exemption by ann from {REGION} for *::data"
    assert at(8) == []
    assert at(7) == [f"{what} ends in 7 days, on {expires}; mend what it is for, or renew it"]
    assert at(0) == [f"{what} ends today, on {expires}; mend what it is for, or renew it"]
    assert at(-1) == [f"{what} expired on {expires} and has no effect; remove it"]


def test_an_exemption_that_no_stack_needs_is_named_once_all_were_judged(tmp_path: Path) -> None:
    later = date.today() + timedelta(days=30)  # noqa: DTZ011 - as above
    config = {
        "exemptions": [
            exemption("*::data", later),
            exemption("*::gone", later),
            exemption("urn:pulumi:prod::shop::*::gone", later),
            exemption("urn:pulumi:dev::shop::*::gone", later),
        ]
    }
    needed = report(said(level="advisory"))
    found = noted(tmp_path, config, needed)
    # Of one for a stack that was judged, the pack says so itself.
    assert [note.partition(f"from {REGION} for ")[2] for note in found] == [
        "*::gone covers nothing that any stack is refused for; remove it",
        "urn:pulumi:dev::shop::*::gone covers nothing that any stack is refused for; remove it",
    ]
    assert noted(tmp_path, config, needed, every_stack=False) == []


def test_an_entry_that_no_stack_speaks_of_is_named(tmp_path: Path) -> None:
    config = {
        "clusters": {"prod-eu": "europe-west4", "prod-us": "europe-west1"},
        "buckets": {"logs-eu": "eu-central-1", "logs-old": "eu-central-1"},
        "hosts": ["*.example.eu", "api.example.com"],
    }
    spoken = report(texts=("prod-eu", "arn:aws:s3:::logs-eu/*", "https://API.example.eu:443/v1"))
    assert noted(tmp_path, config, spoken) == [
        "residency.json: clusters.prod-us: no stack speaks of it; remove it, or correct the name",
        "residency.json: buckets.logs-old: no stack speaks of it; remove it, or correct the name",
        "residency.json: hosts: no stack calls api.example.com; remove it",
    ]
    assert noted(tmp_path, config, spoken, every_stack=False) == []
    failed = StackReport("late", None, ("it crashed",))
    assert noted(tmp_path, config, spoken, failed) == []


def test_a_pack_that_is_made_advisory_is_named(tmp_path: Path) -> None:
    found = noted(tmp_path, {"residency": "advisory", "all": "mandatory"}, report(), whole=True)
    assert found == [
        "residency.json: residency is advisory, so nothing that it finds is refused; "
        "make it mandatory"
    ]


def test_what_is_said_to_be_elsewhere_and_no_stack_lacks_is_named(tmp_path: Path) -> None:
    lacked, never = "residency-inference-is-traced", REGION
    config = {"elsewhere": {lacked: "the organisation's trail", never: "somewhere"}}
    found = noted(tmp_path, config, report(said(rule=lacked, level="advisory")))
    expected = f"elsewhere.{never}: no stack lacks anything that this rule looks for; remove it"
    assert found == [f"residency.json: {expected}"]
    assert noted(tmp_path, config, report(), every_stack=False) == []


def test_what_the_cost_pack_is_told_is_elsewhere_is_looked_for_too(tmp_path: Path) -> None:
    lacked, never = "cost-budget-watches-the-stack", "cost-type-is-read"
    file = tmp_path / "cost.json"
    file.write_text(json.dumps({"cost": {"elsewhere": {lacked: "there", never: "somewhere"}}}))
    policies = load_policies(POLICIES, {"cost": file})
    reports = [report(said(rule=lacked, level="advisory"))]
    found = notes(policies, reports, TODAY, every_stack=True)
    expected = f"elsewhere.{never}: no stack lacks anything that this rule looks for; remove it"
    assert [note for note in found if note.startswith("cost.json: ")] == [f"cost.json: {expected}"]


def test_old_rates_are_named_unless_their_rule_has_said_so() -> None:
    told = Costs("shop", ZERO, ZERO, ZERO, stale="3 of 4 rates used are older than 120 days")
    policies = load_policies(POLICIES)
    quiet = replace(report(), costs=told)
    refused = replace(report(said(rule="cost-rates-are-fresh")), costs=told)
    expected = "prod: 3 of 4 rates used are older than 120 days"
    for one, notes_of_it in ((quiet, [expected]), (refused, []), (report(), [])):
        found = notes(policies, [one], TODAY, every_stack=False)
        assert [note for note in found if note.startswith("prod: ")] == notes_of_it
