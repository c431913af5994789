"""Amounts as Kubernetes writes them: ``1``, ``2000m``, ``1k``, ``1e3``, ``4Gi``."""

import re
from decimal import Decimal
from typing import Final

_QUANTITY: Final = re.compile(
    r"(?P<number>\+?(?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18}))"
    r"(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?\d{1,2}))?",
    re.ASCII,
)
_DECIMAL: Final = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_BINARY: Final = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def quantity(value: object) -> Decimal | None:
    """``value`` in its unit; None where it is no quantity (kubernetes.io: Quantity)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    found = _QUANTITY.fullmatch(str(value).strip())
    if found is None:
        return None
    number, suffix, exponent = found["number"], found["suffix"] or "", found["exponent"]
    if suffix in _BINARY:
        return Decimal(number) * Decimal(1024) ** _BINARY[suffix]
    power = int(exponent) if exponent is not None else _DECIMAL[suffix]
    return Decimal(number).scaleb(power)


def whole(value: object) -> int | None:
    """``value`` as a count: whole and not negative, however it is written; else None."""
    read = quantity(value)
    return int(read) if read is not None and read == read.to_integral_value() else None
