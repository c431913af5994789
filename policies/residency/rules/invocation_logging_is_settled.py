"""Where Bedrock keeps its invocation logs, which hold whole prompts, is said for every region called."""

from collections.abc import Iterator

from portway.gate.absence import absence, named, of_types
from portway.gate.calls import bedrock_calls
from portway.gate.context import ResidencyContext
from portway.gate.places import At, places, reading
from portway.gate.resource import Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import shown
from portway.residency.boundary import normalise_region

_ID = "residency-invocation-logging-is-settled"
_LOGGING = "aws:bedrockmodel/invocationLoggingConfiguration:InvocationLoggingConfiguration"


def _lacks(stack: Stack, context: ResidencyContext) -> Iterator[Violation]:
    calls = bedrock_calls(stack, context)
    settled = set(_settled(stack, context))
    regions = {normalise_region(call.region) for call in calls if call.region}
    open_regions = sorted(regions - settled)
    if not calls or (settled and not open_regions):
        return
    callers = named(call.resource for call in calls)
    where = f" in {', '.join(map(shown, open_regions))}" if open_regions else ""
    message = (
        f"{callers}: Bedrock is called{where}, and nothing here says whether the account logs whole "
        f"prompts there, and to which place; add {_LOGGING} in that region, or say under elsewhere "
        f"that it is off, or who keeps it"
    )
    yield Violation(message, calls[0].resource.urn)


def _settled(stack: Stack, context: ResidencyContext) -> Iterator[str]:
    for one in of_types(stack, (_LOGGING,)):
        for place in places(one, reading(one).facts, context.clusters):
            if isinstance(place, At):
                yield normalise_region(place.region)


RULE = Rule(
    id=_ID,
    severity=Severity.HIGH,
    description="Where Bedrock logs whole prompts is said for every region that is called.",
    remediation="Configure invocation logging in the region, or have the account's owner say it is off.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.8.15",
        "NIST SP 800-53 r5 AU-9",
        "NIST SP 800-53 r5 SA-9(5)",
    ),
    advises=True,
    judge_stack=absence(_ID, _lacks),
)
