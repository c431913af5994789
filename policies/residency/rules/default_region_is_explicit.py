"""A provider that has a region says which, rather than taking it from the machine that deploys."""

from collections.abc import Iterator

from portway.gate.absence import absence
from portway.gate.context import ResidencyContext
from portway.gate.places import inherited, reading
from portway.gate.resource import Provider, Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Missing

_ID = "residency-default-region-is-explicit"


def _lacks(stack: Stack, context: ResidencyContext) -> Iterator[Violation]:
    del context
    said: set[str] = set()
    for one in stack.resources:
        provider = one.provider
        if provider is None or provider.urn in said or not _inherits(one):
            continue
        if _names_none(provider, inherited(one)):
            said.add(provider.urn)
            message = (
                f"the {one.package} provider {provider.name} of {one} names no region, so whatever the "
                f"program looks up, and each resource that names none, is wherever the deploying machine "
                f"points; set {one.package}:region"
            )
            yield Violation(message, provider.urn, "region")


def _inherits(resource: Resource) -> bool:
    """Whether a resource of its type is in its provider's region unless it says otherwise."""
    facts = reading(resource).facts
    return not facts.needs_region and bool(set(inherited(resource)) & set(facts.region))


def _names_none(provider: Provider, paths: tuple[str, ...]) -> bool:
    return all(isinstance(provider.properties.get(path), Missing) for path in paths)


RULE = Rule(
    id=_ID,
    severity=Severity.MEDIUM,
    description="Every provider names its region instead of taking it from the deploying machine.",
    remediation="Set aws:region or gcp:region in the stack's configuration, or region on the provider.",
    controls=("GDPR Art. 44", "ISO/IEC 27001:2022 A.8.9", "NIST SP 800-53 r5 CM-6"),
    advises=True,
    judge_stack=absence(_ID, _lacks),
)
