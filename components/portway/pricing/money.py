"""US dollars as ``Decimal``: how long a month is, and when a fraction of a cent is rounded."""

from decimal import ROUND_HALF_UP, Decimal

CURRENCY = "USD"
HOURS_PER_MONTH = Decimal(730)
"""One twelfth of a year's hours, as the vendors' own calculators count."""
SECONDS_PER_MONTH = HOURS_PER_MONTH * 3600
DAYS_PER_MONTH = HOURS_PER_MONTH / 24
_CENT = Decimal("0.01")


def cents(usd: Decimal) -> Decimal:
    """``usd`` rounded half up to whole cents: once for each line, never before."""
    return usd.quantize(_CENT, ROUND_HALF_UP)


def money_text(usd: Decimal) -> str:
    """``1742.00``: decimal text with cents, as documents carry money."""
    return f"{cents(usd):.2f}"


def money_shown(usd: Decimal) -> str:
    """``1,742 USD``, or ``0.42 USD`` below ten dollars: money in a sentence."""
    rounded = cents(usd)
    return f"{rounded:,.2f} USD" if abs(rounded) < 10 else f"{rounded:,.0f} USD"  # noqa: PLR2004
