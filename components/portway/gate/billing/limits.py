"""How many of something there may be at most, as the rules on maxima count it."""

from portway.gate.billing.cannot import CannotPrice
from portway.gate.capacity import at_most, maximum, reading
from portway.gate.counts import Count
from portway.gate.resource import Resource, Stack


def most(resource: Resource, stack: Stack | None = None) -> int | None:
    """The most instances of ``resource``, by itself or by what scales it; None where nobody says.

    Raises:
        CannotPrice: it says so in a way that cannot be read, or not before deployment.
    """
    facts = reading(resource).facts
    found = maximum(resource, facts) if stack is None else at_most(resource, facts, stack)
    if isinstance(found, Count):
        return found.value
    if found.is_missing:
        return None
    raise CannotPrice(found.path, found.why)
