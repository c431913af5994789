"""Log buckets, metrics, dashboards and uptime checks in the embedded Google Cloud, refused as Google would."""

import json
from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.providers.cloud import CloudError
from support.plugin import Json, Plugin

BUCKET = "logging/projectBucketConfig:ProjectBucketConfig"
SINK = "logging/projectSink:ProjectSink"
EXCLUSION = "logging/projectExclusion:ProjectExclusion"
METRIC = "logging/metric:Metric"
BOARD = "monitoring/dashboard:Dashboard"
UPTIME = "monitoring/uptimeCheckConfig:UptimeCheckConfig"
HOME: Json = {"project": "acme", "location": "europe-west4", "bucketId": "chat"}
SPREAD: Json = {"metricKind": "DELTA", "valueType": "DISTRIBUTION"}
SEEN: Json = {"name": "a/b", "filter": "x=1", "metricDescriptor": SPREAD, "valueExtractor": "EXTRACT(jsonPayload.x)"}  # fmt: skip
CHECK: Json = {
    "displayName": "chat", "timeout": "10s", "httpCheck": {"path": "/"},
    "monitoredResource": {"type": "uptime_url", "labels": {"host": "a.example"}},
}  # fmt: skip


@pytest.fixture
def google(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, "gcp", {"project": "acme"})


def board(**changed: Any) -> Json:
    return {"dashboardJson": json.dumps({"displayName": "chat", "gridLayout": {}, **changed})}


@pytest.mark.parametrize(
    ("kind", "inputs", "text"),
    [
        (BUCKET, {**HOME, "location": "mars"}, "Invalid location: mars"),
        (BUCKET, {**HOME, "bucketId": "a b"}, "Invalid bucket ID"),
        (BUCKET, {**HOME, "retentionDays": 4000}, "retention_days must be between"),
        (SINK, {"name": "s", "destination": "somewhere"}, "Invalid destination"),
        (SINK, {"name": "s", "destination": "logging.googleapis.com/projects/acme/locations/eu/buckets/x"}, "does not exist"),
        (METRIC, {**SEEN, "name": "/a"}, "Invalid metric name"),
        (METRIC, {**SEEN, "name": "a" * 101}, "Invalid metric name"),
        (METRIC, {**SEEN, "valueExtractor": None}, "value_extractor is required for a DISTRIBUTION"),
        (METRIC, {**SEEN, "valueExtractor": "jsonPayload.x"}, "Invalid extractor"),
        (METRIC, {**SEEN, "labelExtractors": {"model": "EXTRACT(jsonPayload.m)"}}, "every label of metric_descriptor"),
        (METRIC, {**SEEN, "bucketOptions": {"explicitBuckets": {"bounds": [2, 1]}}}, "bounds must increase"),
        (METRIC, {"name": "n", "filter": "x=1", "bucketOptions": {"explicitBuckets": {"bounds": [1]}}}, "only allowed for a DISTRIBUTION"),
        (BOARD, board(displayName=""), "Field displayName is required"),
        (BOARD, board(mosaicLayout={"columns": 12}), "Exactly one layout"),
        (BOARD, {"dashboardJson": json.dumps({"displayName": "c", "mosaicLayout": {"columns": 12, "tiles": [{"xPos": 8, "width": 6, "widget": {"title": "t"}}]}})}, "does not fit in 12 columns"),
        (UPTIME, {**CHECK, "timeout": "61s"}, "timeout must be between 1 and 60 seconds"),
        (UPTIME, {**CHECK, "period": "120s"}, "period must be one of"),
        (UPTIME, {**CHECK, "selectedRegions": ["EUROPE"]}, "a minimum of 3 locations"),
        (UPTIME, {**CHECK, "monitoredResource": {"type": "uptime_url", "labels": {}}}, "must have host"),
    ],
)  # fmt: skip
def test_what_google_refuses_of_watching_is_refused(
    google: Plugin, kind: str, inputs: Json, text: str
) -> None:
    with pytest.raises(CloudError) as caught:
        google.create(
            kind, "it", {key: value for key, value in inputs.items() if value is not None}
        )
    assert text in str(caught.value)
    assert google.store.all() == []


def test_lines_are_led_to_a_bucket_that_is_there_and_left_out_of_the_default_one(
    google: Plugin,
) -> None:
    home = google.create(BUCKET, "home", HOME)
    assert home.id == "projects/acme/locations/europe-west4/buckets/chat"
    google.create(SINK, "s", {"name": "s", "destination": f"logging.googleapis.com/{home.id}"})
    for number in range(10):
        google.create(EXCLUSION, f"e{number}", {"name": f"e{number}", "filter": "x=1"})
    with pytest.raises(CloudError) as caught:
        google.create(EXCLUSION, "more", {"name": "more", "filter": "x=1"})
    assert "may not exceed 10" in str(caught.value)


def test_dashboards_and_checks_have_ids_that_google_makes_up(google: Plugin) -> None:
    first, second = (google.create(BOARD, name, board()) for name in ("one", "other"))
    assert first.id != second.id
    check = google.create(UPTIME, "up", CHECK)
    assert check.outputs["uptimeCheckId"] == check.id.rsplit("/", 1)[-1]
    assert google.create(METRIC, "m", SEEN).id == "a/b"


def test_a_dashboard_that_is_no_json_is_refused_by_the_provider_itself(google: Plugin) -> None:
    _, failures = google.check(BOARD, "it", {"dashboardJson": "{"})
    assert [path for path, _ in failures] == ["dashboardJson"]
