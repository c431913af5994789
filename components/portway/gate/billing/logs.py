"""What is billed of a log group that no function of the stack writes to."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from portway.gate.billing.functions import writes
from portway.gate.billing.values import number, region
from portway.gate.resource import Resource, Stack
from portway.pricing.meter import Fixed, Meter, NoCharge
from portway.pricing.money import DAYS_PER_MONTH


def group(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """What it takes in is assumed; what it keeps follows from that and from its retention."""
    if writes(resource, stack):
        yield NoCharge(resource.name, "log", "billed with the function that writes it")
        return
    where, taken = region(resource), Decimal(given["gb"])
    days = number(resource, "retentionInDays", Decimal(0)) or Decimal(365)
    said = f"{resource.name}: {taken} GB a month are written to it, and kept {days} days"
    rates = given["rates"]
    yield Fixed(resource.name, "log intake", f"{rates}logs", where, taken, assumed=said)
    kept = taken * days / DAYS_PER_MONTH
    yield Fixed(resource.name, "log storage", f"{rates}logs-kept", where, kept)
