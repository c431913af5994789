"""Reading signals back through the clouds' own APIs: from stand-ins, and what is said when they refuse."""

import io
import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from portway.errors import Missing
from portway.observability import DURATION, FIRST_TOKEN, READINGS, TOKENS, prometheus_name
from portway.runtime.errors import bad_key
from portway.runtime.log import Record
from portway.runtime.signals import EmbeddedMetrics, LogLines, Signals
from portway.sandbox.dataplane.amazon_cloud import FUNCTION, ROLE
from portway.sandbox.dataplane.cloudwatch import CloudWatch
from portway.sandbox.dataplane.cloudwatch_logs import CloudWatchLogs
from portway.sandbox.dataplane.front import Exchange
from portway.sandbox.dataplane.log_entries import LogEntries
from portway.sandbox.dataplane.world import World
from portway.status.access import PROMETHEUS_VARIABLE, TOKEN_VARIABLES, Access
from portway.status.deployed import Embedded, LogBased, Logged, Metered, Scraped
from portway.status.figures import Figures, Used
from portway.status.read import read_meter, read_signals
from support.databases import REGION, ROLE_ARN, aws_row
from support.loop_thread import listening

HOUR = 3600
KEYS = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
LOG_BASED = LogBased("p", "europe-west4", "chat-prod", {each.name: each.name for each in READINGS})
SCRAPED = Scraped("prod-eu", "chat-prod", "chat")


def write_lines(file: Path, signals: Signals) -> None:
    """Two answers, the second streamed, and a wrong key."""
    out = io.StringIO()
    for tokens, first, error in ((5, None, None), (7, 0.25, None), (None, None, bad_key())):
        record = Record("r", "POST", "/v1/chat/completions", time.monotonic() - 0.5, status=200)
        record.model, record.provider = "ministral-3-8b", "aws.bedrock"
        record.prompt_tokens, record.completion_tokens = tokens and tokens * 2, tokens
        record.time_to_first_token_seconds = first
        if error is not None:
            record.fail(error)
        record.end()
        with redirect_stdout(out):
            signals.finish(record)
    file.write_text(out.getvalue())


@contextmanager
def amazon(folder: Path) -> Generator[Access]:
    rows = [
        aws_row(ROLE, "app", {"name": "app"}, {"arn": ROLE_ARN}),
        aws_row(FUNCTION, "chat-prod", {"name": "chat-prod"}),
    ]
    logs, now = LogEntries(folder), int(time.time())

    def world() -> World:
        return World(rows, folder)

    metrics = CloudWatch(world, logs, lambda _: {now - 120: 4, now - 60: 2})
    lines = CloudWatchLogs(world, logs)
    with listening(metrics.handle) as watch, listening(lines.handle) as kept:
        yield Access(
            aws={
                "cloudwatch": {"endpoint_url": watch, **KEYS},
                "logs": {"endpoint_url": kept, **KEYS},
            }
        )


EXPECTED = Figures(
    requests=3, errors={"invalid_api_key": 1}, first_token_p50_seconds=0.25,
    first_token_p95_seconds=0.25, input_tokens=24, output_tokens=12, instances=4,
)  # fmt: skip


@pytest.mark.parametrize(
    ("signals", "kept", "source"),
    [
        (
            EmbeddedMetrics("Portway/chat-prod"),
            Embedded(REGION, "Portway/chat-prod", "chat-prod"),
            "CloudWatch",
        ),
        (LogLines(), Logged(REGION, "/aws/lambda/chat-prod", "chat-prod"), "CloudWatch Logs"),
    ],
    ids=["embedded", "logged"],
)
def test_a_function_says_the_same_by_its_metrics_and_by_its_lines(
    tmp_path: Path, signals: Signals, kept: Embedded | Logged, source: str
) -> None:
    write_lines(tmp_path / "lambda-chat-prod.log", signals)
    with amazon(tmp_path) as access:
        read = read_signals(kept, HOUR, access)
    assert (read.source, read.figures) == (source, EXPECTED)


