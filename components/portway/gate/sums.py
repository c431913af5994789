"""Amounts in the configuration of a pack, and the limits on what may be added to an earlier one."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def listed(value: object) -> object:
    """One text as a list of one; a list as the tuple that strict models want."""
    if isinstance(value, str):
        return (value,)
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def _money(value: object) -> object:
    """Numbers become ``Decimal`` by their own digits, never by those of a binary fraction."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return value
    try:
        return Decimal(str(value).strip())
    except ArithmeticError:
        raise ValueError("is no amount of USD; write a plain number, such as 1000") from None


Usd = Annotated[
    Decimal,
    BeforeValidator(_money),
    Field(ge=0, le=1_000_000_000, decimal_places=2, allow_inf_nan=False),
]
Part = Annotated[Decimal, BeforeValidator(_money), Field(gt=0, le=1, allow_inf_nan=False)]
Percent = Annotated[Decimal, BeforeValidator(_money), Field(ge=0, le=10_000, allow_inf_nan=False)]


class AgreedAmounts(BaseModel):
    """What a stack cost before, as somebody wrote it down: USD a month."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    floor: Usd
    ceiling: Usd


class IncreaseLimits(BaseModel):
    """By how much a stack may become dearer than it was, and what it was.

    Attributes:
        max_increase_usd: the most that its ceiling, and its floor, may rise.
        max_increase_percent: the same, in percent of what each was.
        baseline: files that say what stacks were: exported states, or the JSON of earlier gate runs.
        baseline_usd: the same by stack name, as amounts.
    """

    max_increase_usd: Usd | None = None
    max_increase_percent: Percent | None = None
    baseline: Annotated[
        tuple[Annotated[str, Field(pattern=r"\S")], ...], BeforeValidator(listed)
    ] = ()
    baseline_usd: Mapping[str, AgreedAmounts] = {}
