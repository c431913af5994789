"""No log, trace or record of a model call is delivered outside the boundary: they hold prompts."""

from portway.gate.judged import judge_family
from portway.gate.rule import Rule, Severity

RULE = Rule(
    id="residency-logs-stay-inside",
    severity=Severity.CRITICAL,
    description="Logs, traces, metrics and invocation records are delivered inside the boundary.",
    remediation="Deliver logs and telemetry to stores inside the boundary.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.5.33",
        "ISO/IEC 27001:2022 A.8.15",
        "NIST SP 800-53 r5 AU-4(1)",
        "NIST SP 800-53 r5 AU-9",
        "NIST SP 800-53 r5 SA-9(5)",
    ),
    judge=judge_family("logs"),
)
