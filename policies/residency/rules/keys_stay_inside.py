"""No key or secret is outside the boundary, or may be copied there."""

from portway.gate.judged import judge_family
from portway.gate.rule import Rule, Severity

RULE = Rule(
    id="residency-keys-stay-inside",
    severity=Severity.HIGH,
    description="Keys and secrets are made, kept and replicated inside the boundary only.",
    remediation="Use keys and secrets of one region inside the boundary.",
    controls=(
        "GDPR Art. 44",
        "GDPR Art. 46",
        "ISO/IEC 27001:2022 A.8.24",
        "NIST SP 800-53 r5 SC-12",
        "NIST SP 800-53 r5 SA-9(5)",
    ),
    judge=judge_family("keys"),
)
