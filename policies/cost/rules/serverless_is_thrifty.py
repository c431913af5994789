"""Functions and services use the cheaper of what does the same: reported, for whoever can tell."""

from portway.gate.judged_cost import judge_family
from portway.gate.rule import Rule, Severity

RULE = Rule(
    id="cost-serverless-is-thrifty",
    severity=Severity.MEDIUM,
    description="Functions and services use the cheaper of what does the same.",
    remediation="Measure, and give a function what it needs.",
    controls=(
        "FinOps Framework: Workload Optimization",
        "AWS Well-Architected COST06-BP02",
        "Google Cloud Well-Architected, cost optimization: Optimize resource usage",
    ),
    judge=judge_family("thrift"),
    advises=True,
)
