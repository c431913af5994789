"""What dashboards are drawn from is what the runtime reports: two tables, one truth."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from portway.observability import (
    DURATION,
    EMF_DIMENSIONS,
    EMF_ERROR_DIMENSIONS,
    INSTRUMENTS,
    OPERATION,
    OPERATION_FIELD,
    PANELS,
    READINGS,
    SIGNALS,
    Instrument,
    emf_variable,
    label_name,
    log_metric_name,
    prometheus_name,
    prometheus_variable,
    provider_name,
)
from portway.runtime.config import read_config
from portway.runtime.errors import bad_key
from portway.runtime.log import Record
from portway.runtime.scrapes import Scraped
from portway.runtime.signals import EmbeddedMetrics
from support.runtime_process import environment


def failed() -> Record:
    record = Record("req-1", "POST", "/v1/chat/completions", status=401)
    record.model, record.provider = "ministral-3-8b", "aws.bedrock"
    record.prompt_tokens, record.completion_tokens = 3, 4
    record.time_to_first_token_seconds = 0.1
    record.fail(bad_key())
    record.end()
    return record


def test_the_names_units_and_buckets_are_those_of_the_conventions() -> None:
    assert {each.name: each.unit for each in INSTRUMENTS} == {
        "gen_ai.server.request.duration": "s",
        "gen_ai.server.time_to_first_token": "s",
        "gen_ai.client.token.usage": "{token}",
    }
    assert all(each.boundaries == tuple(sorted(set(each.boundaries))) for each in INSTRUMENTS)
    assert [each.key for each in SIGNALS] == ["requests", "errors", "first_token", "tokens"]
    assert {panel.signal.key for panel in PANELS} == {each.key for each in SIGNALS}


def test_every_field_that_a_store_reads_is_a_field_of_the_request_line() -> None:
    line = failed().line()
    assert line[OPERATION_FIELD] == OPERATION
    for reading in READINGS:
        assert isinstance(line[reading.field], int | float)
        assert {attribute for attribute, _ in reading.attributes} <= {
            *reading.instrument.attributes
        }
        assert all(isinstance(line[field], str) for _, field in reading.attributes)


def test_the_embedded_metrics_and_dimensions_are_those_that_are_declared() -> None:
    out = io.StringIO()
    with redirect_stdout(out):
        EmbeddedMetrics("Portway/chat-prod").finish(failed())
    usual, of_errors = json.loads(out.getvalue())["_aws"]["CloudWatchMetrics"]
    assert [each["Name"] for each in usual["Metrics"]] == [each.name for each in READINGS]
    assert usual["Dimensions"] == [list(EMF_DIMENSIONS)]
    assert of_errors["Dimensions"] == [list(EMF_ERROR_DIMENSIONS)]
    assert [each["Name"] for each in of_errors["Metrics"]] == [DURATION.name]


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda each: each.name)
def test_the_scraped_histograms_and_labels_are_those_that_are_declared(
    instrument: Instrument,
) -> None:
    env = environment("http://127.0.0.1:8000", Path("/keys"), **prometheus_variable(0))
    scraped = Scraped(read_config(env))
    with redirect_stdout(io.StringIO()):
        scraped.finish(failed())
    text = scraped.exposition().decode()
    scraped.close()
    families = {each.name: each for each in text_string_to_metric_families(text)}
    samples = families[prometheus_name(instrument)].samples
    bounds = {s.labels["le"] for s in samples if s.name.endswith("_bucket")}
    assert bounds == {*(repr(bound) for bound in instrument.boundaries), "+Inf"}
    assert {name for s in samples for name in s.labels} - {"le"} == {
        label_name(each) for each in instrument.attributes
    }
    providers = {s.labels["gen_ai_provider_name"] for s in samples}
    assert providers == {provider_name("http://127.0.0.1:8000")}


def test_the_runtime_understands_both_variables_and_agrees_on_the_provider() -> None:
    def told(upstream: str, variable: dict[str, str]) -> tuple[int | None, str | None, str]:
        env = environment(upstream, Path("/keys"), AWS_REGION="eu-west-1", **variable)
        config = read_config(env)
        return config.metrics_port, config.metrics_namespace, config.provider

    served, bedrock = "http://127.0.0.1:8000", "bedrock:eu.amazon.nova-lite-v1:0"
    assert told(served, prometheus_variable(9464)) == (9464, None, provider_name(served))
    assert told(bedrock, emf_variable("chat-prod")) == (
        None, "Portway/chat-prod", provider_name(bedrock),
    )  # fmt: skip


def test_two_stacks_of_a_project_never_share_a_log_based_metric() -> None:
    names = {log_metric_name(s, r) for s in ("chat-prod", "chat-staging") for r in READINGS}
    assert len(names) == 2 * len(READINGS)
    assert all(not name.startswith("/") and len(name) <= 100 for name in names)
