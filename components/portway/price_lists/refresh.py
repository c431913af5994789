"""What newer lists change: our rates beside what a vendor lists, and the file that holds the newer ones."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from portway.errors import BadInput, Problem
from portway.pricing.rate import Grade, Rate, RateTable, Tier, read_rates
from portway.target import Target

if TYPE_CHECKING:
    from portway.price_lists.amazon import Listed, Unmatched

FOLDER: Final = Path("policies") / "rates"
"""Below the project's folder: one file for each target, reviewed like the packs' configuration."""

_NOTE: Final = (
    "Rates read by `portway rates refresh`; they count in place of those that Portway ships."
)


@dataclass(frozen=True)
class Change:
    """One rate in one region: what counts today, and what the list says."""

    region: str
    was: Rate | None
    now: "Listed"

    @property
    def says(self) -> str:
        """``new``, ``same``, ``confirmed`` or ``changed``."""
        if self.was is None:
            return "new"
        if self.was.grade is Grade.UNCONFIRMED:
            return "confirmed"
        return "same" if _tiers(self.was) == self.now.tiers else "changed"


def compare(
    found: "Iterable[Listed | Unmatched]", table: RateTable, region: str
) -> "Iterator[Change | Unmatched]":
    """Everything that was ``found`` in a list beside what ``table`` says of ``region``."""
    from portway.price_lists.amazon import Unmatched  # noqa: PLC0415 - only refreshing reads lists

    for one in found:
        if isinstance(one, Unmatched):
            yield one
        else:
            yield Change(region, table.find(one.sku, region), one)


def newer(folder: Path, target: str) -> RateTable:
    """The rates of ``target`` that the project keeps itself; none where it keeps none.

    Raises:
        BadInput: the file is no rates file; names everything wrong with it.
    """
    path = folder / f"{target}.json"
    if not path.is_file():
        return RateTable({}, {})
    return read_rates(_document(path), str(path))


def merged(folder: Path, target: str, changes: Iterable[Change], today: date) -> str:
    """The text of the file of ``target`` with ``changes``; other rates in it stay as they are.

    Raises:
        BadInput: there is such a file, and it is no rates file.
    """
    kept = {(one.sku, one.region): _kept(one) for one in newer(folder, target)}
    for change in changes:
        kept[(change.now.sku, change.region)] = _row(change)
    document = {
        "as_of": today.isoformat(),
        "note": _NOTE,
        "rates": [kept[key] for key in sorted(kept)],
    }
    return json.dumps(document, indent=1) + "\n"


def _document(path: Path) -> Mapping[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise BadInput([Problem("", message, str(path))]) from None
    except ValueError as error:
        raise BadInput([Problem("", f"is no JSON: {error}", str(path))]) from None
    if not isinstance(read, dict):
        message = (
            "must be an object with as_of and rates, as `portway rates refresh --write` writes it"
        )
        raise BadInput([Problem("", message, str(path))])
    return read  # pyright: ignore[reportUnknownVariableType] - JSON


def _row(change: Change) -> Mapping[str, object]:
    return _written(
        change.now.sku, change.region, change.now.unit, change.now.tiers,
        change.now.source, change.now.as_of, Grade.COPY,
    )  # fmt: skip


def _kept(rate: Rate) -> Mapping[str, object]:
    row = _written(
        rate.sku, rate.region, rate.unit, _tiers(rate), rate.source, rate.as_of, rate.grade
    )
    return {**row, "note": rate.note} if rate.note else row


def _written(
    sku: str,
    region: str,
    unit: str,
    tiers: tuple[tuple[Decimal | None, Decimal], ...],
    source: str,
    as_of: date | None,
    grade: Grade,
) -> Mapping[str, object]:
    flat = len(tiers) == 1
    price: Mapping[str, object] = (
        {"amount": f"{tiers[0][1]:f}"}
        if flat
        else {
            "tiers": [
                {"amount": f"{amount:f}"} if ends is None else
                {"up_to": f"{ends:f}", "amount": f"{amount:f}"}
                for ends, amount in tiers
            ]
        }
    )  # fmt: skip
    day = "" if as_of is None else as_of.isoformat()
    return {"sku": sku, "regions": [region], "unit": unit, **price, "source": source, "as_of": day, "grade": grade.value}  # fmt: skip


def _tiers(rate: Rate) -> tuple[tuple[Decimal | None, Decimal], ...]:
    def one(tier: Tier) -> tuple[Decimal | None, Decimal]:
        return (tier.up_to, tier.amount)

    return tuple(one(tier) for tier in rate.tiers)


def with_newer(target: Target, folder: Path) -> Target:
    """``target`` with the rates that the project keeps in ``folder`` counted in place of its own.

    Raises:
        BadInput: the project's file is no rates file.
    """
    kept = newer(folder, target.name)
    if not (kept.rates or kept.anywhere):
        return target
    both = target.rates() + kept
    return replace(target, rates=lambda: both)
