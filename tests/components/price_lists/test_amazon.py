"""A rate is taken from a list only where one product fits, whole and in USD."""

from datetime import date
from decimal import Decimal

import pytest

from portway.price_lists.amazon import Listed, Unmatched, UnreadableList, address, read_list
from portway.price_lists.wanted import Wanted, lists_of, offers
from support.price_list import IRELAND, duration, price_list

ARM = next(one for one in lists_of("lambda-bedrock").wanted if one.sku == "duration:arm64")
REQUESTS = next(one for one in lists_of("lambda-bedrock").wanted if one.sku == "requests")
SOURCE = "AWS Price List, AWSLambda in eu-west-1, published 2026-11-19"
GRADUATED = (
    ("0", "7500000000", "0.0000133334"),
    ("7500000000", "18750000000", "0.0000120001"),
    ("18750000000", "Inf", "0.0000106667"),
)


def read(text: str, *wanted: Wanted) -> tuple[Listed | Unmatched, ...]:
    return read_list(text.splitlines(keepends=True), wanted or (ARM,), "AWSLambda", "eu-west-1")


def test_a_graduated_price_is_several_rows_and_free_rows_are_of_no_place() -> None:
    free = duration("FREE", "AWS-Lambda-Duration-ARM", ("0", "400000", "0"), location="Any")
    rows = duration("S1", "AWS-Lambda-Duration-ARM", *reversed(GRADUATED))
    tiers = (
        (Decimal(7_500_000_000), Decimal("0.0000133334")),
        (Decimal(18_750_000_000), Decimal("0.0000120001")),
        (None, Decimal("0.0000106667")),
    )
    found = Listed("duration:arm64", "GB-second", tiers, date(2026, 11, 19), SOURCE)
    assert read(price_list("AWSLambda", *free, *rows)) == (found,)


def test_a_price_of_one_is_counted_by_our_unit() -> None:
    rows = duration("S2", "AWS-Lambda-Requests", ("0", "Inf", "0.0000002000"), unit="Request")
    (found,) = read(price_list("AWSLambda", *rows), REQUESTS)
    assert isinstance(found, Listed)
    assert found.tiers == ((None, Decimal("0.2")),)
    assert found.unit == "million"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "the list has no such row"),
        (
            [
                *duration("S1", "AWS-Lambda-Duration-ARM", ("0", "Inf", "1")),
                *duration("S2", "AWS-Lambda-Duration-ARM", ("0", "Inf", "2")),
            ],
            "2 products fit",
        ),
        (
            duration("S1", "AWS-Lambda-Duration-ARM", ("0", "Inf", "1"), unit="Second"),
            "it is listed by Second, not Lambda-GB-Second",
        ),
        (
            duration("S1", "AWS-Lambda-Duration-ARM", ("0", "10", "2"), ("20", "Inf", "1")),
            "its ranges of use do not follow on one another",
        ),
        (
            duration("S1", "AWS-Lambda-Duration-ARM", ("0", "10", "2")),
            "its ranges of use do not follow on one another",
        ),
    ],
)
def test_what_does_not_fit_exactly_is_not_taken(rows: list[dict[str, str]], why: str) -> None:
    assert read(price_list("AWSLambda", *rows)) == (Unmatched("duration:arm64", why),)


def test_a_reserved_price_is_no_price_on_demand() -> None:
    rows = [{**row, "TermType": "Reserved"} for row in duration("S1", "AWS-Lambda-Duration-ARM", ("0", "Inf", "1"))]  # fmt: skip
    found = read(price_list("AWSLambda", *rows))
    assert found == (Unmatched("duration:arm64", "the list has no such row"),)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Currency": "CNY"}, "AWSLambda: line 7 is in 'CNY', not USD"),
        ({"PricePerUnit": "1,5"}, "AWSLambda: line 7 has a price or range that is no number"),
        ({"EndingRange": ""}, "AWSLambda: line 7 has a price or range that is no number"),
        ({"PricePerUnit": "-1"}, "AWSLambda: line 7 has a price that is no amount of money"),
        ({"PricePerUnit": "NaN"}, "AWSLambda: line 7 has a price that is no amount of money"),
    ],
)
def test_a_price_that_is_no_amount_of_usd_makes_the_list_unreadable(
    change: dict[str, str], message: str
) -> None:
    row = {"SKU": "S1", "Group": "AWS-Lambda-Duration-ARM", "Unit": "Lambda-GB-Second", "PricePerUnit": "1"}  # fmt: skip
    with pytest.raises(UnreadableList, match=f"^{message}$"):
        read(price_list("AWSLambda", {**IRELAND, **row, **change}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html>sign in</html>\n", "AWSLambda: its first lines name no Publication Date"),
        (
            "".join(price_list("AWSLambda").splitlines(keepends=True)[:5]),
            "AWSLambda: line 6 names no SKU, TermType, StartingRange, EndingRange, Unit, PricePerUnit, Currency",
        ),
    ],
)
def test_what_is_no_price_list_is_not_read_as_an_empty_one(text: str, message: str) -> None:
    with pytest.raises(UnreadableList, match=f"^{message}$"):
        read(text)


@pytest.mark.parametrize("target", ["lambda-bedrock", "kubernetes", "cloud-run"])
def test_every_rate_that_is_wanted_is_one_of_the_targets_in_its_unit(target: str) -> None:
    from portway.registry import load_target  # noqa: PLC0415 - beside the assertion

    units = {rate.sku: rate.unit for rate in load_target(target).rates()}
    lists = lists_of(target)
    assert {one.sku: one.unit for one in lists.wanted}.items() <= units.items()
    assert sum(len(wanted) for _, wanted in offers(lists)) == len(lists.wanted)


def test_lists_are_by_service_and_region() -> None:
    assert address("AmazonEKS", "eu-west-1").endswith("/offers/v1.0/aws/AmazonEKS/current/eu-west-1/index.csv")  # fmt: skip
