"""A function in a VPC reaches Bedrock by an endpoint in its region, not by way of the internet."""

import re
from collections.abc import Iterator

from portway.gate.absence import absence, of_types
from portway.gate.calls import bedrock_calls
from portway.gate.context import ResidencyContext
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known

_ID = "residency-bedrock-is-reached-privately"
_FUNCTION = "aws:lambda/function:Function"
_ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
_SERVICE = re.compile(
    r"(?:com|eu|cn)\.amazonaws(?:\.[a-z]+)?\.(?P<region>[a-z0-9-]+)\.bedrock-(?:runtime|mantle)"
)


def _lacks(stack: Stack, context: ResidencyContext) -> Iterator[Violation]:
    reached = set(_reached(stack))
    regions: dict[str, set[str]] = {}
    for call in bedrock_calls(stack, context):
        if call.resource.type == _FUNCTION and call.region is not None:
            regions.setdefault(call.resource.urn, set()).add(call.region)
    for urn, called in regions.items():
        function = stack.by_urn[urn]
        missing = sorted(called - reached)
        if missing and _is_in_vpc(function):
            message = (
                f"{function} is in a VPC and calls Bedrock in {', '.join(missing)}, and the stack has no "
                f"{_ENDPOINT} for com.amazonaws.{missing[0]}.bedrock-runtime, so that prompts leave by "
                f"the internet; add it, or say under elsewhere where it is kept"
            )
            yield Violation(message, function.urn, "vpcConfig")


def _is_in_vpc(function: Resource) -> bool:
    """Whether it names subnets, known or not."""
    return bool(function.properties.every("vpcConfig.subnetIds[]"))


def _reached(stack: Stack) -> Iterator[str]:
    for endpoint in of_types(stack, (_ENDPOINT,)):
        for seen in endpoint.properties.every("serviceName"):
            found = _SERVICE.fullmatch(str(seen.value)) if isinstance(seen, Known) else None
            if found:
                yield found["region"]


RULE = Rule(
    id=_ID,
    severity=Severity.MEDIUM,
    description="A function in a VPC reaches Bedrock by an endpoint in its region.",
    remediation="Add an interface endpoint for bedrock-runtime to the function's VPC.",
    controls=("GDPR Art. 44", "ISO/IEC 27001:2022 A.8.20", "NIST SP 800-53 r5 SC-7"),
    advises=True,
    judge_stack=absence(_ID, _lacks),
)
