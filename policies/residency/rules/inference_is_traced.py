"""Where a cross-region call was really served is recorded by a trail."""

from collections.abc import Iterator

from portway.gate.absence import absence, named, of_types
from portway.gate.calls import bedrock_calls
from portway.gate.context import ResidencyContext
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Missing

_ID = "residency-inference-is-traced"
_TRAIL = "aws:cloudtrail/trail:Trail"
_STORE = "aws:cloudtrail/eventDataStore:EventDataStore"


def _lacks(stack: Stack, context: ResidencyContext) -> Iterator[Violation]:
    crossing = [call for call in bedrock_calls(stack, context) if call.crosses_regions]
    trails = of_types(stack, (_TRAIL, _STORE))
    if not crossing or any(_records(trail) for trail in trails):
        return
    message = (
        f"{named(call.resource for call in crossing)}: a profile is called, which Bedrock serves in "
        f"several regions, and no trail of this stack records in which one (inferenceRegion); add "
        f"{_TRAIL} with its management events, or say under elsewhere which trail does"
    )
    yield Violation(message, crossing[0].resource.urn)


def _records(trail: Resource) -> bool:
    """Whether it is on and, as without selectors of its own, records management events."""
    match trail.properties.get("enableLogging"):
        case Missing() | Known(_, True):
            pass
        case _:
            return False
    kinds = trail.properties.every("advancedEventSelectors[].fieldSelectors[].equals[]")
    if kinds and not any(isinstance(one, Known) and one.value == "Management" for one in kinds):
        return False
    included = trail.properties.every("eventSelectors[].includeManagementEvents")
    return not included or any(isinstance(one, Known) and one.value is True for one in included)


RULE = Rule(
    id=_ID,
    severity=Severity.MEDIUM,
    description="A trail records in which region a call of an inference profile was served.",
    remediation="Keep a CloudTrail trail with management events, which carry inferenceRegion.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.8.15",
        "NIST SP 800-53 r5 AU-2",
        "NIST SP 800-53 r5 AU-12",
    ),
    advises=True,
    judge_stack=absence(_ID, _lacks),
)
