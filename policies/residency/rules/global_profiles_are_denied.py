"""A call that Bedrock may serve anywhere in the world is forbidden, not only unused."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from portway.gate.absence import absence, named
from portway.gate.calls import bedrock_calls
from portway.gate.context import ResidencyContext
from portway.gate.denials import denies_global
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known

_ID = "residency-global-profiles-are-denied"
_SCP = "aws:organizations/policy:Policy"
_DOCUMENTS = {
    _SCP: "content",
    "aws:iam/role:Role": "inlinePolicies[].policy",
    "aws:iam/*": "policy",
}


def _lacks(stack: Stack, context: ResidencyContext) -> Iterator[Violation]:
    calls = bedrock_calls(stack, context)
    boundary = context.boundary
    if boundary is None or not calls:
        return
    for one in stack.resources:
        if any(denies_global(value, boundary) for value in _documents(one)):
            return
    message = (
        f"{named(call.resource for call in calls)}: nothing here forbids calls of global. profiles, which "
        f"Bedrock serves anywhere in the world; attach the policies that `portway guardrails --boundary "
        f"{boundary.names[0]}` prints, or say under elsewhere where they are attached"
    )
    yield Violation(message, calls[0].resource.urn)


def _documents(resource: Resource) -> Iterator[object]:
    for pattern, path in _DOCUMENTS.items():
        if fnmatchcase(resource.type, pattern):
            found = resource.properties.every(path)
            yield from (seen.value for seen in found if isinstance(seen, Known))
            return


RULE = Rule(
    id=_ID,
    severity=Severity.MEDIUM,
    description="Calls of global profiles, which may be served anywhere, are forbidden.",
    remediation="Attach a policy that denies bedrock where aws:RequestedRegion is unspecified.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.5.23",
        "NIST SP 800-53 r5 AC-4",
        "NIST SP 800-53 r5 SA-9(5)",
    ),
    advises=True,
    judge_stack=absence(_ID, _lacks),
)
