"""The GPUs of a stack, with everything at its maximum, are no more than the organisation allows."""

from collections.abc import Iterator
from dataclasses import dataclass

from portway.gate.capacity import Kind, at_most, gpus, maximum, reading, scaled
from portway.gate.context import CostContext
from portway.gate.counts import Count, Uncounted
from portway.gate.resource import Resource, Stack
from portway.gate.rollouts import surge
from portway.gate.rule import Rule, Severity, Violation

_PATH = "gpus"


@dataclass(frozen=True)
class Use:
    """The GPUs of one resource: ``each`` times at most ``instances``."""

    resource: Resource
    each: int
    instances: int

    @property
    def total(self) -> int:
        """With everything at its maximum."""
        return self.each * self.instances

    def __str__(self) -> str:
        """``chat: 3 x 1``."""
        return f"{self.resource.name}: {self.instances} x {self.each}"


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse what cannot be counted, and, before anything else is seen, what is too much alone."""
    how = reading(resource)
    if how.kind is not Kind.RUNS:
        return
    each = gpus(resource, how.facts, stack)
    if (
        how.facts.scales is not None
        and stack is not None
        and not scaled(resource, how.facts, stack)
    ):
        path = how.facts.scales
        message = (
            f"{resource} scales something outside this stack ({path}), whose GPUs cannot be counted"
        )
        yield Violation(message, resource.urn, path, undetermined=True)
    if isinstance(each, Uncounted):
        message = f"{resource} may hold GPUs that cannot be counted: {each.why}"
        yield Violation(message, resource.urn, each.path, undetermined=True)
    elif each.value and stack is not None:
        most = at_most(resource, how.facts, stack)
        if isinstance(most, Uncounted):
            message = (
                f"{resource} holds {each.value} GPUs in each of an unknown number of instances"
            )
            yield Violation(f"{message}: {most.why}", resource.urn, most.path, undetermined=True)
        elif isinstance(more := surge(resource, most.value), Uncounted):
            message = f"{resource} may hold GPUs beside those of its {most.value} instances"
            yield Violation(f"{message}: {more.why}", resource.urn, more.path, undetermined=True)
    elif each.value and context.max_gpus is not None:
        most = maximum(resource, how.facts)
        if isinstance(most, Count) and each.value * most.value > context.max_gpus:
            yield _too_many([Use(resource, each.value, most.value)], context.max_gpus)


def judge_stack(stack: Stack, context: CostContext) -> Iterator[Violation]:
    """Refuse more GPUs than the limit; without one, what they cost is judged, not their number."""
    if context.max_gpus is None:
        return
    uses = sorted(_uses(stack), key=lambda use: (-use.total, use.resource.urn))
    # Exempting the largest says nothing of the rest, which are still together too many.
    while sum(use.total for use in uses) > context.max_gpus:
        yield _too_many(uses, context.max_gpus)
        uses = uses[1:]


def _uses(stack: Stack) -> Iterator[Use]:
    """What can be counted; the rest is refused one by one."""
    for resource in stack.resources:
        how = reading(resource)
        if how.kind is not Kind.RUNS:
            continue
        each = gpus(resource, how.facts, stack)
        if isinstance(each, Count) and each.value:
            most = at_most(resource, how.facts, stack)
            more = surge(resource, most.value) if isinstance(most, Count) else most
            if isinstance(most, Count) and isinstance(more, Count):
                yield Use(resource, each.value, most.value + more.value)


def _too_many(uses: list[Use], limit: int) -> Violation:
    """``uses``, the largest first, are more than ``limit`` together."""
    total = sum(use.total for use in uses)
    listed = ", ".join(map(str, uses))
    message = (
        f"{uses[0].resource} and its stack may hold {total} GPUs ({listed}), more than the "
        f"{limit} that max_gpus allows; lower the maximum (scaling.max in the spec), or have the "
        "limit raised in the configuration of the cost pack"
    )
    return Violation(message, uses[0].resource.urn, _PATH)


RULE = Rule(
    id="cost-gpus-within-limit",
    severity=Severity.HIGH,
    description="The GPUs of a stack at its maximum are no more than the organisation allows.",
    remediation="Lower the maximum, or have max_gpus raised.",
    judge=judge,
    judge_stack=judge_stack,
)
