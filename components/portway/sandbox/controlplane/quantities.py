"""Kubernetes quantities: ``250m``, ``16Gi``, ``1``."""

import re
from decimal import Decimal

_SUFFIXES = {
    "": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eE][+-]?[0-9]+|[A-Za-z]*)")


def parse_quantity(text: object) -> Decimal | None:
    """The number that a quantity stands for; None when it is not a quantity."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        return None
    number, suffix = match.groups()
    scale = Decimal(f"1{suffix}") if suffix[:1] in "eE" and suffix[1:] else _SUFFIXES.get(suffix)
    try:
        return None if scale is None else Decimal(number) * scale
    except ArithmeticError:
        return None
