"""The meters of one resource, or why it has none that anybody could price."""

from dataclasses import dataclass

from portway.gate.billing.cannot import CannotPrice, Fault
from portway.gate.billing.generic import of_rows
from portway.gate.billing.readers import READERS
from portway.gate.billing.rows import UNREAD, row_of
from portway.gate.resource import Resource, Stack
from portway.pricing.meter import Meter


@dataclass(frozen=True)
class Billed:
    """What is billed of one resource.

    Attributes:
        meters: all of them; those that could be read before a fault was met are left out.
        faults: why it cannot be priced; empty where it can, as far as rates are known.
    """

    meters: tuple[Meter, ...] = ()
    faults: tuple[Fault, ...] = ()


def billed(resource: Resource, stack: Stack | None) -> Billed:
    """What is billed of ``resource``, read from its properties and from what ``stack`` says of it."""
    if resource.is_provider or resource.type == "pulumi:pulumi:Stack":
        return Billed()
    row = row_of(resource.type, resource.package, resource.provider is not None)
    if row is UNREAD:
        why = f"nobody has read yet how {resource.type} is billed"
        return Billed(faults=(Fault("", why, is_unread=True),))
    if row.unpriced:
        return Billed(faults=(Fault("", row.unpriced),))
    try:
        if row.reader and (read := tuple(READERS[row.reader](resource, stack, row.given))):
            return Billed(read)
        return Billed(tuple(of_rows(resource, row)))
    except CannotPrice as cannot:
        return Billed(faults=(cannot.fault,))
