"""Whatever can multiply says how far."""

from collections.abc import Iterator

from portway.gate.capacity import Kind, maximum, may_be_autoscaled, reading, scalers
from portway.gate.context import CostContext
from portway.gate.counts import Uncounted
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse a resource that scales without an explicit maximum, and one nobody can read."""
    del context
    how = reading(resource)
    if how.kind is not Kind.RUNS:
        return
    most = maximum(resource, how.facts)
    if not isinstance(most, Uncounted):
        return
    if most.is_missing and _may_be_scaled(resource, stack):
        return
    way_out = "declare the most instances it may ever run"
    yield _refused(
        resource,
        f"declares no maximum: {most.why}; {way_out}",
        most.path,
        undetermined=not most.is_missing,
    )


def _may_be_scaled(resource: Resource, stack: Stack | None) -> bool:
    """Kubernetes workloads are often counted by an autoscaler, which only the whole stack shows."""
    if stack is None:
        return may_be_autoscaled(resource) and reading(resource).facts.scales is None
    return any(is_certain for _, _, is_certain in scalers(resource, stack))


def _refused(
    resource: Resource, message: str, path: str, *, undetermined: bool = False
) -> Violation:
    return Violation(f"{resource} {message}", resource.urn, path, undetermined)


RULE = Rule(
    id="cost-maximum-is-declared",
    severity=Severity.HIGH,
    description="Everything that can multiply declares an explicit maximum.",
    remediation="Set the property that limits the number of instances, as a literal number.",
    judge=judge,
)
