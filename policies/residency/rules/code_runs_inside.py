"""Code is built, taken from and run inside the boundary."""

from portway.gate.judged import judge_family
from portway.gate.rule import Rule, Severity

RULE = Rule(
    id="residency-code-runs-inside",
    severity=Severity.MEDIUM,
    description="Code, images and layers come from inside the boundary and run there.",
    remediation="Build in, deploy to and take images, layers and models from regions inside the boundary.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.5.21",
        "ISO/IEC 27001:2022 A.5.23",
        "NIST SP 800-53 r5 SR-3",
        "NIST SP 800-53 r5 SA-9(5)",
    ),
    judge=judge_family("compute"),
)
