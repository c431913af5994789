"""Nothing moves data out of the boundary: messages, events, streams, jobs, transfers."""

from portway.gate.judged import judge_family
from portway.gate.rule import Rule, Severity

RULE = Rule(
    id="residency-data-moves-inside",
    severity=Severity.CRITICAL,
    description="Pipelines, messages, events and jobs carry data to places inside the boundary only.",
    remediation="Read from and write to queues, streams, buckets and endpoints inside the boundary.",
    controls=(
        "GDPR Art. 44",
        "GDPR Art. 46",
        "ISO/IEC 27001:2022 A.5.14",
        "ISO/IEC 27001:2022 A.8.12",
        "NIST SP 800-53 r5 AC-4",
        "NIST SP 800-53 r5 SA-9(5)",
    ),
    judge=judge_family("movement"),
)
