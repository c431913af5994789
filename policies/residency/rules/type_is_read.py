"""Every resource is of a type whose places this pack knows how to read."""

from collections.abc import Iterator

from portway.gate.context import ResidencyContext
from portway.gate.places import Kind, reading
from portway.gate.resource import SERVICE_TYPE, Resource, Stack
from portway.gate.rule import Rule, Severity, Violation


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse a type that nobody has read: what it does with data cannot be told."""
    del context, stack
    if resource.type == SERVICE_TYPE or resource.is_provider:
        return
    how = reading(resource)
    if how.kind is Kind.UNREAD:
        message = f"{resource} cannot be judged: {how.because}"
        yield Violation(message, resource.urn, undetermined=True)


RULE = Rule(
    id="residency-type-is-read",
    severity=Severity.HIGH,
    description="Every resource is of a type whose places this pack knows how to read.",
    remediation="Use a type that the pack reads, or review this resource and exempt it by its URN.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.5.9",
        "ISO/IEC 27001:2022 A.5.23",
        "NIST SP 800-53 r5 CM-7(5)",
        "NIST SP 800-53 r5 CM-8",
    ),
    judge=judge,
)
