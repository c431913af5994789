"""What runs with no traffic is asked for: a limit says what the stack may cost, and it is counted."""

from collections.abc import Iterator
from decimal import Decimal

from portway.gate.amounts import with_no_traffic
from portway.gate.context import CostContext, declared
from portway.gate.judged_cost import judge_family, number
from portway.gate.resource import SERVICE_TYPE, Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known

_SERVICE = "gcp:cloudrunv2/service:Service"
_LEAST = "template.scaling.minInstanceCount"
_BY_TABLE = judge_family("idle", with_no_traffic)
_OR = (
    "or say what may be spent: budget in the spec, or a limit in the configuration of the cost pack"
)


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse what idles where nobody said what may be spent, and what idles in old revisions.

    A limit may be declared by a resource that comes later, so nothing is said before all are seen.
    """
    if stack is None:
        return
    yield from _in_old_revisions(resource)
    if _is_within_a_limit(resource, context, stack):
        return
    for found in _BY_TABLE(resource, context, stack):
        message = f"{found.message}, {_OR}"
        yield Violation(message, found.urn, found.path, found.undetermined)


def _is_within_a_limit(resource: Resource, context: CostContext, stack: Stack) -> bool:
    """Whether what it costs is counted against something: of the stack, or of its own service."""
    if context.monthly_ceiling_usd is not None or context.monthly_floor_usd is not None:
        return True
    here: Resource | None = resource
    met: set[str] = set()
    while here is not None and here.urn not in met:
        if here.type == SERVICE_TYPE and isinstance(declared(here).budget, Decimal):
            return True
        met.add(here.urn)
        here = stack.by_urn.get(here.parent or "")
    return False


def _in_old_revisions(resource: Resource) -> Iterator[Violation]:
    """A revision's own minimum lasts as long as a tag leads to it, and no estimate counts it.

    docs.cloud.google.com/run/docs/configuring/min-instances: at the level of a revision, and tags.
    """
    least = resource.properties.get(_LEAST) if resource.type == _SERVICE else None
    if not isinstance(least, Known) or not (number(least.value) or 0) > 0:
        return
    for tag in resource.properties.every("traffics[].tag"):
        target = tag.path.removesuffix(".tag")
        if resource.properties.every(f"{target}.revision"):
            message = (
                f"{resource} keeps {least.value} instances of an old revision running, because a "
                f"tag leads to it ({tag.path}) and every revision has its own minimum ({_LEAST}); "
                "set the minimum of the service instead (scaling.minInstanceCount), or drop the tag"
            )
            yield Violation(message, resource.urn, tag.path)


RULE = Rule(
    id="cost-nothing-idles-unasked",
    severity=Severity.HIGH,
    description="What runs with no traffic is within a limit that somebody declared.",
    remediation="Scale from zero, or declare what the service may cost.",
    controls=(
        "FinOps Framework: Workload Optimization",
        "AWS Well-Architected COST09-BP03",
        "Google Cloud Well-Architected, cost optimization: Optimize resource usage",
    ),
    judge=judge,
)
