"""SARIF 2.1.0 (OASIS, 2020), as code-scanning tools read it."""

import hashlib
import json
import re
from importlib import metadata
from typing import Any
from urllib.parse import quote

from portway.gate.pack import Pack
from portway.gate.report import GateReport, Kind, Said
from portway.gate.reports.locate import Locator, Place
from portway.gate.rule import Rule, Severity
from portway.gate.run import StackReport

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning"}
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5"}
"""GitHub's bands for ``security-severity``: critical from 9.0, high from 7.0, medium from 4.0."""

Json = dict[str, Any]


def text(report: GateReport, locator: Locator) -> str:
    """The log, one run over all stacks."""
    return json.dumps(log(report, locator), indent=2, ensure_ascii=False) + "\n"


def log(report: GateReport, locator: Locator) -> Json:
    """The log as data."""
    every = [(stack, said) for stack in report.stacks for said in report.said(stack)]
    rules = [_rule(pack, rule) for pack, rule in report.rules.values()]
    # Somebody else's policy, or a fault in one of ours, may speak without a rule of ours.
    strange = sorted({said.id for _, said in every if said.rule is None})
    rules += [{"id": name, "shortDescription": {"text": f"The policy {name}."}} for name in strange]
    numbers = {rule["id"]: index for index, rule in enumerate(rules)}
    run: Json = {
        "tool": {
            "driver": {
                "name": "portway gate",
                "semanticVersion": metadata.version("portway"),
                "rules": rules,
            }
        },
        "automationDetails": {"id": "portway-gate/"},
        "invocations": [_invocation(report, locator)],
        "results": [_result(stack, said, numbers[said.id], locator) for stack, said in every],
        "columnKind": "utf16CodeUnits",
        "properties": {
            "verdict": report.verdict.value,
            "judged": report.judged,
            "stacks": [
                {"stack": one.stack, "verdict": one.verdict.value, "judged": one.judged}
                for one in report.stacks
            ],
        },
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(pack: Pack, rule: Rule[Any]) -> Json:
    controls = f"Controls: {', '.join(rule.controls)}." if rule.controls else ""
    listed = "".join(f"\n- {control}" for control in rule.controls)
    title = rule.description if rule.description.endswith(".") else f"{rule.description}."
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in re.split(r"[-_]", rule.id)),
        "shortDescription": {"text": title},
        "fullDescription": {"text": title},
        "help": {
            "text": "\n".join(part for part in (title, rule.remediation, controls) if part),
            "markdown": f"{title}\n\n**What to do:** {rule.remediation}\n"
            + (f"\n**Controls**\n{listed}\n" if listed else ""),
        },
        "defaultConfiguration": {"level": "note" if rule.advises else _LEVELS[rule.severity]},
        "properties": {
            "tags": [pack.name, *(["security"] if pack.name == "residency" else [])],
            "precision": "very-high",
            "problem.severity": "recommendation" if rule.advises else _LEVELS[rule.severity],
            "security-severity": _SCORES[rule.severity],
            "controls": list(rule.controls),
        },
    }


def _result(stack: StackReport, said: Said, index: int, locator: Locator) -> Json:
    identity = f"{said.id}\n{said.reported.urn or stack.stack}\n{said.number}"
    fingerprint = hashlib.sha256(identity.encode()).hexdigest()[:32]
    result: Json = {
        "ruleId": said.id,
        "ruleIndex": index,
        "level": _level(said),
        "kind": "fail",
        "message": {"text": said.reported.message},
        "locations": [_location(locator.violation(stack, said.reported), stack, said)],
        "partialFingerprints": {
            "portwayGate/v1": fingerprint,
            "primaryLocationLineHash": f"{fingerprint[:16]}:1",
        },
        "suppressions": [],
        "properties": {"stack": stack.stack, "severity": said.severity, "kind": said.kind.value},
    }
    spec = locator.spec(stack, said.reported.pack)
    if spec is not None:
        near: Json = {"id": 1, "message": {"text": "what the service asks for"}}
        result["relatedLocations"] = [near | {"physicalLocation": _physical(spec)}]
    if said.exemption is not None:
        words = f"{said.exemption.reason} ({said.exemption.owner}, until {said.exemption.expires})"
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": words}
        ]
    return result


def _level(said: Said) -> str:
    """A refusal is an error whatever its severity: it stopped the run."""
    levels = {Kind.REFUSED: "error", Kind.EXEMPT: "warning", Kind.ADVICE: "note"}
    return levels[said.kind]


def _location(place: Place, stack: StackReport, said: Said) -> Json:
    logical = {
        "name": said.reported.urn.rpartition("::")[2] or stack.stack,
        "fullyQualifiedName": said.reported.urn or f"urn:pulumi:{stack.stack}",
        "kind": "resource",
    }
    return {"physicalLocation": _physical(place), "logicalLocations": [logical]}


def _physical(place: Place) -> Json:
    is_whole = place.file.startswith("/")
    artifact: Json = {"uri": ("file://" if is_whole else "") + quote(place.file)}
    if not is_whole:
        artifact["uriBaseId"] = "%SRCROOT%"
    return {"artifactLocation": artifact, "region": {"startLine": place.line}}


def _invocation(report: GateReport, locator: Locator) -> Json:
    faults: list[Json] = [{"level": "error", "message": {"text": fault}} for fault in report.faults]
    for stack in report.stacks:
        at = [{"physicalLocation": _physical(locator.stack(stack))}]
        faults += [
            {"level": "error", "message": {"text": f"{stack.stack}: {fault}"}, "locations": at}
            for fault in stack.faults
        ]
    notes = [{"level": "warning", "message": {"text": note}} for note in report.notes]
    code = report.exit_code
    return {
        "executionSuccessful": code in (0, 1),
        "exitCode": code,
        "exitCodeDescription": report.headline,
        "toolExecutionNotifications": faults,
        "toolConfigurationNotifications": notes,
    }
