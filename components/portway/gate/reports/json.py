"""The report for programs."""

from portway.gate.costs import Costs
from portway.gate.report import GateReport, Kind, Said
from portway.gate.run import Verdict
from portway.pricing.money import money_text


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
                **_cost(stack.costs),
            }
            for stack in report.stacks
        ],
        "packs": {pack.name: [rule.id for rule in pack.rules] for pack in report.packs},
        "notes": list(report.notes),
        "faults": list(report.faults),
    }


def _cost(costs: Costs | None) -> dict[str, object]:
    """What a month costs; a later run takes this document as its baseline."""
    if costs is None:
        unpriced = ["the cost pack did not get so far"]
        return {"monthly": None, "unpriced": unpriced, "before": None, "rates_as_of": None}
    before = costs.before
    return {
        "project": costs.project,
        "monthly": costs.monthly,
        "unpriced": list(costs.untold),
        "before": None
        if before is None or before.untold
        else {
            "floor": money_text(before.floor),
            "ceiling": money_text(before.ceiling),
            "source": before.source,
        },
        "rates_as_of": None if costs.rates_as_of is None else costs.rates_as_of.isoformat(),
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
