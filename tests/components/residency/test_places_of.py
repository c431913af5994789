"""What names of places stand for: multi-regions by product, zones, ids, paths and ARNs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.residency.boundary import boundaries, boundary, country_of, normalise_region
from portway.residency.places_of import countries, google_regions, members
from portway.residency.tables import table

STORAGE = "gcp:storage/bucket:Bucket"
SPANNER = "gcp:spanner/instance:Instance"
KMS = "gcp:kms/keyRing:KeyRing"
REGISTRY = "gcp:artifactregistry/repository:Repository"
BIGQUERY = "gcp:bigquery/dataset:Dataset"
FIRESTORE = "gcp:firestore/database:Database"
RUN = "gcp:cloudrunv2/service:Service"
AMAZON = sorted(table("boundaries.json")["countries"]["aws"])
GOOGLE = sorted(google_regions())
PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e")
EU_OF_GOOGLE = {
    "europe-central2", "europe-north1", "europe-north2", "europe-southwest1", "europe-west1", "europe-west10",
    "europe-west12", "europe-west3", "europe-west4", "europe-west8", "europe-west9",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "product", "expected"),
    [
        ("EU", STORAGE, EU_OF_GOOGLE),
        ("EU", BIGQUERY, EU_OF_GOOGLE),
        ("europe", KMS, EU_OF_GOOGLE),
        ("europe", REGISTRY, {*EU_OF_GOOGLE, "europe-west2", "europe-west6"}),
        ("EUR4", STORAGE, {"europe-north1", "europe-west4"}),
        ("NAM4", STORAGE, {"us-central1", "us-east1"}),
        ("ASIA1", STORAGE, {"asia-northeast1", "asia-northeast2"}),
        ("asia1", SPANNER, {"asia-northeast1", "asia-northeast2", "asia-northeast3"}),
        ("eur3", FIRESTORE, {"europe-west1", "europe-west4", "europe-north1"}),
        ("nam5", FIRESTORE, {"us-central1", "us-central2", "us-east1"}),
        ("eur5", SPANNER, {"europe-west1", "europe-west2", "europe-west4"}),
        ("eur6", SPANNER, {"europe-west3", "europe-west4", "europe-west6"}),
        ("projects/p/instanceConfigs/eur7", SPANNER, {"europe-west3", "europe-west8", "europe-west12"}),
        ("regional-europe-west4", SPANNER, {"europe-west4"}),
        ("aws-eu-west-1", BIGQUERY, {"eu-west-1"}),
        ("europe-west", "gcp:appengine/application:Application", {"europe-west1"}),
        ("eu-central-1-waw-1a", "aws:ec2/subnet:Subnet", {"eu-central-1", "pl"}),
        ("euc1-waw1-az1", "aws:ec2/subnet:Subnet", {"eu-central-1", "pl"}),
        ("eu-central-1-wl1-ber-wlz-1", "aws:ec2/subnet:Subnet", {"eu-central-1", "de"}),
    ],
)  # fmt: skip
def test_a_name_stands_for_every_place_it_may_mean(
    name: str, product: str, expected: set[str]
) -> None:
    assert members(name, product) == expected


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("EUR4", RUN),
        ("eu", RUN),
        ("eur3", "gcp:compute/instance:Instance"),
        ("global", STORAGE),
        ("global", KMS),
        ("custom-eur3-replica", SPANNER),
        ("regional-mars1", SPANNER),
        ("regional-europe-west4", STORAGE),
        ("aws-eu-west-1", STORAGE),
        ("azure-eastus2", BIGQUERY),
        ("us-south1-ai1b", "gcp:compute/instance:Instance"),
        ("eu-central-1-xyz-1a", "aws:ec2/subnet:Subnet"),
        ("xyz1-az1", "aws:ec2/subnet:Subnet"),
        ("arn:aws:outposts:eu-west-1:123456789012:outpost/op-1", "aws:ec2/subnet:Subnet"),
        ("arn:aws:s3:::bucket", "aws:s3/bucket:Bucket"),
        ("projects/p/locations/-/keyRings/r", KMS),
        ("projects/p/locations/europe-west4/to/locations/us-east1", KMS),
    ],
)
def test_a_name_that_means_no_place_to_the_product_is_inside_nothing(
    name: str, product: str
) -> None:
    assert members(name, product) is None
    assert not any(boundary([one]).holds(name, product) for one in boundaries())


@pytest.mark.parametrize(
    ("name", "product", "inside"),
    [
        ("EU", STORAGE, ["eu", "eea"]),
        ("US", STORAGE, ["us"]),
        ("EUR5", STORAGE, []),
        ("EUR8", STORAGE, []),
        ("europe", KMS, ["eu", "eea"]),
        ("europe", REGISTRY, []),
        ("ca", KMS, ["ca"]),
        ("dual-region-germany1", SPANNER, ["eu", "eea", "de"]),
        ("dual-region-japan1", SPANNER, ["jp"]),
        ("nam14", SPANNER, []),
        ("nam-eur-asia1", SPANNER, []),
    ],
)
def test_several_regions_are_inside_where_every_one_of_them_is(
    name: str, product: str, inside: list[str]
) -> None:
    assert [one for one in boundaries() if boundary([one]).holds(name, product)] == inside


def test_a_name_without_a_product_stands_for_all_that_any_product_calls_so() -> None:
    for row in table("places.json")["groups"]:
        for name in row["members"]:
            alone = members(name)
            assert alone is not None
            assert all(
                alone >= (members(name, pattern.replace("*", "x")) or set())
                for pattern in row["products"]
            )


def test_a_composition_nobody_verified_is_never_narrower_than_a_continent() -> None:
    for row in table("places.json")["groups"]:
        if not row["verified"]:
            written = [one for listed in row["members"].values() for one in listed]
            assert all(one.endswith("-*") for one in written), row["source"]


def test_every_name_in_the_table_leads_to_regions_that_exist() -> None:
    places = table("places.json")
    for row in places["groups"]:
        assert row["source"]
        for name in row["members"]:
            assert (
                members(name, row["products"][0].replace("*", "x")) or set()
            ) <= google_regions()
    assert set(places["zone_ids"].values()) <= set(AMAZON)
    for kind in ("local", "wavelength"):
        for country, zones in places["local_zones"][kind].items():
            assert len(country) == len("de")
            assert {zone.rpartition("-")[0] for zone in zones} <= set(AMAZON)


AMAZON_SPELLINGS = st.sampled_from(
    [
        "{}",
        *(f"{{}}{zone}" for zone in "abcdef"),
        *(f"arn:{one}:s3:{{}}:123456789012:thing/x" for one in PARTITIONS),
        *(f"arn:{one}:bedrock:{{}}:123456789012:inference-profile/eu.x" for one in PARTITIONS),
    ]
)
GOOGLE_SPELLINGS = st.sampled_from(
    [
        "{}",
        "{}-a",
        "projects/p/locations/{}",
        "projects/p/zones/{}-b/disks/d",
        "https://www.googleapis.com/compute/v1/projects/p/regions/{}",
        "https://compute.googleapis.com/compute/v1/projects/p/zones/{}-c/instances/vm",
        "//container.googleapis.com/projects/p/locations/{}/clusters/c",
        "locations/{}",
        "regions/{}/subnetworks/s",
    ]
)
SPACE = st.text(alphabet=" \t\n", max_size=2)
CASE = st.sampled_from([str, str.upper, str.title, str.swapcase])


@given(
    st.one_of(
        st.tuples(st.sampled_from(AMAZON), AMAZON_SPELLINGS),
        st.tuples(st.sampled_from(GOOGLE), GOOGLE_SPELLINGS),
    ),
    CASE,
    SPACE,
    SPACE,
)
def test_no_spelling_of_a_region_changes_the_verdict(
    spelt: tuple[str, str], case: object, before: str, after: str
) -> None:
    region, shape = spelt
    assert callable(case)
    text = before + str(case(shape.format(region))) + after
    assert normalise_region(text) == region
    assert country_of(text) == countries()[region]
    assert [b for b in boundaries() if boundary([b]).holds(text)] == [
        b for b in boundaries() if boundary([b]).holds(region)
    ]


@given(st.sampled_from(sorted(table("places.json")["zone_ids"])), st.integers(1, 6), CASE)
def test_a_zone_id_is_in_the_region_it_abbreviates(short: str, number: int, case: object) -> None:
    assert callable(case)
    region = table("places.json")["zone_ids"][short]
    assert normalise_region(str(case(f"{short}-az{number}"))) == region


@given(st.text(max_size=60), st.sampled_from([None, STORAGE, SPANNER, RUN, "", "aws:x/y:Z"]))
def test_no_text_at_all_is_an_error(text: str, product: str | None) -> None:
    found = members(text, product)
    assert found is None or found


@given(
    st.sampled_from([name for row in table("places.json")["groups"] for name in row["members"]]),
    st.sampled_from([STORAGE, SPANNER, KMS, REGISTRY, BIGQUERY, FIRESTORE]),
    st.sampled_from(sorted(boundaries())),
)
def test_a_multi_region_is_never_inside_where_one_of_its_regions_is_outside(
    name: str, product: str, where: str
) -> None:
    reached = members(name, product)
    inside = boundary([where])
    assert inside.holds(name, product) == (
        reached is not None and all(inside.holds(region) for region in reached)
    )


@pytest.mark.parametrize("name", boundaries())
def test_areas_of_registries_reach_as_far_as_any_product_says(name: str) -> None:
    """Images are judged as Artifact Registry names places: leaving that out must hide none."""
    inside = boundary([name])
    for area in ("us", "europe", "asia", *countries()):
        assert inside.holds(area, REGISTRY) == inside.holds(area), area
