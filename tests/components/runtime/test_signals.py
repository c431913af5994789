"""The signals of requests: as log lines, as CloudWatch's embedded metrics, and as a scrape."""

import ast
import http.client
import io
import json
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from portway.runtime.config import BadConfig, Config, read_config
from portway.runtime.errors import CLASSES, OTHER, WireError, bad_key, upstream_error
from portway.runtime.histogram import Histogram
from portway.runtime.log import Record
from portway.runtime.scrapes import CONTENT_TYPE, Scraped
from portway.runtime.signals import CannotListen, EmbeddedMetrics, LogLines, Signals, open_signals
from support.runtime_process import environment

RUNTIME = Path(__file__).parents[3] / "components" / "portway" / "runtime"
CHAT = "/v1/chat/completions"
WHOSE = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "aws.bedrock",
    "gen_ai.request.model": "ministral-3-8b",
}
# The schema that AWS publishes with the embedded metric format (CloudWatch user guide,
# "Specification: Embedded metric format").
NAME = {"type": "string", "minLength": 1, "maxLength": 1024}
UNITS = ["Seconds", "Microseconds", "Milliseconds", "Bytes", "Percent", "Count", "None"]
EMBEDDED = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "properties": {
                            "Namespace": NAME,
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "maxItems": 30,
                                    "items": {**NAME, "maxLength": 250},
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "properties": {"Name": NAME, "Unit": {"enum": UNITS}},
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}


def settings(**changes: str | None) -> Config:
    return read_config(environment("http://127.0.0.1:8000", Path("/keys"), **changes))


def over(path: str = CHAT, *, error: WireError | None = None, **values: Any) -> Record:
    """A request that is over."""
    record = Record("req-1", "POST", path, time.monotonic() - 0.3, status=200)
    record.model, record.provider = WHOSE["gen_ai.request.model"], WHOSE["gen_ai.provider.name"]
    for name, value in values.items():
        setattr(record, name, value)
    if error is not None:
        record.status = error.status
        record.fail(error)
    record.end()
    return record


def written(signals: Signals, *records: Record) -> list[dict[str, Any]]:
    out = io.StringIO()
    with redirect_stdout(out):
        for record in records:
            signals.finish(record)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def series(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


@contextmanager
def scraped() -> Generator[Scraped]:
    found = Scraped(settings(PORTWAY_METRICS="prometheus:0"))
    try:
        yield found
    finally:
        found.close()


def scrape(address: str | None, path: str = "/metrics") -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection(address or "", timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = answer.status, answer.getheader("content-type"), answer.read()
    connection.close()
    return found


def test_every_class_of_error_that_the_runtime_can_report_is_in_the_closed_set() -> None:
    found: set[str] = set()
    for path in RUNTIME.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func).rpartition(".")[2]
                codes = [k.value for k in node.keywords if k.arg == "code"]
                codes += node.args[2:3] if called == "invalid" else []
                found |= {str(c.value) for c in codes if isinstance(c, ast.Constant) and c.value}
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).endswith(".error"):
                found |= {str(node.value.value)} if isinstance(node.value, ast.Constant) else set()
    found.discard("None")
    assert found - CLASSES == set()
    assert len(found) > 20


def test_an_error_that_is_not_known_counts_as_other() -> None:
    strange = WireError(400, "No.", code="a_code_that_a_client_chose")
    (line,) = written(LogLines(), over(error=strange))
    assert line["error"] == OTHER


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        (CHAT, "chat"),
        (f"{CHAT}/", "chat"),
        ("/v1/chat%2Fcompletions", "chat"),
        ("/v1/models", None),
    ],
)
def test_only_requests_that_ask_the_model_carry_its_operation(
    path: str, operation: str | None
) -> None:
    assert over(path).line()["operation"] == operation