def test_a_function_that_nobody_asked_has_zeros(tmp_path: Path) -> None:
    with amazon(tmp_path) as access:
        read = read_signals(Embedded(REGION, "Portway/chat-prod", "chat-prod"), HOUR, access)
    assert read.figures == Figures(instances=4)


def test_a_log_group_that_is_not_there_is_said_without_the_sdks_traceback(tmp_path: Path) -> None:
    with amazon(tmp_path) as access, pytest.raises(Missing) as refused:
        read_signals(Logged(REGION, "/aws/lambda/other", "other"), HOUR, access)
    assert "CloudWatch Logs cannot be read: ResourceNotFoundException" in str(refused.value)


def test_a_cloud_that_is_not_reached_is_said(tmp_path: Path) -> None:
    nowhere = {
        name: {"endpoint_url": "http://127.0.0.1:9", **KEYS} for name in ("cloudwatch", "logs")
    }
    with pytest.raises(Missing, match="CloudWatch cannot be read: EndpointConnectionError"):
        read_signals(Embedded(REGION, "N", "chat-prod"), HOUR, Access(aws=nowhere))


@contextmanager
def answering(answer: Callable[[Exchange], tuple[int, Any]]) -> Generator[str]:
    async def handle(exchange: Exchange) -> None:
        status, body = answer(exchange)
        await exchange.reply(status, body if isinstance(body, str) else json.dumps(body))

    with listening(handle) as address:
        yield address


def test_a_distribution_in_several_pages_series_and_revisions_adds_up() -> None:
    asked: list[str] = []

    def answer(exchange: Exchange) -> tuple[int, Any]:
        query = dict(httpx.QueryParams(exchange.query))
        asked.append(exchange.header("authorization") or "")
        if "instance_count" in query["filter"]:
            points = [{"value": {"int64Value": "2"}}, {"value": {"int64Value": "9"}}]
            return 200, {"timeSeries": [{"points": points}, {"points": points[:1]}]}
        name = query["filter"].split('"')[1].rpartition("/")[2]
        bounds = {"explicitBuckets": {"bounds": [1, 2]}}
        found = {"count": "2", "mean": 1.5, "bucketOptions": bounds, "bucketCounts": ["0", "2"]}
        labels = {"error_type": "invalid_api_key"} if query.get("pageToken") else {}
        series = {
            "metric": {"labels": labels if name == DURATION.name else {}},
            "points": [{"value": {"distributionValue": found}}],
        }
        more = {} if query.get("pageToken") else {"nextPageToken": "again"}
        return 200, {"timeSeries": [series], **more}

    with answering(answer) as address:
        access = Access(monitoring=address, google_token="t")
        read = read_signals(LOG_BASED, HOUR, access)
    assert read.figures == Figures(
        requests=4, errors={"invalid_api_key": 2}, first_token_p50_seconds=1.5,
        first_token_p95_seconds=1.95, input_tokens=6, output_tokens=6, instances=4,
    )  # fmt: skip
    assert set(asked) == {"Bearer t"}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, {"error": {"message": "no role"}}, "refused with 403: no role"),
        (500, "<html>", "answered 500 with no JSON object"),
        (200, "[1]", "answered 200 with no JSON object"),
        (401, {}, "refused with 401: it did not say why"),
    ],
)
def test_what_a_store_refuses_is_one_sentence_without_the_token(
    status: int, body: Any, said: str
) -> None:
    with answering(lambda _: (status, body)) as address, pytest.raises(Missing) as refused:
        read_signals(LOG_BASED, HOUR, Access(monitoring=address, google_token="secret-token"))
    assert said in str(refused.value)
    assert "secret-token" not in str(refused.value)


def test_metrics_that_have_no_data_yet_are_zeros() -> None:
    with answering(lambda _: (404, {"error": {"message": "Cannot find metric(s)"}})) as address:
        read = read_signals(LOG_BASED, HOUR, Access(monitoring=address, google_token="t"))
    assert read.figures == Figures()


