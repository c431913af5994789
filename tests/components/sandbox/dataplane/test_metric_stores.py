"""CloudWatch, Cloud Monitoring and Prometheus of the sandbox, over what a runtime's lines say."""

import io
import json
import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.observability import (
    DURATION,
    EMF_DIMENSIONS,
    READINGS,
    TOKENS,
    Reading,
    label_name,
    log_metric_name,
)
from portway.runtime.errors import WireError, bad_key, too_long
from portway.runtime.log import Record
from portway.runtime.signals import EmbeddedMetrics
from portway.sandbox.dataplane import cbor
from portway.sandbox.dataplane.amazon_cloud import FUNCTION, ROLE, ROLE_POLICY, credentials
from portway.sandbox.dataplane.cloudwatch import CloudWatch, statistic
from portway.sandbox.dataplane.google_cloud import SERVICE
from portway.sandbox.dataplane.log_entries import MOST_ENTRIES, LogEntries, read_entry
from portway.sandbox.dataplane.log_metrics import METRIC, BadFilter, read_filter
from portway.sandbox.dataplane.metadata import access_token
from portway.sandbox.dataplane.monitoring import Monitoring
from portway.sandbox.dataplane.prometheus import read_exposition
from portway.sandbox.dataplane.promql import BadQuery, Series, evaluate
from portway.sandbox.dataplane.world import World
from portway.sandbox.store import Row
from support.databases import ACCOUNT, PROJECT, REGION, ROLE_ARN, aws_row, google_row
from support.loop_thread import listening

NAMESPACE = "Portway/chat-prod"
WHOSE = [
    {"Name": "gen_ai.operation.name", "Value": "chat"},
    {"Name": "gen_ai.provider.name", "Value": "aws.bedrock"},
    {"Name": "gen_ai.request.model", "Value": "ministral-3-8b"},
]


def lines() -> str:
    """What a runtime wrote: two answers (one streamed), two refusals, and a list of models."""
    out = io.StringIO()
    signals = EmbeddedMetrics(NAMESPACE)

    def asked(path: str = "/v1/chat/completions", error: WireError | None = None, **values: Any):  # noqa: ANN202
        record = Record("req-1", "POST", path, time.monotonic() - 0.3, status=200)
        record.model, record.provider = "ministral-3-8b", "aws.bedrock"
        for name, value in values.items():
            setattr(record, name, value)
        if error is not None:
            record.fail(error)
        record.end()
        with redirect_stdout(out):
            signals.finish(record)

    asked(prompt_tokens=10, completion_tokens=5)
    asked(prompt_tokens=20, completion_tokens=7, time_to_first_token_seconds=0.2)
    asked(error=bad_key())
    asked(error=too_long("Too long."))
    asked("/v1/models")
    return f"a line of a library\n{out.getvalue()}{{not json"


class Clouds:
    """Rows that a test may change, and the log folder."""

    def __init__(self, folder: Path) -> None:
        self.logs = folder
        self.rows: list[Row] = []

    def world(self) -> World:
        return World(self.rows, self.logs)


@pytest.fixture
def clouds(tmp_path: Path) -> Clouds:
    return Clouds(tmp_path)


@pytest.fixture
def cloudwatch(clouds: Clouds) -> Generator[Callable[[], Any]]:
    (clouds.logs / "lambda-chat-prod.log").write_text(lines())
    allow = {"Effect": "Allow", "Action": "cloudwatch:*", "Resource": "*"}
    clouds.rows += [
        aws_row(ROLE, "app", {"name": "app"}, {"arn": ROLE_ARN}),
        aws_row(FUNCTION, "chat-prod", {"name": "chat-prod"}),
        aws_row(ROLE_POLICY, "p", {"role": "app", "policy": json.dumps({"Statement": [allow]})}),
    ]
    store = CloudWatch(clouds.world, LogEntries(clouds.logs), lambda _: {60: 3, 120: 2})
    clients: list[Any] = []
    with listening(store.handle) as address:

        def client() -> Any:
            keys = credentials(ROLE_ARN)
            made: Any = botocore.session.Session().create_client(  # pyright: ignore[reportUnknownMemberType] - the SDK has no types
                "cloudwatch", region_name=REGION, endpoint_url=address,
                aws_access_key_id=keys.access_key_id,
                aws_secret_access_key=keys.secret_access_key,
                config=Config(retries={"total_max_attempts": 1}),
            )  # fmt: skip
            clients.append(made)
            return made

        yield client
        for each in clients:
            each.close()


def metric_data(client: Any, name: str, stat: str, dimensions: Any = WHOSE, **more: Any) -> Any:
    metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
    query = {
        "Id": "q",
        "MetricStat": {"Metric": {**metric, **more}, "Period": 3600, "Stat": stat},
    }
    now = datetime.now(UTC)
    answer = client.get_metric_data(
        MetricDataQueries=[query],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
    )
    return sum(answer["MetricDataResults"][0]["Values"])


