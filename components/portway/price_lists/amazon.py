"""The AWS Price List: one public CSV file for each service and region, read without credentials.

Its shape (five lines about the file, one of column names, then rows) is that of "Using the bulk API"
in the AWS Billing documentation. A graduated price is several rows, one for each range of use.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import chain, islice
from typing import Final

from portway.price_lists.wanted import Wanted

URL: Final = "https://pricing.us-east-1.amazonaws.com"
_ABOUT_LINES: Final = 5
_PUBLISHED: Final = "Publication Date"
_NEEDED: Final = (
    "SKU", "TermType", "StartingRange", "EndingRange", "Unit", "PricePerUnit", "Currency",
)  # fmt: skip
_NO_END: Final = "Inf"


class UnreadableList(Exception):
    """The list is not of the documented shape; the text says where."""


@dataclass(frozen=True)
class Listed:
    """What the list says of one rate.

    Attributes:
        tiers: (up to so many of our units, USD for one of them), first use first; None for no end.
    """

    sku: str
    unit: str
    tiers: tuple[tuple[Decimal | None, Decimal], ...]
    as_of: date
    source: str


@dataclass(frozen=True)
class Unmatched:
    """A rate for which the list has no single row, and why."""

    sku: str
    why: str


@dataclass(frozen=True)
class _Row:
    product: str
    starts: Decimal
    ends: Decimal | None
    unit: str
    amount: Decimal


def address(offer: str, region: str, base: str = URL) -> str:
    """Where the list of ``offer`` for ``region`` is."""
    return f"{base}/offers/v1.0/aws/{offer}/current/{region}/index.csv"


def read_list(
    lines: Iterable[str], wanted: Iterable[Wanted], offer: str, region: str
) -> tuple[Listed | Unmatched, ...]:
    """What the list says of everything that is ``wanted``; ``lines`` may be endless and are read once.

    Raises:
        UnreadableList: it is no price list, or a price in it is no decimal number of USD.
    """
    wants = tuple(wanted)
    rows = iter(lines)
    published = _published(islice(rows, _ABOUT_LINES), offer)
    found: dict[str, list[_Row]] = {one.sku: [] for one in wants}
    for number, row in enumerate(_table(rows, offer), start=_ABOUT_LINES + 2):
        for one in wants:
            if row["TermType"] == "OnDemand" and one.meets(row):
                found[one.sku].append(_row(row, offer, number))
    source = f"AWS Price List, {offer} in {region}, published {published.isoformat()}"
    return tuple(_listed(one, found[one.sku], published, source) for one in wants)


def _published(about: Iterable[str], offer: str) -> date:
    said = {row[0]: row[1] for row in csv.reader(about) if len(row) > 1}
    try:
        return date.fromisoformat(said[_PUBLISHED][:10])
    except (KeyError, ValueError):
        raise UnreadableList(f"{offer}: its first lines name no {_PUBLISHED}") from None


def _table(rows: Iterator[str], offer: str) -> Iterator[Mapping[str, str]]:
    heads: list[str] = next(csv.reader(rows), list[str]())
    missing = [one for one in _NEEDED if one not in heads]
    if missing:
        raise UnreadableList(f"{offer}: line {_ABOUT_LINES + 1} names no {', '.join(missing)}")
    for row in csv.reader(rows):
        yield dict(zip(heads, chain(row, [""] * (len(heads) - len(row))), strict=False))


def _row(row: Mapping[str, str], offer: str, number: int) -> _Row:
    if row["Currency"] != "USD":
        raise UnreadableList(f"{offer}: line {number} is in {row['Currency'][:8]!r}, not USD")
    try:
        ends = None if row["EndingRange"] == _NO_END else Decimal(row["EndingRange"] or "x")
        amount, starts = Decimal(row["PricePerUnit"]), Decimal(row["StartingRange"] or "0")
    except InvalidOperation:
        raise UnreadableList(f"{offer}: line {number} has a price or range that is no number") from None  # fmt: skip
    if not amount.is_finite() or amount < 0:
        raise UnreadableList(f"{offer}: line {number} has a price that is no amount of money")
    return _Row(row["SKU"], starts, ends, row["Unit"], amount)


def _listed(one: Wanted, rows: list[_Row], published: date, source: str) -> Listed | Unmatched:
    products = {row.product for row in rows}
    if len(products) != 1:
        why = "the list has no such row" if not rows else f"{len(products)} products fit"
        return Unmatched(one.sku, why)
    units = {row.unit for row in rows}
    if units != {one.listed}:
        return Unmatched(one.sku, f"it is listed by {', '.join(sorted(units))}, not {one.listed}")
    graduated = sorted(rows, key=lambda row: row.starts)
    ends = [Decimal(0), *(row.ends for row in graduated)]
    if [row.starts for row in graduated] != ends[:-1] or ends[-1] is not None:
        return Unmatched(one.sku, "its ranges of use do not follow on one another")
    tiers = tuple(
        (None if row.ends is None else row.ends / one.per, row.amount * one.per)
        for row in graduated
    )
    return Listed(one.sku, one.unit, tiers, published, source)