def vector(**values: float) -> dict[str, Any]:
    result: Any = [{"metric": {}, "value": [0, str(value)]} for value in values.values()]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def test_a_prometheus_is_asked_for_this_services_pods_only() -> None:
    asked: list[str] = []

    def answer(exchange: Exchange) -> tuple[int, Any]:
        query = httpx.QueryParams(exchange.query)["query"]
        asked.append(query)
        return 200, vector(x=2.6)

    with answering(answer) as address:
        read = read_signals(SCRAPED, 900, Access(prometheus={"": f"{address}/"}))
    assert (read.source, read.figures.requests, read.figures.instances) == ("Prometheus", 3, 3)
    assert all('{namespace="chat-prod",pod=~"chat-.*"}' in query for query in asked)
    assert {prometheus_name(each) for each in (DURATION, FIRST_TOKEN, TOKENS)} == {
        name for name in map(prometheus_name, (DURATION, FIRST_TOKEN, TOKENS))
        if any(name in query for query in asked)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, {}, "there is no Prometheus at"),
        (200, '{"data": {"result": [{"value": []}]}}', "is no Prometheus: it gave no vector"),
        (400, {"error": "parse error"}, "refused with 400: parse error"),
    ],
)
def test_what_is_no_prometheus_is_said_to_be_none(status: int, body: Any, said: str) -> None:
    with answering(lambda _: (status, body)) as address, pytest.raises(Missing, match=said):
        read_signals(SCRAPED, HOUR, Access(prometheus={"prod-eu": address}))


def test_a_prometheus_that_nobody_named_is_asked_for_by_name() -> None:
    with pytest.raises(Missing, match=f"give --prometheus URL, or set {PROMETHEUS_VARIABLE}"):
        read_signals(SCRAPED, HOUR, Access())


def test_a_token_is_the_one_given_or_the_users_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in TOKEN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        Missing, match="install gcloud and log in, or set GOOGLE_OAUTH_ACCESS_TOKEN"
    ):
        Access().token()
    program = tmp_path / "gcloud"
    program.write_text("#!/bin/sh\necho from-gcloud\n")
    program.chmod(0o755)
    assert Access().token() == "from-gcloud"
    program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(Missing, match="run `gcloud auth login`"):
        Access().token()
    monkeypatch.setenv(TOKEN_VARIABLES[0], "from-environment")
    assert Access().token() == "from-environment"
    assert Access(google_token="given").token() == "given"


def test_the_meters_month_is_read_where_it_is_kept() -> None:
    store = {"kind": "firestore", "project": "p", "database": "d", "collection": "meters"}
    asked: list[str] = []

    def answer(exchange: Exchange) -> tuple[int, Any]:
        asked.append(exchange.path)
        return 200, {"fields": {"requests": {"integerValue": "3"}}}

    with answering(answer) as address:
        access = Access(firestore=address, google_token="t")
        used = read_meter(
            Metered("chat", store, {"requests": 5}), access, datetime(2026, 11, 2, tzinfo=UTC)
        )
    assert asked == ["/v1/projects/p/databases/d/documents/meters/chat.2026-11"]
    assert used == Used("2026-11", {"requests": 3, "tokens": 0, "micro_usd": 0}, {"requests": 5})


def test_a_month_that_has_no_counters_yet_is_zero() -> None:
    store = {"kind": "firestore", "project": "p", "database": "d", "collection": "meters"}
    with answering(lambda _: (404, {})) as address:
        access = Access(firestore=address, google_token="t")
        used = read_meter(Metered("chat", store, {}), access)
    assert set(used.counted.values()) == {0}


@pytest.mark.parametrize(
    ("store", "said"),
    [({"kind": "valkey"}, "inside the cluster"), ({"kind": "firestore"}, "names no 'project'")],
)
def test_a_meter_that_cannot_be_read_from_here_says_why(store: dict[str, str], said: str) -> None:
    with pytest.raises(Missing, match=said):
        read_meter(Metered("chat", store, {}), Access(google_token="t"))
