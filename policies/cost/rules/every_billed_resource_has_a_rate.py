"""What is billed has a rate, or somebody has said what it costs: nothing is taken for free."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from portway.gate.billing import Fault, billed, stack_estimate
from portway.gate.context import CostContext
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation

_WAY_OUT = (
    "say what it costs a month under declared_usd in the configuration of the cost pack, "
    "or exempt it by its URN"
)


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse a type that nobody has read, a value that is not known, and a place without a rate."""
    if stack is None:
        # What its values come to is told with the whole stack; its type does not change.
        is_declared = any(
            key == resource.type or fnmatchcase(resource.urn, key)
            for key, _ in context.declared_usd
        )
        found = () if is_declared else billed(resource, None).faults
        faults = [one for one in found if one.is_unread]
    else:
        priced = stack_estimate(stack, context.declared_usd).by_urn.get(resource.urn)
        found = () if priced is None else priced.faults
        faults = [one for one in found if not one.is_unbounded]
    for fault in faults:
        yield _refused(resource, fault)


def _refused(resource: Resource, fault: Fault) -> Violation:
    message = f"{resource} cannot be priced: {fault.why}; {_WAY_OUT}"
    return Violation(message, resource.urn, fault.path, undetermined=True)


RULE = Rule(
    id="cost-every-billed-resource-has-a-rate",
    severity=Severity.HIGH,
    description="Whatever is billed has a known rate, or a declared amount; nothing is called free.",
    remediation="Say what it costs under declared_usd, or place it where its rate is known.",
    judge=judge,
)
