"""What a list says is kept beside the packs' configuration, and counts from then on."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from portway.errors import BadInput
from portway.price_lists.amazon import Listed, Unmatched
from portway.price_lists.refresh import Change, compare, merged, newer
from portway.pricing.rate import Rate, RateTable, read_rates

TODAY = date(2026, 11, 22)
LISTED = Listed(
    "requests", "million", ((None, Decimal("0.22")),), date(2026, 11, 19), "AWS Price List"
)


def table(**regions: str) -> RateTable:
    rows = [
        {"sku": "requests", "regions": ["*" if region == "anywhere" else region.replace("_", "-")],
         "unit": "million", "amount": amount, "source": "a page", "as_of": "2026-09-19",
         "grade": "unconfirmed" if region == "anywhere" else "copy"}
        for region, amount in regions.items()
    ]  # fmt: skip
    return read_rates({"as_of": "2026-11-21", "rates": rows}, "test")


@pytest.mark.parametrize(
    ("known", "says"),
    [
        (table(), "new"),
        (table(us_east_1="0.22"), "new"),
        (table(anywhere="0.20"), "confirmed"),
        (table(anywhere="0.20", eu_west_1="0.22"), "same"),
        (table(eu_west_1="0.20"), "changed"),
    ],
)
def test_a_listed_rate_beside_what_counts_today(known: RateTable, says: str) -> None:
    (change,) = compare([LISTED], known, "eu-west-1")
    assert isinstance(change, Change)
    assert change.says == says


def test_what_was_not_matched_stays_unmatched() -> None:
    assert list(compare([Unmatched("x", "why")], table(), "eu-west-1")) == [Unmatched("x", "why")]


def test_kept_rates_count_in_place_of_the_shipped_ones_and_in_no_other_region(
    tmp_path: Path,
) -> None:
    (change,) = compare([LISTED], table(anywhere="0.20"), "eu-west-1")
    assert isinstance(change, Change)
    (tmp_path / "some-target.json").write_text(merged(tmp_path, "some-target", [change], TODAY))
    both = table(anywhere="0.20", us_east_1="0.19") + newer(tmp_path, "some-target")
    found = {region: both.find("requests", region) for region in ("eu-west-1", "us-east-1", "x")}
    amounts = {region: None if rate is None else (str(rate.amount), rate.grade.value) for region, rate in found.items()}  # fmt: skip
    assert amounts == {
        "eu-west-1": ("0.22", "copy"),
        "us-east-1": ("0.19", "copy"),
        "x": ("0.20", "unconfirmed"),
    }


def test_a_second_refresh_keeps_what_it_did_not_read(tmp_path: Path) -> None:
    file = tmp_path / "some-target.json"
    graduated = Listed(
        "duration", "GB-second", ((Decimal(6), Decimal(2)), (None, Decimal("1.5"))),
        date(2026, 11, 1), "a list",
    )  # fmt: skip
    for listed in (graduated, LISTED):
        file.write_text(merged(tmp_path, "some-target", [Change("eu-west-1", None, listed)], TODAY))
    again: list[Rate] = list(newer(tmp_path, "some-target"))
    assert [(one.sku, [(tier.up_to, tier.amount) for tier in one.tiers]) for one in again] == [
        ("duration", [(Decimal(6), Decimal(2)), (None, Decimal("1.5"))]),
        ("requests", [(None, Decimal("0.22"))]),
    ]


def test_a_project_that_keeps_none_has_none(tmp_path: Path) -> None:
    assert list(newer(tmp_path / "nowhere", "some-target")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON: "),
        ("[]", "must be an object with as_of and rates"),
        ('{"as_of": "2026-11-21"}', "Field required"),
        (
            json.dumps({"as_of": "2026-11-21", "rates": [{"sku": "a", "regions": ["x"], "unit": "u", "amount": "1", "source": "s", "grade": "copy"}]}),
            "Field required",
        ),
        (
            json.dumps({"as_of": "2026-11-21", "rates": [{"sku": "a", "regions": ["x"], "unit": "u", "amount": "1", "source": "s", "as_of": "2026-11-21", "grade": "copy", "currency": "EUR"}]}),
            "Input should be 'USD'",
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_no_rates_file_is_refused_by_name(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "some-target.json").write_text(text)
    with pytest.raises(BadInput) as raised:
        newer(tmp_path, "some-target")
    (problem,) = raised.value.problems
    assert problem.where == str(tmp_path / "some-target.json")
    assert message in problem.message
