"""Meters of types that a table describes: things that cost the same each month."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from portway.gate.billing.rows import Factor, FixedRow, Row
from portway.gate.billing.values import count, name, number, region
from portway.gate.resource import Resource
from portway.gate.values import Unknown
from portway.pricing.meter import Fixed, Meter, NoCharge

_HOLE: Final = re.compile(r"\{([a-z]+)\}")


def of_rows(resource: Resource, row: Row) -> Iterator[Meter]:
    """The meters of ``resource`` by its rows.

    Raises:
        CannotPrice: a value that counts is missing, unknown or no number.
    """
    if row.free:
        yield NoCharge(resource.name, "", row.free)
        return
    where = row.region or region(resource)
    some = False
    for one in row.fixed:
        if _applies(resource, one):
            some = True
            yield _fixed(resource, one, where)
    if not some:
        yield NoCharge(resource.name, "", "nothing of it is billed as it is configured here")


def _fixed(resource: Resource, row: FixedRow, where: str) -> Fixed:
    quantity = row.quantity
    for factor in row.times:
        quantity *= _factor(resource, factor)

    def filled(match: re.Match[str]) -> str:
        path, default = row.fill[match[1]]
        return name(resource, path, default)

    assumed = f"{resource.name}: {row.assumed}" if row.assumed else ""
    sku = _HOLE.sub(filled, row.sku)
    return Fixed(resource.name, row.item, sku, where, quantity, assumed, row.free_units)


def _factor(resource: Resource, factor: Factor) -> Decimal:
    if factor.count:
        found = count(resource, factor.count)
        if found is not None:
            return (found + factor.add) / factor.over
        return number(resource, factor.count, factor.default)
    read = number(resource, factor.path, factor.default)
    return max(read + factor.add, Decimal(0)) / factor.over


def _applies(resource: Resource, row: FixedRow) -> bool:
    for path, wanted in row.when.items():
        seen = resource.properties.every(path)
        if not seen:
            if None not in wanted:
                return False
        elif "*" not in wanted and not any(
            isinstance(one, Unknown) or _plain(one.value) in wanted for one in seen
        ):
            return False
    return True


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return value.lower() if isinstance(value, str) else value
