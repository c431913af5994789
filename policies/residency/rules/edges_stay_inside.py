"""No worldwide edge decrypts, caches or routes requests outside the boundary."""

from portway.gate.judged import judge_family
from portway.gate.rule import Rule, Severity

RULE = Rule(
    id="residency-edges-stay-inside",
    severity=Severity.HIGH,
    description="Requests are taken and answered inside the boundary, not at an edge somewhere else.",
    remediation="Serve from regional endpoints inside the boundary, without a worldwide edge, cache or balancer.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.5.14",
        "ISO/IEC 27001:2022 A.5.23",
        "NIST SP 800-53 r5 AC-4",
        "NIST SP 800-53 r5 SC-7",
        "NIST SP 800-53 r5 SA-9(5)",
    ),
    judge=judge_family("edges"),
)
