"""Google itself refuses resources outside the boundary: the organisation policy says so."""

import re
from collections.abc import Iterator

from portway.gate.absence import absence, named, of_types, text
from portway.gate.context import ResidencyContext
from portway.gate.places import Kind, reading
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Unknown
from portway.residency.boundary import Boundary

_ID = "residency-resource-locations-are-enforced"
_POLICY = "gcp:orgpolicy/policy:Policy"
_OLDER = (
    "gcp:organizations/policy:Policy",
    "gcp:folder/organizationPolicy:OrganizationPolicy",
    "gcp:projects/organizationPolicy:OrganizationPolicy",
)
_CONSTRAINT = "gcp.resourceLocations"
_GROUP = re.compile(r"in:(?P<place>[a-z0-9-]+)-locations")


def _lacks(stack: Stack, context: ResidencyContext) -> Iterator[Violation]:
    boundary = context.boundary
    located = [one for one in stack.resources if _is_located(one)]
    policies = list(_policies(stack))
    if boundary is None or not located or any(_keeps_inside(one, boundary) for one in policies):
        return
    is_wide = f"the {_CONSTRAINT} policy of this stack allows more than {boundary}"
    nothing = f"nothing here has Google refuse resources outside {boundary}"
    message = (
        f"{named(located)}: {is_wide if policies else nothing}; set the organisation policy that "
        f"`portway guardrails --boundary {boundary.names[0]}` prints, or say under elsewhere where it is"
    )
    yield Violation(message, located[0].urn)


def _is_located(resource: Resource) -> bool:
    return (
        resource.package == "gcp"
        and not resource.is_provider
        and reading(resource).kind is Kind.LOCATED
    )


def _policies(stack: Stack) -> Iterator[Resource]:
    for one in of_types(stack, (_POLICY,)):
        if text(one, "name").endswith(f"/{_CONSTRAINT}"):
            yield one
    for one in of_types(stack, _OLDER):
        if text(one, "constraint").removeprefix("constraints/") == _CONSTRAINT:
            yield one


def _keeps_inside(policy: Resource, boundary: Boundary) -> bool:
    """Whether everything it allows is known to be inside."""
    properties = policy.properties
    opened = ("spec.rules[].allowAll", "listPolicy.allow.all")
    if any(_says_yes(seen) for path in opened for seen in properties.every(path)):
        return False
    allowed = (
        *properties.every("spec.rules[].values.allowedValues[]"),
        *properties.every("listPolicy.allow.values[]"),
    )
    return bool(allowed) and all(
        isinstance(one, Known) and _is_inside(str(one.value), boundary) for one in allowed
    )


def _says_yes(seen: Known | Unknown) -> bool:
    return isinstance(seen, Unknown) or str(seen.value).lower() == "true"


def _is_inside(value: str, boundary: Boundary) -> bool:
    """A region, a zone, or the group of one; ``in:eu-locations`` is Google's own list of the EU."""
    group = _GROUP.fullmatch(value)
    place = group["place"] if group else value
    return boundary.contains(place)


RULE = Rule(
    id=_ID,
    severity=Severity.MEDIUM,
    description="Google refuses resources outside the boundary, by organisation policy.",
    remediation="Set gcp.resourceLocations to the locations inside the boundary.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.5.23",
        "NIST SP 800-53 r5 SA-9(5)",
        "NIST SP 800-53 r5 CM-6",
    ),
    advises=True,
    judge_stack=absence(_ID, _lacks),
)
