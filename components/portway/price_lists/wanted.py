"""Which row of a vendor's price list is which of our rates."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from portway.registry import load_target
from portway.target import Target

FILE = "price_lists.json"


class Wanted(BaseModel):
    """One rate, and where the vendor lists it.

    Attributes:
        sku: of our rate.
        offer: the list that holds it, as the vendor calls it.
        where: by column, the pattern that the whole value must match.
        unit: of our rate.
        listed: the unit of the list, as the vendor writes it.
        per: how many of the list's units are one of ours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    sku: str
    offer: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$")]
    where: Mapping[str, str]
    unit: str
    listed: str
    per: Annotated[int, Field(ge=1)] = 1

    @cached_property
    def patterns(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        """``where``, compiled."""
        return tuple((column, re.compile(one)) for column, one in self.where.items())

    def meets(self, row: Mapping[str, str]) -> bool:
        """Whether ``row`` of the list is this rate."""
        return all(one.fullmatch(row.get(column, "")) for column, one in self.patterns)


@dataclass(frozen=True)
class Lists:
    """What one target can refresh.

    Attributes:
        regions: where its vendor sells, as the rates' own table names them.
        by_hand: which of its rates no list is read for, and where to look instead.
    """

    target: str
    wanted: tuple[Wanted, ...]
    by_hand: str


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    note: str
    by_hand: Annotated[str, Field(pattern=r"\S")]
    wanted: tuple[Wanted, ...] = ()


def lists_of(target: str) -> Lists:
    """What can be refreshed of the rates of ``target``.

    Raises:
        BadInput: there is no such target.
    """
    read = _read(load_target(target))
    return Lists(target, read.wanted, read.by_hand)


def offers(lists: Lists) -> Iterator[tuple[str, tuple[Wanted, ...]]]:
    """The lists to read, each with all that is wanted of it."""
    for name in dict.fromkeys(one.offer for one in lists.wanted):
        yield name, tuple(one for one in lists.wanted if one.offer == name)


def _read(target: Target) -> _File:
    package = target.component.rpartition(".")[0]
    text = files(package).joinpath(FILE).read_text(encoding="utf-8")
    return _File.model_validate(json.loads(text))
