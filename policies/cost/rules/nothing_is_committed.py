"""No deployment buys what cannot be given back: throughput for months, reservations, savings plans."""

from portway.gate.judged_cost import judge_family
from portway.gate.rule import Rule, Severity

RULE = Rule(
    id="cost-nothing-is-committed",
    severity=Severity.CRITICAL,
    description="No deployment buys a commitment that deleting it does not end.",
    remediation="Pay by use, or have the commitment approved as an exemption.",
    controls=(
        "FinOps Framework: Rate Optimization",
        "AWS Well-Architected COST07-BP01",
        "Google Cloud Well-Architected, cost optimization: Optimize resource usage",
    ),
    judge=judge_family("commitments"),
)
