"""Every row of Google's table: its property exists, an outside value is refused, an inside one is not."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from portway.gate.context import ResidencyContext
from portway.gate.judged import FAMILIES, Row, family
from portway.gate.rule import Violation
from portway.gate.tables import table
from portway.gate.values import UNKNOWN
from portway.residency.boundary import boundary
from support.judged_rows import judged_at, judged_by
from support.sdk_paths import exists

ROWS = tuple(
    (name, row) for name in FAMILIES for row in family(name) if row.type.startswith("gcp:")
)
OUTSIDE: Mapping[str, tuple[str, ...]] = {
    "region": ("us-central1", "europe-west2", "global", "nowhere"),
    "path": (
        "projects/p/locations/us-central1/x/y",
        "https://www.googleapis.com/compute/v1/projects/p/zones/europe-west6-a/disks/d",
        "projects/p/locations/global/x/y",
        "projects/p/things/unheard-of",
    ),
    "bucket": ("kept-outside", "gs://kept-outside/prefix", "unheard-of"),
    "reference": ("kept-outside", "unheard-of"),
    "host": ("https://api.example.com/in", "https://us-central1-run.googleapis.com/x"),
    "local": ("https://us-central1-docker.pkg.dev/p/r",),
    "image": ("us-central1-docker.pkg.dev/p/r/i:1", "us-docker.pkg.dev/p/r/i:1", "gcr.io/p/i:1"),
}
INSIDE: Mapping[str, tuple[str, ...]] = {
    "region": ("europe-west4", " EUROPE-WEST1 "),
    "path": (
        "projects/p/locations/europe-west4/x/y",
        "https://www.googleapis.com/compute/v1/projects/p/zones/europe-west4-a/disks/d",
        "projects/p/things/kept-inside",
    ),
    "bucket": ("kept-inside", "gs://kept-inside/prefix"),
    "reference": ("kept-inside",),
    "host": ("https://listed.example.com/in", "storage.europe-west4.rep.googleapis.com"),
    "local": ("https://ghcr.io", "https://europe-west4-docker.pkg.dev/p/r"),
    "image": ("europe-west4-docker.pkg.dev/p/r/i:1", "docker.io/x/y:1", "gcr.io/distroless/x"),
}


def context(*names: str) -> ResidencyContext:
    return ResidencyContext(
        boundary(names or ("eu",)),
        buckets={"kept-inside": "europe-west4", "kept-outside": "us-central1"},
        hosts=("listed.example.com",),
    )


def of(name: str, token: str, tree: Mapping[str, Any], *boundaries: str) -> list[Violation]:
    return judged_by(name, token, tree, context(*boundaries))


def judged(name: str, row: Row, value: object) -> list[Violation]:
    return judged_at(name, row, value, context())


@pytest.fixture(params=FAMILIES)
def rows(request: pytest.FixtureRequest) -> list[tuple[str, Row]]:
    return [(name, row) for name, row in ROWS if name == request.param and row.path not in row.when]


def test_every_property_exists_in_the_pinned_sdk(rows: list[tuple[str, Row]]) -> None:
    pairs = [(row.type, path) for _, row in rows for path in (row.path, *row.when, row.within)]
    assert [pair for pair in pairs if pair[1] and not exists(*pair)] == []


def test_a_value_outside_is_refused(rows: list[tuple[str, Row]]) -> None:
    passed = [
        (row.type, row.path, value)
        for name, row in rows
        for value in OUTSIDE.get(row.reads, row.refused or ("SOMETHING_ELSE",))
        if not judged(name, row, value)
    ]
    assert passed == []


def test_a_value_inside_is_not(rows: list[tuple[str, Row]]) -> None:
    refused = [
        (row.type, row.path, value)
        for name, row in rows
        if row.reads != "set"
        for value in INSIDE.get(row.reads, row.allowed or ("something else",))
        if judged(name, row, value)
    ]
    assert refused == []


def test_an_unknown_value_is_refused_at_the_latest_with_the_whole_stack(
    rows: list[tuple[str, Row]],
) -> None:
    assert [(r.type, r.path) for name, r in rows if not judged(name, r, UNKNOWN)] == []


def test_the_table_judges_hundreds_of_properties_each_once() -> None:
    shipped = table("judged/gcp.json")
    pairs = [(row["type"], row["path"]) for name in FAMILIES for row in shipped.get(name, [])]
    assert len(pairs) > 300
    assert len(set(pairs)) == len(pairs)


def test_no_row_shows_the_value_it_refuses_unless_it_is_a_place() -> None:
    for name, row in ROWS:
        for violation in judged(name, row, "hunter2/hunter2"):
            assert "hunter2" not in violation.message


SNAPSHOT = "gcp:compute/snapshot:Snapshot"
DATABASE = "gcp:sql/databaseInstance:DatabaseInstance"


@pytest.mark.parametrize(
    ("token", "tree", "where", "is_refused"),
    [
        (SNAPSHOT, {"zone": "europe-west4-a"}, "eu", False),
        (SNAPSHOT, {"zone": "europe-west4-a"}, "nl", True),
        (SNAPSHOT, {"zone": "europe-west2-a"}, "uk", True),
        (SNAPSHOT, {"zone": "us-central1-a"}, "us", False),
        (SNAPSHOT, {"zone": "asia-northeast1-a"}, "jp", True),
        (SNAPSHOT, {"zone": "australia-southeast1-a"}, "au", True),
        (SNAPSHOT, {"zone": UNKNOWN}, "eu", True),
        (SNAPSHOT, {}, "eu", True),
        (DATABASE, {"region": "europe-west4"}, "nl", False),
        (
            DATABASE,
            {"region": "europe-west4", "settings": {"backupConfiguration": {"enabled": False}}},
            "nl",
            False,
        ),
        (
            DATABASE,
            {"region": "europe-west4", "settings": {"backupConfiguration": {"enabled": "true"}}},
            "nl",
            True,
        ),
    ],
)
def test_what_is_left_to_the_nearest_multi_region_passes_where_that_is_inside(
    token: str, tree: dict[str, Any], where: str, *, is_refused: bool
) -> None:
    assert bool(of("copies", token, tree, where)) == is_refused


def test_the_key_of_a_european_bucket_is_named_as_keys_are() -> None:
    key = "projects/p/locations/europe/keyRings/r/cryptoKeys/k"
    tree = {"location": "EU", "encryption": {"defaultKmsKeyName": key}}
    assert of("keys", "gcp:storage/bucket:Bucket", tree) == []
    assert of("keys", "gcp:storage/bucket:Bucket", tree, "de") != []


@pytest.mark.parametrize(
    ("regime", "where", "is_refused"),
    [
        ("EU_REGIONS_AND_SUPPORT", "eu", False),
        ("EU_REGIONS_AND_SUPPORT", "de", True),
        ("US_REGIONAL_ACCESS", "eu", True),
        ("US_REGIONAL_ACCESS", "us", False),
        ("IL5", "us", False),
        ("JP_REGIONS_AND_SUPPORT", "jp", False),
        ("REGIONAL_CONTROLS", "eu", False),
        (UNKNOWN, "eu", True),
    ],
)
def test_a_regime_of_another_country_is_refused(
    regime: object, where: str, *, is_refused: bool
) -> None:
    token = "gcp:assuredworkloads/workload:Workload"
    assert bool(of("movement", token, {"complianceRegime": regime}, where)) == is_refused


def test_every_row_is_readable_by_others() -> None:
    shipped = table("judged/gcp.json")
    assert json.loads(json.dumps(shipped)) == shipped
    assert set(shipped) - set(FAMILIES) == {"as_of", "sources", "note"}
