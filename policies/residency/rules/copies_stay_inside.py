"""Nothing keeps a copy of data outside the boundary: replicas, backups, snapshots, images, exports."""

from portway.gate.judged import judge_family
from portway.gate.rule import Rule, Severity

RULE = Rule(
    id="residency-copies-stay-inside",
    severity=Severity.CRITICAL,
    description="Replicas, backups, snapshots and images of data are kept inside the boundary.",
    remediation="Replicate and back up to regions inside the boundary, or not at all.",
    controls=(
        "GDPR Art. 44",
        "GDPR Art. 46",
        "ISO/IEC 27001:2022 A.5.34",
        "ISO/IEC 27001:2022 A.8.13",
        "NIST SP 800-53 r5 CP-9",
        "NIST SP 800-53 r5 SA-9(5)",
    ),
    judge=judge_family("copies"),
)
