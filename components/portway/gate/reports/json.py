"""The report for programs."""

from portway.gate.report import GateReport, Kind, Said
from portway.gate.run import Verdict


def document(report: GateReport) -> dict[str, object]:
    """What ``portway gate --json`` prints. Keys are only ever added."""
    return {
        "passed": report.verdict is Verdict.PASSED,
        "verdict": report.verdict.value,
        "judged": report.judged,
        "stacks": [
            {
                "stack": stack.stack,
                "verdict": stack.verdict.value,
                "judged": stack.judged,
                "violations": [_one(s) for s in report.said(stack) if s.kind is Kind.REFUSED],
                "advice": [_one(s) for s in report.said(stack) if s.kind is not Kind.REFUSED],
                "faults": list(stack.faults),
            }
            for stack in report.stacks
        ],
        "packs": {pack.name: [rule.id for rule in pack.rules] for pack in report.packs},
        "notes": list(report.notes),
        "faults": list(report.faults),
    }


def _one(said: Said) -> dict[str, str]:
    return {
        "rule": said.reported.rule,
        "pack": said.reported.pack,
        "severity": said.severity,
        "kind": said.kind.value,
        "resource": said.reported.resource,
        "urn": said.reported.urn,
        "message": said.reported.message,
    }
