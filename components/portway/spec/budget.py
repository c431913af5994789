"""The most a service may cost, and the most it may be used."""

import re
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from portway.spec.frozen import Frozen

Away = Literal["refuse", "allow"]
"""What happens to a request while the meter's store does not answer."""

_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_LONGEST_ADDRESS: Final = 254
"""RFC 5321, section 4.5.3.1.3, less the two brackets around a path."""


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


def _address(text: str) -> str:
    dots = (text.startswith("."), ".." in text, ".@" in text)
    if len(text) > _LONGEST_ADDRESS or any(dots) or not _ADDRESS.fullmatch(text):
        shown = text if len(text) <= _LONGEST_ADDRESS else f"{text[:40]}…"
        raise ValueError(f"is {shown!r}; write an e-mail address, such as team@example.com")
    return text


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


class Budget(Frozen):
    """The most a service may cost and may be used in a calendar month, and who is told.

    Attributes:
        monthly_usd: the most it may cost at ``scaling.max``, and the level of the alerts; where a
            model is sold by the token it is also enforced before the model is asked.
        monthly_requests: requests that are answered in a month; those beyond are refused.
        monthly_tokens: tokens read and written in a month, together; likewise.
        when_meter_is_away: what happens to requests while the meter's store does not answer.
        alert_emails: who is told when half, nine tenths and all of ``monthly_usd`` is spent.
    """

    monthly_usd: Annotated[
        Decimal, BeforeValidator(_money), Field(gt=0, le=100_000_000, decimal_places=2)
    ]
    monthly_requests: Annotated[
        int | None,
        Field(ge=1, le=10**12, description="requests a month, those beyond are refused"),
    ] = None
    monthly_tokens: Annotated[
        int | None,
        Field(ge=1, le=10**15, description="tokens read and written a month, together"),
    ] = None
    when_meter_is_away: Away = "refuse"
    alert_emails: Annotated[
        tuple[Annotated[str, AfterValidator(_address)], ...],
        BeforeValidator(_as_tuple),
        Field(max_length=10, description="e-mail addresses"),
    ] = ()

    @field_validator("alert_emails")
    @classmethod
    def _each_once(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        seen: set[str] = set()
        for address in given:
            if address.lower() in seen:
                raise ValueError(f"has {address!r} twice; remove one of them")
            seen.add(address.lower())
        return given
