"""How a service on Cloud Run is watched: four signals, one dashboard, a question from outside, its log."""

import json
import re
from typing import Any

import pytest

from portway.observability import PANELS, READINGS, SIGNALS
from portway.targets.cloud_run.shapes import CloudRunPlan
from support import builders, golden

METRIC = "gcp:logging/metric:Metric"
BOARD = "gcp:monitoring/dashboard:Dashboard"
UPTIME = "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig"
ALERT = "gcp:monitoring/alertPolicy:AlertPolicy"
MEMBER = "gcp:cloudrunv2/serviceIamMember:ServiceIamMember"
WARM = {"min": 1, "max": 2, "concurrency": 8}
ACCOUNT = "01AB23-45CD67-89EF01"


def planned(options: dict[str, Any] | None = None, **spec: Any) -> CloudRunPlan:
    place = builders.placement("cloud-run", options=options or {})
    plan = builders.plan(builders.spec(**{"scaling": WARM, **spec}), place)
    assert isinstance(plan, CloudRunPlan)
    return plan


def test_every_number_of_the_request_line_becomes_a_distribution_of_this_service_alone() -> None:
    found = {one.inputs["name"]: one for one in golden.deployed(planned()).of(METRIC)}
    made = [found[f"portway/chat-prod/{reading.name}"] for reading in READINGS]
    assert len(found) == len(READINGS)
    for one, reading in zip(made, READINGS, strict=True):
        given = one.inputs
        assert given["valueExtractor"] == f"EXTRACT(jsonPayload.{reading.field})"
        assert given["bucketOptions"]["explicitBuckets"]["bounds"] == list(
            reading.instrument.boundaries
        )
        assert 'resource.labels.service_name="chat-prod"' in given["filter"]
        assert 'jsonPayload.operation="chat"' in given["filter"]
        labels = {label["key"] for label in given["metricDescriptor"]["labels"]}
        assert labels == set(given["labelExtractors"])
        assert len(labels) == len(reading.attributes)


def test_the_longest_name_of_a_service_still_names_metrics_that_google_takes() -> None:
    place = builders.placement("cloud-run", environment="e" * 60)
    plan = builders.plan(builders.spec(name="s" * 40), place)
    assert isinstance(plan, CloudRunPlan)
    names = [metric.name for metric in plan.log_metrics]
    assert max(map(len, names)) <= 100
    assert len(set(names)) == len(READINGS)


def test_the_dashboard_shows_every_panel_from_metrics_that_are_made() -> None:
    made = golden.deployed(planned())
    board = json.loads(made.one(BOARD).inputs["dashboardJson"])
    tiles = board["mosaicLayout"]["tiles"]
    assert [tile["widget"]["title"] for tile in tiles][: len(PANELS)] == [
        one.title for one in PANELS
    ]
    known = {re.sub(r"\W", "_", one.inputs["name"]) for one in made.of(METRIC)}
    asked = set(
        re.findall(r"logging_googleapis_com:user_(\w+?)_(?:count|sum|bucket)\{", json.dumps(board))
    )
    assert asked == known
    places = [(tile["xPos"], tile["yPos"]) for tile in tiles]
    assert len(set(places)) == len(places)


def test_every_signal_has_a_chart() -> None:
    charts = {chart.title for chart in planned().dashboard.charts}
    assert {panel.title for panel in PANELS if panel.signal in SIGNALS} <= charts


def test_a_question_from_outside_needs_no_key_and_expects_to_be_refused() -> None:
    made = golden.deployed(planned({"uptime_check": True}))
    check = made.one(UPTIME).inputs["httpCheck"]
    assert check["path"] == "/v1/models"
    assert check["acceptedResponseStatusCodes"] == [{"statusValue": 401}]
    assert {"body", "headers", "authInfo", "serviceAgentAuthentication"}.isdisjoint(check)
    assert made.of(ALERT) == ()


def test_where_iam_decides_google_asks_with_a_token_and_is_let_in() -> None:
    iam = {"auth": "iam", "reach": "public"}
    options = {"uptime_check": True, "invokers": ["group:ml@acme.example"]}
    made = golden.deployed(planned(options, access=iam))
    check = made.one(UPTIME).inputs["httpCheck"]
    assert check["serviceAgentAuthentication"] == {"type": "OIDC_TOKEN"}
    assert check["acceptedResponseStatusCodes"] == [{"statusValue": 200}]
    callers = [member.inputs["member"] for member in made.of(MEMBER)]
    assert callers[-1].endswith("@gcp-sa-monitoring-notification.iam.gserviceaccount.com")


def test_an_alert_on_the_question_names_the_question_by_google_s_own_id() -> None:
    budget = {"monthly_usd": 3000, "alert_emails": ["ml@acme.example"]}
    options = {"uptime_check": True, "billing_account": ACCOUNT}
    made = golden.deployed(planned(options, budget=budget))
    (alert,) = [one for one in made.of(ALERT) if one.name == "chat-unreachable"]
    query = alert.inputs["conditions"][0]["conditionPrometheusQueryLanguage"]["query"]
    assert "CHECK_ID" not in query
    assert re.search(r'check_id="[^"]+"', query)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"scaling": {"min": 0, "max": 1, "concurrency": 8}}, "keeps an instance from ever going"),
        ({"access": {"auth": "api-key", "reach": "private"}}, "Google asks from the internet"),
    ],
)
def test_a_question_that_would_wake_the_service_or_never_reach_it_is_refused(
    spec: dict[str, Any], why: str
) -> None:
    place = builders.placement("cloud-run", options={"uptime_check": True})
    found = builders.outcome(builders.spec(**{"scaling": WARM, **spec}), place)
    assert isinstance(found, tuple)
    assert [problem.path for problem in found] == ["placement.options.uptime_check"]
    assert why in found[0].message


def test_a_log_bucket_takes_the_lines_before_the_first_and_leaves_none_behind() -> None:
    made = golden.deployed(planned({"log_bucket": {"retention_days": 14}}))
    bucket = made.one("gcp:logging/projectBucketConfig:ProjectBucketConfig")
    sink = made.one("gcp:logging/projectSink:ProjectSink")
    exclusion = made.one("gcp:logging/projectExclusion:ProjectExclusion")
    assert (bucket.inputs["location"], bucket.inputs["retentionDays"]) == ("europe-west4", 14)
    assert sink.inputs["filter"] == exclusion.inputs["filter"]
    assert sink.inputs["destination"].startswith("logging.googleapis.com/")
    service = made.one("gcp:cloudrunv2/service:Service")
    assert {bucket.name, sink.name, exclusion.name} <= set(service.depends_on)


@pytest.mark.parametrize("days", [0, 31])
def test_a_retention_that_google_refuses_or_bills_by_the_month_is_refused(days: int) -> None:
    place = builders.placement("cloud-run", options={"log_bucket": {"retention_days": days}})
    found = builders.outcome(builders.spec(), place)
    assert isinstance(found, tuple)
    assert [problem.path for problem in found] == ["placement.options.log_bucket.retention_days"]


def test_a_service_with_a_boundary_is_told_where_its_log_goes() -> None:
    def told(options: dict[str, Any], **spec: Any) -> bool:
        return any("_Default log bucket" in note for note in planned(options, **spec).notes)

    assert [told({}), told({}, residency=None), told({"log_bucket": {}})] == [True, False, False]
