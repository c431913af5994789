"""Every resource is of a type of which somebody has read how many instances and GPUs it may run."""

from collections.abc import Iterator

from portway.gate.capacity import Kind, reading
from portway.gate.context import CostContext
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse a type that nobody has read: what cannot be counted has no limit."""
    del context, stack
    how = reading(resource)
    if how.kind is Kind.UNREAD:
        message = f"{resource} cannot be judged: {how.because}"
        way_out = (
            "use a type that declares its instances, or review this one and exempt it by its URN"
        )
        yield Violation(f"{message}; {way_out}", resource.urn, undetermined=True)


RULE = Rule(
    id="cost-type-is-read",
    severity=Severity.HIGH,
    description="Every type is one whose instances and GPUs can be counted.",
    remediation="Use a type that declares its instances, or review this one and exempt it.",
    judge=judge,
    controls=("ISO/IEC 27001:2022 A.5.9", "NIST SP 800-53 r5 CM-8"),
)
