"""Where a resource is: itself, its provider, its own ARN; never a guess, however it is written."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.gate.places import At, Kind, Nowhere, places, reading, zones
from portway.gate.resource import Provider, Resource
from portway.gate.tables import table
from portway.gate.testing import UNKNOWN, Given, judge, provider, resource, secret
from portway.gate.values import View
from portway.residency.boundary import boundaries, boundary
from portway.residency.places_of import countries, google_regions
from support.packs import POLICIES

PACK = POLICIES / "residency"
REGION = "residency-region-inside-boundary"
READ = "residency-type-is-read"
QUEUE = "aws:sqs/queue:Queue"
BUCKET = "gcp:storage/bucket:Bucket"
PROMISED = "eu eea de fr ie nl es it se pl uk ch us us-gov ca au jp in sg br il ae"


def seen(
    token: str, properties: Mapping[str, Any], of_provider: Mapping[str, Any] | None = None
) -> list[At | Nowhere]:
    package = token.partition(":")[0]
    by = Provider("default", f"urn:{package}", View(of_provider or {}))
    one = Resource("urn:it", "it", token, View(properties), by)
    return list(places(one, reading(one).facts, {}))


def refused(resources: Sequence[Given], within: str | Sequence[str] = "eu") -> set[str]:
    said = judge(resources, PACK, {"boundary": within})
    return {one.name for one in said.refusals if one.rule in (REGION, READ) and one.name}


@pytest.mark.parametrize(
    ("token", "properties", "of_provider", "expected"),
    [
        (QUEUE, {"region": "eu-west-1"}, {"region": "us-east-1"}, At("region", "eu-west-1")),
        (QUEUE, {}, {"region": "eu-west-3"}, At("provider.region", "eu-west-3")),
        (QUEUE, {"arn": "arn:aws:sqs:eu-west-1:1:q"}, {}, At("arn", "arn:aws:sqs:eu-west-1:1:q")),
        (QUEUE, {"arn": "arn:aws:sqs:eu-west-1:1:q"}, {"region": "eu-west-3"}, At("provider.region", "eu-west-3")),
        (BUCKET, {"location": "EU"}, {"region": "us-east1"}, At("location", "EU")),
        ("gcp:compute/disk:Disk", {"zone": "europe-west4-a"}, {}, At("zone", "europe-west4-a")),
        ("gcp:compute/disk:Disk", {}, {"zone": "europe-west1-b"}, At("provider.zone", "europe-west1-b")),
        ("gcp:firestore/database:Database", {"locationId": "eur3"}, {}, At("locationId", "eur3")),
        ("gcp:container/cluster:Cluster", {}, {"region": "europe-west4"}, At("provider.region", "europe-west4")),
        (BUCKET, {"id": "projects/p/locations/europe-west4/x"}, {}, At("id", "projects/p/locations/europe-west4/x")),
        ("gcp:cloudrunv2/service:Service", {"location": "global", "multiRegionSettings": {"regions": ["us-east1"]}}, {},
         At("multiRegionSettings.regions[0]", "us-east1")),
    ],
)  # fmt: skip
def test_the_nearest_word_on_a_place_counts(
    token: str, properties: Mapping[str, Any], of_provider: Mapping[str, Any], expected: At
) -> None:
    assert seen(token, properties, of_provider) == [expected]


@pytest.mark.parametrize(
    ("token", "properties", "of_provider"),
    [
        (QUEUE, {}, {}),
        (QUEUE, {}, {"profile": "prod"}),
        (QUEUE, {"tags": {"region": "eu-west-1"}, "name": "eu-west-1"}, {}),
        (QUEUE, {"arn": "arn:aws:outposts:eu-west-1:1:outpost/op-1"}, {}),
        (QUEUE, {"id": "eu-west-1"}, {}),
        # what this ARN names is the target of the event, not the rule that sends it there
        ("aws:cloudwatch/eventTarget:EventTarget", {"arn": "arn:aws:sqs:eu-west-1:1:q"}, {}),
        (BUCKET, {}, {"region": "europe-west4"}),
        (BUCKET, {"labels": {"location": "europe-west4"}, "selfLink": "europe-west4"}, {}),
        ("gcp:pubsub/topic:Topic", {}, {"region": "europe-west4"}),
    ],
)
def test_what_nothing_says_is_undetermined(
    token: str, properties: Mapping[str, Any], of_provider: Mapping[str, Any]
) -> None:
    (found,) = seen(token, properties, of_provider)
    assert isinstance(found, Nowhere)


@pytest.mark.parametrize("name", PROMISED.split())
def test_the_pack_refuses_every_region_outside_and_none_inside(name: str) -> None:
    amazon = sorted(set(countries()) - google_regions())
    google = sorted(google_regions())
    resources = [
        *(resource(QUEUE, one, {"region": one}) for one in amazon),
        *(resource(BUCKET, one, {"location": one.upper()}) for one in google),
    ]
    assert refused(resources, name) == {*amazon, *google} - boundary([name]).regions


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(countries())),
    st.sampled_from(PROMISED.split()),
    st.sampled_from([str, str.upper, str.swapcase]),
    st.sampled_from(["", " ", "\n"]),
    st.sampled_from([str, secret]),
)
def test_no_spelling_and_no_secret_changes_the_verdict(
    region: str, name: str, case: object, space: str, wrapped: object
) -> None:
    assert callable(case)
    assert callable(wrapped)
    is_google = region in google_regions()
    token, key = (BUCKET, "location") if is_google else (QUEUE, "region")
    written = f"{space}{case(region)}{space}"
    spelt = resource(token, "it", {key: wrapped(written)})
    expected = set[str]() if region in boundary([name]).regions else {"it"}
    assert refused([spelt], name) == expected


@pytest.mark.parametrize("path", ["region", "availabilityZone"])
def test_an_unknown_where_a_place_was_never_passes(path: str) -> None:
    properties: dict[str, Any] = {"region": "eu-west-1", "availabilityZone": "eu-west-1a"}
    assert refused([resource("aws:ec2/instance:Instance", "it", properties)]) == set()
    properties[path] = UNKNOWN
    assert refused([resource("aws:ec2/instance:Instance", "it", properties)]) == {"it"}


def test_the_region_of_the_default_provider_is_the_stack_s_configuration() -> None:
    # The engine writes aws:region and gcp:region into the provider's inputs; there is no second way.
    amazon = provider("aws", "default", {"region": "eu-west-1", "version": "7.51.1"})
    google = provider("gcp", "default", {"region": "europe-west4", "project": "p"})
    inside = [
        resource(QUEUE, "q", provider=amazon),
        resource("gcp:compute/subnetwork:Subnetwork", "s", provider=google),
    ]
    assert refused([amazon, google, *inside]) == set()
    assert refused([amazon, google, *inside], "us") == {"default", "q", "s"}


def test_zones_are_read_where_they_are_named() -> None:
    named = View(
        {"availabilityZones": ["eu-west-1a", "eu-west-1b"], "tags": {"zone": "us-east-1a"}}
    )
    group = Resource("u", "it", "aws:autoscaling/group:Group", named)
    assert [one.path for one in zones(group)] == ["availabilityZones[0]", "availabilityZones[1]"]
    assert list(zones(Resource("u", "it", QUEUE, named))) == []


@pytest.mark.parametrize("boundary_name", ["eu", "us", "uk"])
def test_a_type_nobody_has_read_is_refused_under_every_boundary(boundary_name: str) -> None:
    resources = [
        resource(token, f"it{number}", {"region": "eu-west-1", "location": "eu"}, provider=by)
        for number, (token, by) in enumerate(
            [
                ("aws:moonbase/habitat:Habitat", provider("aws")),
                ("command:local:Command", provider("command")),
                ("pulumi-python:dynamic:Resource", provider("pulumi-python")),
                ("cloudflare:index/record:Record", provider("cloudflare")),
                ("datadog:index/monitor:Monitor", provider("datadog")),
                ("docker:index/image:Image", provider("docker")),
                ("aws-native:s3:Bucket", provider("aws-native")),
                ("azure-native:storage:StorageAccount", provider("azure-native")),
                ("google-native:storage/v1:Bucket", provider("google-native")),
                ("acme:index:Thing", provider("acme")),
            ]
        )
    ]
    said = judge(resources, PACK, {"boundary": boundary_name})
    unread = [one for one in said.refusals if one.rule == READ]
    assert {one.name for one in unread} == {one.name for one in resources}
    assert all(";" in one.message for one in unread), "each says a way out"


def test_every_reviewed_entry_says_why() -> None:
    reviewed = table("reviewed.json")
    for section in ("placeless", "judged", "components", "unread"):
        for entry in reviewed[section]:
            assert entry["types"], entry
            assert len(entry["because"]) > len("because"), entry


def test_a_type_is_read_by_rows_only_while_there_are_rows() -> None:
    reviewed = table("reviewed.json")["judged"]
    tokens = [one for entry in reviewed for one in entry["types"] if "*" not in one]
    for token in tokens:
        package = token.partition(":")[0]
        families = next(entry["families"] for entry in reviewed if token in entry["types"])
        rows = [
            row["type"]
            for name in families
            for row in table(f"judged/{package}.json").get(name, [])
        ]
        kind = reading(Resource("u", "it", token, View({}), Provider("p", "u"))).kind
        assert (kind is Kind.UNREAD) == (token not in rows), token


def test_boundaries_are_enough_to_choose_from() -> None:
    assert set(PROMISED.split()) <= set(boundaries())


def test_before_a_deployment_a_stack_without_a_boundary_is_refused_once_as_a_whole() -> None:
    given = [
        provider("aws", "amazon", {"region": "eu-west-1"}),
        resource(QUEUE, "jobs", {"region": "eu-west-1"}),
        resource(
            "aws:ec2/instance:Instance",
            "vm",
            {"region": "eu-west-1", "availabilityZone": "eu-west-1a"},
        ),
    ]
    said = judge(given, PACK, {}, is_preview=True).of(REGION)
    assert [(one.urn, one.level) for one in said] == [("", "mandatory")]