@given(
    first=st.none() | st.floats(0.001, 100),
    prompt=st.none() | st.integers(0, 10**6),
    completion=st.none() | st.integers(0, 10**6),
    error=st.none() | st.just(upstream_error("It failed.")),
)
def test_every_embedded_line_is_the_format_that_cloudwatch_takes(
    first: float | None, prompt: int | None, completion: int | None, error: WireError | None
) -> None:
    record = over(
        error=error,
        time_to_first_token_seconds=first, prompt_tokens=prompt, completion_tokens=completion,
    )  # fmt: skip
    (line,) = written(EmbeddedMetrics("Portway/chat-prod"), record)
    validator: Any = Draft202012Validator(EMBEDDED)
    assert [error.message for error in validator.iter_errors(line)] == []
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            assert isinstance(line[metric["Name"]], int | float), "a target member is a number"
        for dimension in directive["Dimensions"][0]:
            assert isinstance(line[dimension], str), "a dimension's value is text"
            assert line[dimension]


def test_an_embedded_line_has_one_dimension_set_and_one_more_for_a_failed_request() -> None:
    fine, failed = written(
        EmbeddedMetrics("Portway/chat-prod"),
        over(time_to_first_token_seconds=0.2, prompt_tokens=3, completion_tokens=4),
        over(error=bad_key()),
    )
    assert fine["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "Portway/chat-prod",
            "Dimensions": [list(WHOSE)],
            "Metrics": [
                {"Name": "gen_ai.server.request.duration", "Unit": "Seconds"},
                {"Name": "gen_ai.server.time_to_first_token", "Unit": "Seconds"},
                {"Name": "gen_ai.client.token.usage.input", "Unit": "Count"},
                {"Name": "gen_ai.client.token.usage.output", "Unit": "Count"},
            ],
        }
    ]
    assert {name: fine[name] for name in WHOSE} == WHOSE
    assert [d["Dimensions"] for d in failed["_aws"]["CloudWatchMetrics"]] == [
        [list(WHOSE)],
        [[*WHOSE, "error.type"]],
    ]
    assert failed["error.type"] == "invalid_api_key"


def test_what_is_no_chat_request_is_logged_and_not_counted() -> None:
    with scraped() as prometheus:
        before = prometheus.exposition()
        for signals in (EmbeddedMetrics("Portway/chat-prod"), prometheus):
            (line,) = written(signals, over("/v1/models"), over("/healthz"))
            assert (line["path"], "_aws" in line) == ("/v1/models", False)
        assert prometheus.exposition() == before


def test_a_scrape_holds_the_four_signals_as_histograms() -> None:
    with scraped() as prometheus:
        written(
            prometheus,
            over(time_to_first_token_seconds=0.2, prompt_tokens=3, completion_tokens=70),
            over(prompt_tokens=5, completion_tokens=1),
            over(error=bad_key()),
        )
        status, content_type, text = scrape(prometheus.address)
    assert (status, content_type) == (200, CONTENT_TYPE)
    kinds = {f.name: f.type for f in text_string_to_metric_families(text.decode())}
    assert set(kinds.values()) == {"histogram"}
    assert len(kinds) == 3
    whose = (
        ("gen_ai_operation_name", "chat"),
        ("gen_ai_provider_name", "vllm"),
        ("gen_ai_request_model", "ministral-3-8b"),
    )
    found = series(text)
    duration = "gen_ai_server_request_duration_seconds"
    assert found[(f"{duration}_count", whose)] == 2
    assert found[(f"{duration}_count", (("error_type", "invalid_api_key"), *whose))] == 1
    assert found[("gen_ai_server_time_to_first_token_seconds_count", whose)] == 1
    tokens = "gen_ai_client_token_usage"
    read, answered = ((*whose, ("gen_ai_token_type", kind)) for kind in ("input", "output"))
    assert (found[(f"{tokens}_sum", read)], found[(f"{tokens}_sum", answered)]) == (8, 71)
    assert found[(f"{tokens}_count", read)] == 2


def test_a_service_that_nobody_asked_yet_shows_zeros() -> None:
    with scraped() as prometheus:
        found = series(prometheus.exposition())
    assert set(found.values()) == {0.0}