def test_cloudwatch_counts_what_a_function_wrote_into_its_log(cloudwatch: Any) -> None:
    client = cloudwatch()
    assert metric_data(client, DURATION.name, "SampleCount") == 4
    assert metric_data(client, f"{TOKENS.name}.input", "Sum") == 30
    assert metric_data(client, f"{TOKENS.name}.output", "Sum") == 12
    assert metric_data(client, "gen_ai.server.time_to_first_token", "p95") == 0.2
    refused = [*WHOSE, {"Name": "error.type", "Value": "invalid_api_key"}]
    assert metric_data(client, DURATION.name, "SampleCount", refused) == 1


def test_cloudwatch_lists_the_error_classes_that_occurred(cloudwatch: Any) -> None:
    found = cloudwatch().list_metrics(
        Namespace=NAMESPACE, MetricName=DURATION.name, Dimensions=[{"Name": "error.type"}]
    )["Metrics"]
    classes = {d["Value"] for m in found for d in m["Dimensions"] if d["Name"] == "error.type"}
    assert classes == {"invalid_api_key", "context_length_exceeded"}
    names = cloudwatch().list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert {metric["MetricName"] for metric in names} == {each.name for each in READINGS}
    sets = {frozenset(d["Name"] for d in metric["Dimensions"]) for metric in names}
    assert sets == {frozenset(EMF_DIMENSIONS), frozenset((*EMF_DIMENSIONS, "error.type"))}


def test_cloudwatch_knows_how_many_executions_there_were_at_once(cloudwatch: Any) -> None:
    whose = [{"Name": "FunctionName", "Value": "chat-prod"}]
    metric = {"Namespace": "AWS/Lambda", "MetricName": "ConcurrentExecutions", "Dimensions": whose}
    query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}
    start = datetime.fromtimestamp(0, UTC)
    answer = cloudwatch().get_metric_data(
        MetricDataQueries=[query], StartTime=start, EndTime=start + timedelta(hours=1)
    )
    assert answer["MetricDataResults"][0]["Values"] == [2, 3]


def test_cloudwatch_refuses_whom_no_policy_allows_and_what_it_cannot(
    cloudwatch: Any, clouds: Clouds
) -> None:
    with pytest.raises(ClientError, match="Stat is not supported"):
        metric_data(cloudwatch(), DURATION.name, "TM(1:2)")
    with pytest.raises(ClientError, match="has ListMetrics and GetMetricData only"):
        cloudwatch().describe_alarms()
    del clouds.rows[-1]
    with pytest.raises(ClientError, match=r"not authorized to perform: cloudwatch:ListMetrics"):
        cloudwatch().list_metrics()


def test_a_percentile_is_a_value_that_was_reported() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [statistic(name, values) for name in ("p50", "p95", "p100", "Average")] == [
        50, 95, 100, 50.5,
    ]  # fmt: skip


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=60)
@given(_JSON)
def test_cbor_reads_what_it_writes(value: Any) -> None:
    assert cbor.decode(cbor.encode(value)) == value


@given(st.binary(max_size=40))
def test_cbor_of_anybody_is_read_or_refused(data: bytes) -> None:
    try:
        cbor.decode(data)
    except (cbor.Malformed, TypeError, ValueError):
        return


def log_metric(reading: Reading) -> Row:
    labels = {label_name(name): f"EXTRACT(jsonPayload.{f})" for name, f in reading.attributes}
    inputs = {
        "name": log_metric_name("chat-prod", reading),
        "filter": 'resource.type="cloud_run_revision" AND resource.labels.service_name="chat-prod" '
        f'AND resource.labels.location="europe-west4" AND jsonPayload.operation="chat" '
        f"AND jsonPayload.{reading.field} >= 0",
        "valueExtractor": f"EXTRACT(jsonPayload.{reading.field})",
        "labelExtractors": labels,
        "metricDescriptor": {"metricKind": "DELTA", "valueType": "DISTRIBUTION", "unit": "1"},
        "bucketOptions": {"explicitBuckets": {"bounds": list(reading.instrument.boundaries)}},
    }
    return google_row(METRIC, log_metric_name("chat-prod", reading), inputs)


