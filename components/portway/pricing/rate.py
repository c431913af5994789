"""Rates: what one unit of something costs in one region, who says so, since when, and how surely.

A rate that is not in a table does not exist. It is never taken from another region.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from portway.errors import BadInput, Problem
from portway.pricing.money import CURRENCY

ANY_REGION = "*"


class Grade(StrEnum):
    """How surely a rate is what the vendor charges."""

    LIST = "list"
    """Read off the vendor's own price page or document."""
    COPY = "copy"
    """A dated copy of the vendor's price API."""
    DERIVED = "derived"
    """Computed from rates that were read."""
    UNCONFIRMED = "unconfirmed"
    """Its source names no region; it counts at the vendor's highest known regional mark-up."""
    DECLARED = "declared"
    """What the user says they pay, in a placement."""


@dataclass(frozen=True)
class Tier:
    """``amount`` USD a unit, for units up to ``up_to`` in a month; None: for all above."""

    up_to: Decimal | None
    amount: Decimal


@dataclass(frozen=True)
class Rate:
    """What one ``unit`` of ``sku`` costs in ``region``, in USD before tax.

    Attributes:
        tiers: graduated amounts, first use first; one tier where the rate is flat.
        as_of: the day on which it was read; None for what the user declares.
        note: what a reader must know, such as the mark-up that an unconfirmed rate carries.
    """

    sku: str
    region: str
    unit: str
    tiers: tuple[Tier, ...]
    source: str
    as_of: date | None
    grade: Grade
    note: str = ""

    @property
    def amount(self) -> Decimal:
        """USD for the first unit of a month."""
        return self.tiers[0].amount

    def cost(self, quantity: Decimal) -> Decimal:
        """USD for ``quantity`` units in one month, not rounded; negative for a credit."""
        if quantity < 0:
            return -self.cost(-quantity)
        total, below = Decimal(0), Decimal(0)
        for tier in self.tiers:
            most = quantity if tier.up_to is None else min(quantity, tier.up_to)
            if most > below:
                total += (most - below) * tier.amount
                below = most
        return total


class _TierRow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    up_to: Decimal | None = None
    amount: Annotated[Decimal, Field(ge=0)]


class _Row(BaseModel):
    """One row of a rates file; several regions may share it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sku: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.:-]*$")]
    regions: tuple[str, ...]
    unit: str
    amount: Annotated[Decimal, Field(ge=0)] | None = None
    tiers: tuple[_TierRow, ...] = ()
    currency: Literal["USD"] = CURRENCY
    source: Annotated[str, Field(pattern=r"\S")]
    as_of: date
    grade: Grade
    note: str = ""

    @field_validator("amount", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        if isinstance(value, float):
            raise ValueError('is a binary float; write money as text, such as "0.0001867"')  # noqa: TRY004
        return value

    @model_validator(mode="after")
    def _one_price(self) -> "_Row":
        if (self.amount is None) == (not self.tiers):
            raise ValueError("needs either an amount or tiers")
        if self.grade is Grade.DECLARED:
            raise ValueError("is graded as declared; only a placement declares a rate")
        if self.grade is not Grade.UNCONFIRMED and ANY_REGION in self.regions:
            raise ValueError(
                "names every region; only an unconfirmed rate names none in particular"
            )
        return self


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    as_of: date
    note: str = ""
    highest_markup: Annotated[Decimal, Field(ge=1)] = Decimal(1)
    highest_markup_source: str = ""
    rates: tuple[_Row, ...]


@dataclass(frozen=True)
class RateTable:
    """Rates by SKU and region.

    Attributes:
        anywhere: rates whose source names no region, already at the highest mark-up.
    """

    rates: Mapping[tuple[str, str], Rate]
    anywhere: Mapping[str, Rate]
    _placed: dict[tuple[str, str], Rate] = field(
        default_factory=dict[tuple[str, str], Rate], init=False, repr=False, compare=False
    )
    """Of those in ``anywhere``, what was asked for, in its region."""

    def find(self, sku: str, region: str) -> Rate | None:
        """The rate of ``sku`` in ``region``; None where nobody has published one."""
        found = self.rates.get((sku, region))
        if found is not None:
            return found
        unconfirmed = self.anywhere.get(sku)
        if unconfirmed is None:
            return None
        if (sku, region) not in self._placed:
            self._placed[sku, region] = replace(unconfirmed, region=region)
        return self._placed[sku, region]

    def regions(self, sku: str) -> frozenset[str]:
        """Every region that has a rate of its own for ``sku``."""
        return frozenset(region for known, region in self.rates if known == sku)

    def __iter__(self) -> Iterator[Rate]:
        """Every rate, by SKU and region."""
        yield from sorted((*self.rates.values(), *self.anywhere.values()), key=_order)

    def __add__(self, other: "RateTable") -> "RateTable":
        """Both tables; where both know a rate, that of ``other``."""
        return RateTable({**self.rates, **other.rates}, {**self.anywhere, **other.anywhere})


NO_RATES = RateTable({}, {})


def read_rates(document: Mapping[str, Any], where: str) -> RateTable:
    """A rates file as a table.

    Raises:
        BadInput: everything wrong with it: a missing date or source, another currency, a rate given
            twice, a number that is not decimal text.
    """
    try:
        file = _File.model_validate(document)
    except ValidationError as error:
        raise BadInput(
            [_problem(fault, where) for fault in error.errors(include_url=False)]
        ) from None
    rates: dict[tuple[str, str], Rate] = {}
    anywhere: dict[str, Rate] = {}
    problems: list[Problem] = []
    for index, row in enumerate(file.rates):
        for rate in _expanded(row, file):
            taken = rate.sku in anywhere if rate.region == ANY_REGION else _key(rate) in rates
            if taken:
                message = f"gives {rate.sku} in {rate.region} a second time; keep one"
                problems.append(Problem(f"rates[{index}]", message, where))
            elif rate.region == ANY_REGION:
                anywhere[rate.sku] = rate
            else:
                rates[_key(rate)] = rate
    if problems:
        raise BadInput(problems)
    return RateTable(rates, anywhere)


def oldest(rates: Iterable[Rate]) -> date | None:
    """The earliest day on which one of ``rates`` was read; None for none."""
    return min((rate.as_of for rate in rates if rate.as_of is not None), default=None)


def _expanded(row: _Row, file: _File) -> Iterator[Rate]:
    for region in row.regions:
        is_anywhere = region == ANY_REGION
        factor = file.highest_markup if is_anywhere else Decimal(1)
        tiers = tuple(Tier(one.up_to, one.amount * factor) for one in row.tiers)
        flat = () if row.amount is None else (Tier(None, row.amount * factor),)
        note = row.note
        if is_anywhere and factor != 1:
            why = f"counted at {factor} times: {file.highest_markup_source}"
            note = f"{note}; {why}" if note else why
        yield Rate(row.sku, region, row.unit, tiers or flat, row.source, row.as_of, row.grade, note)


def _problem(fault: Any, where: str) -> Problem:  # noqa: ANN401 - pydantic's own
    path = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in fault["loc"])
    return Problem(path.removeprefix("."), str(fault["msg"]).removeprefix("Value error, "), where)


def _key(rate: Rate) -> tuple[str, str]:
    return (rate.sku, rate.region)


def _order(rate: Rate) -> tuple[str, str]:
    return _key(rate)
