"""What a resource may cost, as the end of a statement: nothing where nobody can tell."""

from portway.gate.billing import amount, billed
from portway.gate.billing.priced import ORDINARY, priced
from portway.gate.resource import Resource, Stack
from portway.pricing.money import money_shown


def at_maximum(resource: Resource, stack: Stack | None) -> str:
    """``, 764 USD a month at its maximum``; "" where that is not known."""
    said = amount(resource, stack)
    return f", {said}" if said else ""


def with_no_traffic(resource: Resource, stack: Stack | None) -> str:
    """``, 764 USD a month with no traffic``; "" where that is not known, or nothing."""
    found = priced(resource, billed(resource, stack), ORDINARY)
    if found.faults or not found.floor:
        return ""
    return f", {money_shown(found.floor)} a month with no traffic"