@contextmanager
def monitored(clouds: Clouds) -> Generator[Callable[..., httpx.Response]]:
    (clouds.logs / "cloud-run-chat-prod.log").write_text(lines())
    inputs = {"name": "chat-prod", "location": "europe-west4"}
    id_ = f"projects/{PROJECT}/locations/europe-west4/services/chat-prod"
    clouds.rows += [google_row(SERVICE, id_, inputs), *map(log_metric, READINGS)]
    accounts = {access_token(ACCOUNT): ACCOUNT}
    running = {str(clouds.rows[0].key): 2}
    store = Monitoring(clouds.world, LogEntries(clouds.logs), accounts.get, lambda: running)
    with listening(store.handle) as address:

        def ask(filter_text: str, token: str = "sandbox", **more: str) -> httpx.Response:
            now = datetime.now(UTC)
            query = {
                "filter": filter_text,
                "interval.startTime": (now - timedelta(hours=1)).isoformat(),
                "interval.endTime": (now + timedelta(minutes=1)).isoformat(),
                "aggregation.alignmentPeriod": "3660s",
                "aggregation.perSeriesAligner": "ALIGN_DELTA",
                **more,
            }
            return httpx.get(
                f"{address}/v3/projects/{PROJECT}/timeSeries",
                params=query, headers={"authorization": f"Bearer {token}"},
            )  # fmt: skip

        yield ask


def typed(name: str) -> str:
    return f'metric.type="logging.googleapis.com/user/portway/chat-prod/{name}"'


def distributions(answer: httpx.Response, label: str = "error_type") -> dict[str, Any]:
    return {
        series["metric"]["labels"].get(label, ""): point["value"]["distributionValue"]
        for series in answer.json()["timeSeries"]
        for point in series["points"]
    }


def test_monitoring_makes_of_log_lines_what_the_deployed_metrics_say(clouds: Clouds) -> None:
    with monitored(clouds) as ask:
        found = distributions(ask(typed(DURATION.name)))
        tokens = distributions(ask(typed(f"{TOKENS.name}.input")))[""]
    assert {name: value["count"] for name, value in found.items()} == {
        "": "2",
        "invalid_api_key": "1",
        "context_length_exceeded": "1",
    }
    assert found[""]["bucketOptions"]["explicitBuckets"]["bounds"] == list(DURATION.boundaries)
    assert sum(map(int, found[""]["bucketCounts"])) == 2
    assert (tokens["count"], tokens["mean"]) == ("2", 15.0)


def test_monitoring_counts_only_what_a_deployed_filter_takes(clouds: Clouds) -> None:
    with monitored(clouds) as ask:
        clouds.rows[1].inputs["filter"] += ' AND jsonPayload.error="invalid_api_key"'
        assert set(distributions(ask(typed(DURATION.name)))) == {"invalid_api_key"}
        del clouds.rows[1]
        missing = ask(typed(DURATION.name))
    assert (missing.status_code, missing.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_monitoring_knows_how_many_instances_run(clouds: Clouds) -> None:
    metric = 'metric.type="run.googleapis.com/container/instance_count"'
    with monitored(clouds) as ask:
        one = ask(f'{metric} AND resource.labels.service_name="chat-prod"').json()["timeSeries"]
        other = ask(f'{metric} AND resource.labels.service_name="other"').json()["timeSeries"]
    assert ([s["points"][0]["value"] for s in one], other) == ([{"int64Value": "2"}], [])


@pytest.mark.parametrize(
    ("filter_text", "token", "more", "status"),
    [
        (typed(DURATION.name), "nobody", {}, 401),
        (typed(DURATION.name), access_token(ACCOUNT), {}, 403),
        ('resource.type="cloud_run_revision"', "sandbox", {}, 400),
        (f"{typed(DURATION.name)} OR x=1", "sandbox", {}, 400),
        (typed(DURATION.name), "sandbox", {"interval.endTime": "noon"}, 400),
        (typed(DURATION.name), "sandbox", {"aggregation.perSeriesAligner": "ALIGN_RATE"}, 501),
        (typed(DURATION.name), "sandbox", {"aggregation.crossSeriesReducer": "REDUCE_SUM"}, 501),
    ],
)
def test_monitoring_refuses_as_google_does(
    clouds: Clouds, filter_text: str, token: str, more: dict[str, str], status: int
) -> None:
    with monitored(clouds) as ask:
        answer = ask(filter_text, token, **more)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)


@pytest.mark.parametrize(
    ("filter_text", "holds"),
    [
        ('jsonPayload.a="x"', True),
        ('jsonPayload.a != "x"', False),
        ("jsonPayload.n >= 3 AND jsonPayload.n<4", True),
        ("jsonPayload.missing >= 0", False),
        ('jsonPayload.missing != "x"', True),
        ('jsonPayload.a:"X"', True),
        ('jsonPayload.a=~"^x$" jsonPayload.n=3', True),
        ('jsonPayload.quoted="say \\"hi\\""', True),
        ("jsonPayload.yes=true", True),
    ],
)
def test_a_filter_holds_where_logging_says_it_does(filter_text: str, holds: bool) -> None:  # noqa: FBT001
    entry = {"jsonPayload": {"a": "x", "n": 3, "quoted": 'say "hi"', "yes": True, "none": None}}
    assert all(each.holds(entry) for each in read_filter(filter_text)) is holds


