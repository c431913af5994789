"""Old rates are named, with the oldest; nothing that is declared grows old."""

from datetime import date, timedelta
from decimal import Decimal

from portway.pricing.freshness import USUAL_DAYS, age_days, stale
from portway.pricing.rate import Grade, Rate, Tier

TODAY = date(2026, 11, 22)


def rate(sku: str, days: int | None) -> Rate:
    read = None if days is None else TODAY - timedelta(days=days)
    grade = Grade.DECLARED if days is None else Grade.LIST
    return Rate(sku, "europe-west4", "hour", (Tier(None, Decimal(1)),), "a page", read, grade)


def test_rates_are_old_the_day_after_their_last() -> None:
    fresh = rate("gpu", USUAL_DAYS)
    assert stale([fresh, rate("mine", None)], TODAY) == ""
    assert age_days(rate("mine", None), TODAY) == 0
    assert stale([fresh, rate("cpu", 121), rate("cpu", 121), rate("disk", 200)], TODAY) == (
        "2 of 3 rates used are older than 120 days; the oldest, disk in europe-west4, was read on "
        "2026-05-06, 200 days ago; see portway rates refresh"
    )


def test_another_age_may_be_asked_for() -> None:
    assert stale([rate("gpu", 31)], TODAY, 31) == ""
    assert stale([rate("gpu", 31)], TODAY, 30).startswith("1 of 1 rates used are older than 30")
