"""Nothing anywhere in a resource names, by ARN or by path, a region outside the boundary.

The safety net under the tables: it reads every property of every type, also those that no table has
yet. What a table judges, what names models, and documents of permissions are left to their rules.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache

from portway.gate.context import ResidencyContext
from portway.gate.judged import judged_paths
from portway.gate.places import reading
from portway.gate.readings import places_in
from portway.gate.resource import Resource, Stack
from portway.gate.routes import without_models
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import shown

_JUDGED_BY_THEIR_OWN_RULES = ("aws:iam/*", "portway:*", "pulumi:*", "kubernetes:core/v1:Secret")
_CERTIFICATES = (("aws:cloudfront/*", "viewerCertificate.acmCertificateArn"),)
"""CloudFront takes certificates from us-east-1 only; a certificate is public, its key stays in ACM."""


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse each property that names a region outside, once."""
    del stack
    boundary = context.boundary
    if boundary is None or _is_left_out(resource.type):
        return
    others: set[str] | None = None
    told = {leaf.path for leaf in resource.properties.leaves(*reading(resource).facts.model_routes)}
    for leaf in resource.properties.texts:
        text = without_models(leaf.value) if leaf.path in told else leaf.value
        outside = [one for one in places_in(text) if not boundary.holds(one, resource.type)]
        if not outside:
            continue
        others = _read_by_others(resource) if others is None else others
        if leaf.path not in others:
            yield Violation(
                f"{resource} refers to something in {shown(outside[0])} ({leaf.path}), outside the "
                f"boundary {boundary}; refer to something inside it",
                resource.urn,
                leaf.path,
            )


def _read_by_others(resource: Resource) -> set[str]:
    """The concrete paths that another rule reads on this resource."""
    facts = reading(resource).facts
    paths = (*judged_paths(resource.type), *facts.region, *facts.replicas)
    exempt = [path for token, path in _CERTIFICATES if fnmatchcase(resource.type, token)]
    found = (leaf.path for leaf in resource.properties.leaves(*paths, *exempt))
    return set(found)


@cache
def _is_left_out(token: str) -> bool:
    return any(fnmatchcase(token, pattern) for pattern in _JUDGED_BY_THEIR_OWN_RULES)


RULE = Rule(
    id="residency-references-stay-inside",
    severity=Severity.HIGH,
    description="Nothing in a resource refers, by ARN or path, to a region outside the boundary.",
    remediation="Refer to a resource in a region inside the boundary.",
    judge=judge,
    controls=("GDPR Art. 44", "ISO/IEC 27001:2022 A.5.14", "NIST SP 800-53 r5 AC-4"),
)
