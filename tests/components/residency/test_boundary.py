import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.errors import BadInput
from portway.residency.boundary import (
    boundaries,
    boundary,
    commercial_aws_regions,
    country_of,
    normalise_region,
)

PROMISED = "eu eea de fr ie nl es it se pl uk ch us us-gov ca au jp in sg br il ae".split()  # noqa: SIM905 - reads as the page that promises them
REGIONS = sorted(frozenset[str]().union(*boundaries().values()))


def test_every_promised_boundary_is_there_and_holds_a_region() -> None:
    assert {name for name in PROMISED if not boundaries().get(name)} == set()


def test_the_eu_is_its_members_and_nobody_else() -> None:
    assert sorted(boundary(["eu"]).regions) == [
        "eu-central-1",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-3",
        "europe-central2",
        "europe-north1",
        "europe-north2",
        "europe-southwest1",
        "europe-west1",
        "europe-west10",
        "europe-west12",
        "europe-west3",
        "europe-west4",
        "europe-west8",
        "europe-west9",
        "eusc-de-east-1",
    ]


@pytest.mark.parametrize(
    "region",
    ["eu-west-2", "eu-central-2", "europe-west2", "europe-west6", "il-central-1", "me-west1"],
)
def test_a_region_called_after_europe_may_be_outside_the_eu(region: str) -> None:
    assert not boundary(["eu"]).contains(region)


def test_several_boundaries_mean_inside_all_of_them() -> None:
    both = boundary(["eu", "de"])
    assert str(both) == "eu and de"
    assert sorted(both.regions) == [
        "eu-central-1",
        "europe-west10",
        "europe-west3",
        "eusc-de-east-1",
    ]


def test_a_boundary_nobody_can_be_inside_of_is_refused() -> None:
    with pytest.raises(BadInput, match="no region is inside eu and us; a list means inside all"):
        boundary(["eu", "us"])


def test_unknown_boundaries_are_all_named_with_the_nearest() -> None:
    with pytest.raises(BadInput) as caught:
        boundary(["eu", "EEA", "mars"])
    first, second = map(str, caught.value.problems)
    assert first.startswith(
        "residency: 'EEA' is not a boundary; did you mean eea? choose among eu, "
    )
    assert second.startswith("residency: 'mars' is not a boundary; ")
    with pytest.raises(BadInput, match="no boundary is named"):
        boundary([])


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("europe-west4", "europe-west4"),
        (" EUROPE-WEST4 ", "europe-west4"),
        ("europe-west4-a", "europe-west4"),
        ("eu-central-1a", "eu-central-1"),
        ("us-gov-west-1b", "us-gov-west-1"),
        ("projects/p/locations/europe-west4", "europe-west4"),
        ("projects/p/zones/europe-west4-b/disks/d", "europe-west4"),
        ("https://host/compute/v1/projects/p/regions/us-east1", "us-east1"),
    ],
)
def test_the_many_spellings_of_one_region_are_one(text: str, region: str) -> None:
    assert normalise_region(text) == region
    assert country_of(text) is not None


@pytest.mark.parametrize(
    ("place", "country", "inside"),
    [
        ("us-east-1-lim-1a", "pe", []),
        ("eu-central-1-waw-1a", "pl", ["eu", "eea"]),
        ("eu-central-1-ham-1a", "de", ["eu", "eea", "de"]),
        ("eu-west-2-wl1-lon-wlz-1", "uk", ["uk"]),
        ("eu-central-1-ist-1a", "tr", []),
        ("eu-west-3-wl1-cmn-wlz-1", "ma", []),
        ("us-west-2-lax-1b", "us", ["us"]),
        ("eu-central-1-xyz-1a", None, []),
    ],
)
def test_a_zone_away_from_its_region_is_inside_where_both_are(
    place: str, country: str | None, inside: list[str]
) -> None:
    assert country_of(place) == country
    assert [name for name in boundaries() if boundary([name]).contains(place)] == inside


@given(st.text(max_size=30))
def test_what_is_no_region_is_inside_nothing(text: str) -> None:
    if country_of(text) is None:
        assert not boundary(["eea"]).contains(text)


@given(st.lists(st.sampled_from(["eu", "eea", "de", "nl", "uk", "us"]), min_size=1, max_size=3))
def test_a_narrower_boundary_never_holds_more(names: list[str]) -> None:
    try:
        narrow = boundary(names)
    except BadInput:
        return
    assert all(narrow.regions <= boundary([name]).regions for name in names)


@pytest.mark.parametrize("region", REGIONS)
def test_every_region_stands_in_one_country_that_is_a_boundary(region: str) -> None:
    country = country_of(region)
    assert country is not None
    assert boundary([country]).contains(region)


def test_all_of_none_is_not_inside() -> None:
    europe = boundary(["eu"])
    assert europe.contains_all(["eu-west-1", "europe-west4"])
    assert not europe.contains_all(["eu-west-1", "us-east-1"])
    assert not europe.contains_all([])


def test_commercial_aws_leaves_out_the_other_partitions() -> None:
    outside = {"us-gov-west-1", "cn-north-1", "eusc-de-east-1", "europe-west4"}
    assert outside & commercial_aws_regions() == set()
    assert {"us-east-1", "eu-west-1", "me-central-1"} <= commercial_aws_regions()
