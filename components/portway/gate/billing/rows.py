"""How each resource type is billed: the dated tables ``data/billed``, read once and found by type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final, cast

from portway.gate.tables import table

_OTHER: Final = "other"


@dataclass(frozen=True)
class Factor:
    """A number read off the resource: the value at ``path``, or how many there are at ``count``.

    Attributes:
        default: the vendor's documented default; None where leaving it out cannot be priced.
        add: added to what was read.
    """

    path: str = ""
    count: str = ""
    default: Decimal | None = None
    add: Decimal = Decimal(0)
    over: Decimal = Decimal(1)


@dataclass(frozen=True)
class FixedRow:
    """One thing that costs the same each month: ``quantity`` times every factor, units of ``sku``.

    Attributes:
        fill: what stands in braces in ``sku``: the value at a path, else its default.
        when: it counts only where the value at each path is one of these (null: none is set; ``*``:
            any is); an unknown value counts.
        assumed: a sentence, where nobody declares the quantity.
        free_units: units a month that the vendor gives to an account.
    """

    item: str
    sku: str
    quantity: Decimal
    times: tuple[Factor, ...] = ()
    fill: Mapping[str, tuple[str, str | None]] = field(default_factory=dict[str, Any])
    when: Mapping[str, tuple[object, ...]] = field(default_factory=dict[str, Any])
    assumed: str = ""
    free_units: Decimal = Decimal(0)


@dataclass(frozen=True)
class Row:
    """How one type is billed.

    Attributes:
        free: the reason, where it costs nothing.
        reader: the name of the function that reads it, where a table cannot.
        given: what that reader is told: SKUs and defaults.
        unpriced: why nobody can price it.
        region: whose rates count, where the vendor sells it in no region; "" for its own.
    """

    free: str = ""
    fixed: tuple[FixedRow, ...] = ()
    reader: str = ""
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    unpriced: str = ""
    region: str = ""


UNREAD: Final = Row()


@cache
def row_of(token: str, package: str, has_provider: bool) -> Row:  # noqa: FBT001 - a cache key
    """How ``token`` is billed; ``UNREAD`` where nobody has read it."""
    clouds: list[str] = table(f"billed/{_OTHER}.json")["clouds"]
    for name in (package, _OTHER) if package in clouds else (_OTHER,):
        rows = table(f"billed/{name}.json")
        if (found := rows.get("rows", {}).get(token)) is not None:
            return _row(found)
        for entry in rows["free"]:
            if any(fnmatchcase(token, one) for one in entry["types"]):
                return Row(free=entry["because"])
        for entry in rows.get("unpriced", ()):
            if any(fnmatchcase(token, one) for one in entry["types"]):
                return Row(unpriced=entry["because"])
    if not has_provider and package not in clouds:
        return Row(free="a component: its children are billed one by one")
    return UNREAD


def _row(found: Mapping[str, Any]) -> Row:
    return Row(
        fixed=tuple(_fixed(one) for one in found.get("fixed", ())),
        reader=found.get("reader", ""),
        given=found.get("given", {}),
        unpriced=found.get("unpriced", ""),
        region=found.get("region", ""),
    )


def _fixed(found: Mapping[str, Any]) -> FixedRow:
    fill = cast("dict[str, dict[str, str]]", found.get("fill", {}))
    return FixedRow(
        item=found["item"],
        sku=found["sku"],
        quantity=Decimal(found["quantity"]),
        times=tuple(_factor(one) for one in found.get("times", ())),
        fill={name: (one["path"], one.get("default")) for name, one in fill.items()},
        when={path: tuple(values) for path, values in found.get("when", {}).items()},
        assumed=found.get("assumed", ""),
        free_units=Decimal(found.get("free", "0")),
    )


def _factor(found: Mapping[str, str]) -> Factor:
    default = found.get("default")
    return Factor(
        path=found.get("path", ""),
        count=found.get("count", ""),
        default=None if default is None else Decimal(default),
        add=Decimal(found.get("add", "0")),
        over=Decimal(found.get("over", "1")),
    )
