"""How old the rates behind an estimate are, and from when on that has to be said."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

from portway.pricing.rate import Rate

USUAL_DAYS: Final = 120
"""Older rates are spoken of wherever money is shown; vendors change theirs about twice a year."""


def utc_today() -> date:
    """Today, as ages are counted."""
    return datetime.now(tz=UTC).date()


def age_days(rate: Rate, today: date) -> int:
    """Days since ``rate`` was read; 0 for what the user declares."""
    return 0 if rate.as_of is None else (today - rate.as_of).days


def stale(rates: Iterable[Rate], today: date | None = None, limit_days: int = USUAL_DAYS) -> str:
    """A sentence on those of ``rates`` that are older than ``limit_days``; "" where none is.

    Args:
        rates: those that were used, each as often as it was.
        today: UTC; today's date without it.
        limit_days: the age that is still fine.
    """
    today = today or utc_today()
    used = tuple(dict.fromkeys(rates))
    old = [rate for rate in used if age_days(rate, today) > limit_days]
    if not old:
        return ""
    first = max(old, key=lambda rate: (age_days(rate, today), rate.sku))
    return (
        f"{len(old)} of {len(used)} rates used are older than {limit_days} days; the oldest, "
        f"{first.sku} in {first.region}, was read on {first.as_of}, {age_days(first, today)} days "
        "ago; see portway rates refresh"
    )
