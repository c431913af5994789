"""No peering, endpoint or gateway joins a network to one outside the boundary."""

from portway.gate.judged import judge_family
from portway.gate.rule import Rule, Severity

RULE = Rule(
    id="residency-network-stays-inside",
    severity=Severity.HIGH,
    description="Networks are joined to networks and services inside the boundary only.",
    remediation="Peer with, attach to and connect to what is inside the boundary.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.8.20",
        "ISO/IEC 27001:2022 A.8.22",
        "NIST SP 800-53 r5 AC-4",
        "NIST SP 800-53 r5 SC-7",
        "NIST SP 800-53 r5 CA-3",
    ),
    judge=judge_family("network"),
)
