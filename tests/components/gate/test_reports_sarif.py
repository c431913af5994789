"""SARIF that code-scanning tools take: valid by the schema, stable, with a line and a remedy."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from portway.gate.report import GateReport
from portway.gate.reports.locate import Locator
from portway.gate.reports.sarif import log, text
from portway.gate.run import StackReport
from support.gate_reports import REGION, URN, everything, nowhere, run_of, said, stack_report

SCHEMA = Path(__file__).parents[2] / "data" / "sarif-2.1.0.json"


@cache
def validator() -> Draft4Validator:
    return Draft4Validator(json.loads(SCHEMA.read_text()))


def problems(written: Any) -> list[str]:
    return [error.message for error in validator().iter_errors(written)]  # pyright: ignore[reportUnknownMemberType] - untyped


def run_in(report: GateReport) -> dict[str, Any]:
    return log(report, nowhere())["runs"][0]


@pytest.mark.parametrize(
    "make",
    [
        everything,
        run_of,
        lambda: run_of(stack_report()),
        lambda: run_of(faults=("no engine is there",)),
        lambda: run_of(StackReport("late", None, ("it crashed",)), notes=("remove it",)),
    ],
)
def test_every_run_is_valid_by_the_schema(make: Callable[[], GateReport]) -> None:
    assert problems(json.loads(text(make(), nowhere()))) == []


def test_the_schema_refuses_what_is_no_log() -> None:
    assert problems({"version": "2.1.0", "runs": [{"tool": {}}]}) != []


def test_every_rule_says_what_it_is_what_to_do_and_which_controls_it_serves() -> None:
    report = everything()
    rules = {rule["id"]: rule for rule in run_in(report)["tool"]["driver"]["rules"]}
    assert set(rules) == {*report.rules, "not-ours"}
    for _, ours in report.rules.values():
        rule = rules[ours.id]
        assert ours.description.rstrip(".") in rule["shortDescription"]["text"]
        assert ours.remediation in rule["help"]["text"]
        assert ours.remediation in rule["help"]["markdown"]
        assert all(control in rule["help"]["markdown"] for control in ours.controls)
        assert rule["properties"]["controls"] == list(ours.controls)
    assert rules[REGION]["properties"]["security-severity"] == "9.5"
    assert rules[REGION]["defaultConfiguration"] == {"level": "error"}


def test_refusals_are_errors_exemptions_are_suppressed_and_advice_is_a_note() -> None:
    results = run_in(everything())["results"]
    assert [(one["ruleId"], one["level"], len(one["suppressions"])) for one in results] == [
        (REGION, "error", 0),
        (REGION, "error", 0),
        ("cost-gpus-within-limit", "error", 0),
        ("not-ours", "error", 0),
        (REGION, "warning", 1),
        ("cost-gpus-within-limit", "note", 0),
    ]
    assert results[4]["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "moving | out (ann, until 2026-12-24)",
        }
    ]


def test_a_result_names_its_resource_and_a_line() -> None:
    (place,) = run_in(everything())["results"][0]["locations"]
    assert place == {
        "physicalLocation": {
            "artifactLocation": {"uri": "Pulumi.yaml", "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": 1},
        },
        "logicalLocations": [
            {
                "name": "data",
                "fullyQualifiedName": URN.format(stack="prod", name="data"),
                "kind": "resource",
            }
        ],
    }


def test_fingerprints_stay_when_words_and_order_change_and_differ_between_violations() -> None:
    def prints(report: GateReport) -> list[str]:
        results = run_in(report)["results"]
        return [one["partialFingerprints"]["portwayGate/v1"] for one in results]

    one, other = said(), said("old", level="mandatory")
    first = prints(run_of(stack_report(one, one, other)))
    assert len(set(first)) == 3
    reworded = said(message="is in us-east1 today")
    assert set(prints(run_of(stack_report(other, reworded, reworded)))) == set(first)
    assert prints(run_of(stack_report(said(stack="dev"), stack="dev")))[0] not in first


def test_what_was_not_judged_is_an_execution_that_did_not_succeed() -> None:
    (invocation,) = run_in(everything())["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    (fault,) = invocation["toolExecutionNotifications"]
    assert fault["level"] == "error"
    assert fault["message"]["text"].startswith("late: the program crashed")
    (note,) = invocation["toolConfigurationNotifications"]
    assert "clusters.prod-us" in note["message"]["text"]
    refused = run_in(run_of(stack_report(said())))["invocations"][0]
    assert (refused["executionSuccessful"], refused["exitCode"]) == (True, 1)


def test_a_file_outside_the_repository_is_named_whole(tmp_path: Path) -> None:
    state = tmp_path / "a state.json"
    state.write_text("{}")
    report = StackReport("prod", None, ("no",), state=state)
    (fault,) = run_in(run_of(report))["invocations"][0]["toolExecutionNotifications"]
    uri = fault["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == f"file://{tmp_path.as_posix()}/a%20state.json"
    inside = log(run_of(report), Locator(tmp_path))["runs"][0]["invocations"][0]
    place = inside["toolExecutionNotifications"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a%20state.json", "uriBaseId": "%SRCROOT%"}