def test_there_is_nothing_else_on_the_port_of_scrapes() -> None:
    with scraped() as prometheus:
        assert scrape(prometheus.address, "/v1/models")[0] == 404
        assert scrape(prometheus.address, "/metrics?all")[0] == 200


def test_a_scraper_that_goes_away_or_says_nonsense_leaves_the_port_open() -> None:
    with scraped() as prometheus:
        host, _, port = (prometheus.address or "").rpartition(":")
        for nonsense in (b"", b"GET", b"\xff\xfe\r\n\r\n", b"GET /metrics HTTP/1.1\r\n\r\n"):
            with socket.create_connection((host, int(port)), timeout=10) as client:
                client.sendall(nonsense)
        assert scrape(prometheus.address)[0] == 200


def test_a_port_that_is_taken_is_said_before_anything_is_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port} for scrapes"):
            open_signals(settings(PORTWAY_METRICS=f"prometheus:{port}"))


@given(
    values=st.lists(st.floats(0, 1e6), max_size=20),
    bounds=st.lists(st.floats(0.001, 1e6), min_size=1, max_size=8, unique=True).map(sorted),
    label=st.text(),
)
def test_a_histogram_is_read_back_as_it_was_counted(
    values: list[float], bounds: list[float], label: str
) -> None:
    histogram = Histogram("a_metric", 'A "help" with \\ and\nlines.', tuple(bounds))
    histogram.declare({"of": label})
    for value in values:
        histogram.observe({"of": label}, value)
    (family,) = text_string_to_metric_families("".join(histogram.lines()))
    assert (family.type, family.documentation) == ("histogram", 'A "help" with \\ and\nlines.')
    counted = {s.labels["le"]: s.value for s in family.samples if s.name == "a_metric_bucket"}
    assert {s.labels["of"] for s in family.samples} == {label}
    assert counted == {
        **{repr(bound): sum(value <= bound for value in values) for bound in bounds},
        "+Inf": len(values),
    }
    total = next(s.value for s in family.samples if s.name == "a_metric_sum")
    assert total == pytest.approx(sum(values))


@pytest.mark.parametrize(
    ("given_text", "read"),
    [
        (None, (None, None)),
        ("prometheus:9464", (9464, None)),
        ("emf:Portway/chat-prod", (None, "Portway/chat-prod")),
    ],
)
def test_the_variable_says_where_the_signals_go(
    given_text: str | None, read: tuple[int | None, str | None]
) -> None:
    config = settings(PORTWAY_METRICS=given_text)
    assert (config.metrics_port, config.metrics_namespace) == read


@pytest.mark.parametrize(
    ("given_text", "fault"),
    [
        ("prometheus", "prometheus:<port> or emf:"),
        ("prometheus:65536", "prometheus:<port> or emf:"),
        ("prometheus:9464 ", None),
        ("emf:", "prometheus:<port> or emf:"),
        ("emf:AWS/Lambda", "prometheus:<port> or emf:"),
        ("emf:a\tb", "prometheus:<port> or emf:"),
        ("statsd:8125", "prometheus:<port> or emf:"),
        ("prometheus:8080", "the service's own"),
    ],
)
def test_a_variable_that_means_nothing_is_refused_at_the_start(
    given_text: str, fault: str | None
) -> None:
    if fault is None:
        assert settings(PORTWAY_METRICS=given_text).metrics_port == 9464
        return
    with pytest.raises(BadConfig, match=fault):
        settings(PORTWAY_METRICS=given_text, PORT="8080")


def test_a_function_that_nobody_can_scrape_is_refused() -> None:
    with pytest.raises(BadConfig, match="nobody can scrape a function"):
        settings(PORTWAY_METRICS="prometheus:9464", AWS_LAMBDA_RUNTIME_API="127.0.0.1:9001")


def test_log_lines_are_the_default_and_no_line_names_a_metric() -> None:
    (line,) = written(open_signals(settings()), over(prompt_tokens=3))
    assert "_aws" not in line
    assert replace(settings(), metrics_namespace="N").provider == "vllm"