@pytest.mark.parametrize("filter_text", ["a=1 OR b=2", "(a=1)", "NOT a=1", "a", 'a="open'])
def test_a_filter_that_cannot_be_read_is_refused(filter_text: str) -> None:
    with pytest.raises(BadFilter, match="cannot read the filter"):
        read_filter(filter_text)


def test_a_log_is_read_as_it_grows_and_again_when_it_begins_anew(tmp_path: Path) -> None:
    log, logs = tmp_path / "a.log", LogEntries(tmp_path)
    line = '{"time": "2026-11-22T09:00:00.000Z", "n": %d}\n'
    assert list(logs.of("a")) == []
    log.write_text(line % 1 + (line % 2)[:20])
    assert [entry.fields["n"] for entry in logs.of("a")] == [1]
    log.write_text(line % 1 + line % 2)
    assert [entry.fields["n"] for entry in logs.of("a")] == [1, 2]
    log.write_text(line % 3)
    assert [entry.fields["n"] for entry in logs.of("a")] == [3]
    log.write_text("".join(line % n for n in range(MOST_ENTRIES + 5)))
    assert len(logs.of("a")) == MOST_ENTRIES


@given(st.binary(max_size=60) | st.just(b"{" * 5000))
def test_a_line_of_anybody_is_an_entry_or_nothing(line: bytes) -> None:
    read_entry(b"{" + line)
    read_entry(line)


def counted() -> Series:
    series = Series()
    for at, good, bad in ((0.0, 0, None), (100.0, 4, None), (200.0, 6, 1), (300.0, 2, 1)):
        series.add("requests_count", {"pod": "a"}, at, good)
        if bad is not None:
            series.add("requests_count", {"pod": "a", "error_type": "x"}, at, bad)
    return series


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sum(increase(requests_count[300s]))", {(): 9.0}),
        ("sum(increase(requests_count[150s]))", {(): 5.0}),
        (
            'sum by (error_type) (increase(requests_count{pod=~"a.*"}[5m]))',
            {(): 8.0, (("error_type", "x"),): 1.0},
        ),
        ('increase(requests_count{error_type!=""}[1h])', {(("error_type", "x"), ("pod", "a")): 1}),
        (
            'rate(requests_count{error_type="x"}[5m])',
            {(("error_type", "x"), ("pod", "a")): 1 / 300},
        ),
        ('count(requests_count{error_type=""})', {(): 1.0}),
        ("sum(nothing)", {}),
    ],
)
def test_a_query_counts_exactly_also_over_a_reset(query: str, found: Any) -> None:
    assert evaluate(query, counted(), 300.0) == pytest.approx(found)


def test_what_is_scraped_no_more_is_not_now_and_still_counts() -> None:
    series = counted()
    series.end("pod", "a")
    assert evaluate("sum(requests_count)", series, 300.0) == {}
    assert evaluate("sum(increase(requests_count[300s]))", series, 300.0) == {(): 9.0}


def test_a_quantile_lies_inside_the_bucket_that_holds_it() -> None:
    series = Series()
    for upper, count in (("0.1", 0), ("0.2", 10), ("+Inf", 10)):
        series.add("t_bucket", {"le": upper, "pod": "a"}, 10.0, count)
        series.add("t_bucket", {"le": upper, "pod": "b"}, 10.0, 0)
    query = "histogram_quantile(0.95, sum by (le) (increase(t_bucket[1m])))"
    assert evaluate(query, series, 20.0)[()] == pytest.approx(0.195)
    empty = evaluate(query.replace("t_bucket", 't_bucket{pod="b"}'), series, 20.0)
    assert math.isnan(empty[()])


@pytest.mark.parametrize(
    "query", ["", "sum(", "sum(a) + 1", "increase(a)", 'a{b=}', "histogram_quantile(0.5, a[5m])"]
)  # fmt: skip
def test_a_query_that_is_not_known_is_refused(query: str) -> None:
    with pytest.raises(BadQuery):
        evaluate(query, counted(), 300.0)


def test_an_exposition_is_read_with_its_escapes() -> None:
    text = '# HELP a b\n# TYPE a counter\na{x="1\\"\\\\\\n",y="2"} 3.5\nb 1e3 1700000000000\n'
    assert read_exposition(text) == [
        ("a", {"x": '1"\\\n', "y": "2"}, 3.5),
        ("b", {}, 1000.0),
    ]
    with pytest.raises(ValueError, match="no sample"):
        read_exposition("<html>")
