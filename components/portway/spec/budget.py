"""The most a service may cost."""

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

from portway.spec.frozen import Frozen


def _money(value: object) -> object:
    """Whole numbers and decimal text become ``Decimal``; binary floats only by their own digits."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | str):
        try:
            return Decimal(str(value))
        except ArithmeticError:
            return value
    return value


class Budget(Frozen):
    """USD a month: the most the service may cost at ``scaling.max``, and the alert level."""

    monthly_usd: Annotated[
        Decimal, BeforeValidator(_money), Field(gt=0, le=100_000_000, decimal_places=2)
    ]
