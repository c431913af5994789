"""Every region against every boundary, by a table written down a second time."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from portway.residency.boundary import boundaries, boundary
from portway.residency.tables import table

BY_COUNTRY = {
    "ae": "me-central-1",
    "au": "ap-southeast-2 ap-southeast-4 australia-southeast1 australia-southeast2",
    "be": "europe-west1",
    "bh": "me-south-1",
    "br": "sa-east-1 southamerica-east1",
    "ca": "ca-central-1 ca-west-1 northamerica-northeast1 northamerica-northeast2",
    "ch": "eu-central-2 europe-west6",
    "cl": "southamerica-west1",
    "cn": "cn-north-1 cn-northwest-1",
    "de": "eu-central-1 eusc-de-east-1 europe-west3 europe-west10",
    "es": "eu-south-2 europe-southwest1",
    "fi": "europe-north1",
    "fr": "eu-west-3 europe-west9",
    "hk": "ap-east-1 asia-east2",
    "id": "ap-southeast-3 asia-southeast2",
    "ie": "eu-west-1",
    "il": "il-central-1 me-west1",
    "in": "ap-south-1 ap-south-2 asia-south1 asia-south2",
    "it": "eu-south-1 europe-west8 europe-west12",
    "jp": "ap-northeast-1 ap-northeast-3 asia-northeast1 asia-northeast2",
    "kr": "ap-northeast-2 asia-northeast3",
    "mx": "mx-central-1 northamerica-south1",
    "my": "ap-southeast-5",
    "nl": "europe-west4",
    "nz": "ap-southeast-6",
    "pl": "europe-central2",
    "qa": "me-central1",
    "sa": "me-central2",
    "se": "eu-north-1 europe-north2",
    "sg": "ap-southeast-1 asia-southeast1",
    "th": "ap-southeast-7 asia-southeast3",
    "tw": "ap-east-2 asia-east1",
    "uk": "eu-west-2 europe-west2",
    "us": (
        "us-east-1 us-east-2 us-west-1 us-west-2 us-gov-east-1 us-gov-west-1 us-iso-east-1 us-iso-west-1 "
        "us-isob-east-1 us-isob-west-1 us-isof-east-1 us-isof-south-1 us-central1 us-central2 us-east1 "
        "us-east4 us-east5 us-south1 us-west1 us-west2 us-west3 us-west4"
    ),
    "za": "af-south-1 africa-south1",
}
EU = "be de es fi fr ie it nl pl se"
SEVERAL = {"eu": EU, "eea": EU}
"""Members of the union without a region (``at``, ``no``, …) add nothing."""
UNDISCLOSED = {"eu-isoe-west-1"}
REGIONS = sorted({region for listed in BY_COUNTRY.values() for region in listed.split()})
PROMISED = "eu eea de fr ie nl es it se pl uk ch us us-gov ca au jp in sg br il ae"


@cache
def expected(name: str) -> frozenset[str]:
    if name == "us-gov":
        return frozenset({"us-gov-east-1", "us-gov-west-1"})
    countries = SEVERAL.get(name, name).split()
    return frozenset(region for one in countries for region in BY_COUNTRY[one].split())


def test_every_promised_boundary_and_every_country_is_there() -> None:
    assert set(boundaries()) == {*BY_COUNTRY, *SEVERAL, "us-gov"}
    assert set(PROMISED.split()) <= set(boundaries())


@pytest.mark.parametrize("name", sorted({*BY_COUNTRY, *SEVERAL, "us-gov"}))
def test_a_region_is_inside_exactly_where_it_stands(name: str) -> None:
    inside = {region for region in REGIONS if boundary([name]).holds(region)}
    assert inside == expected(name)
    assert boundary([name]).regions == expected(name)


@pytest.mark.parametrize("first", sorted({*BY_COUNTRY, *SEVERAL, "us-gov"}))
def test_a_list_of_boundaries_holds_what_each_of_them_holds(first: str) -> None:
    for second in ("eu", "de", "us", "us-gov", "uk"):
        both = expected(first) & expected(second)
        if both:
            assert boundary([first, second]).regions == both


@pytest.mark.parametrize("name", sorted({*BY_COUNTRY, *SEVERAL, "us-gov"}))
@pytest.mark.parametrize("place", [*UNDISCLOSED, "global", "unspecified", "", "-", "*", "mars-1"])
def test_a_place_nobody_discloses_is_inside_nothing(name: str, place: str) -> None:
    assert not boundary([name]).holds(place)


def test_every_region_of_the_pinned_amazon_sdk_is_in_the_table() -> None:
    spec = find_spec("pulumi_aws")
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).with_name("_enums.py").read_text("utf-8")
    listed = text[text.index("class Region(") :].split("\nclass ")[0]
    known = {*table("boundaries.json")["countries"]["aws"], *UNDISCLOSED}
    assert set(re.findall(r'= "([a-z0-9-]+)"', listed)) == known
    assert set(table("boundaries.json")["undisclosed"]) == UNDISCLOSED
