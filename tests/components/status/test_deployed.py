"""What a stack's state says of its service: found by resource types, whatever else is in it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.observability import READINGS, emf_variable, log_metric_name, prometheus_variable
from portway.status.deployed import (
    Embedded,
    LogBased,
    Logged,
    Metered,
    Scraped,
    service_of,
)
from portway.status.figures import quantile

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}
METER = json.dumps(
    {"store": {"kind": "dynamodb", "table": "t", "region": "eu-west-1"}, "service": "chat",
     "limits": {"requests": 3}, "away": "refuse"}
)  # fmt: skip


def resource(kind: str, inputs: Any, outputs: Any = None, **more: Any) -> dict[str, Any]:
    name = kind.rpartition(":")[2]
    found = {"urn": f"urn:pulumi:a.b.c::portway::{kind}::{name}", "type": kind, "id": name}
    return {**found, "inputs": inputs, "outputs": outputs or {}, **more}


def stack() -> dict[str, Any]:
    outputs = {"service": "chat", "region": "eu-west-1", "apiKey": SECRET}
    return resource("pulumi:pulumi:Stack", {}, outputs, modified="2026-11-21T00:00:00Z")


def deployment(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resources": [stack(), *resources]}


def run_service() -> dict[str, Any]:
    env: Any = [{"name": "PORTWAY_SERVICE", "value": "chat"}, {"name": "SECRET", "valueSource": {}}]
    containers: Any = [{"envs": env}, {"envs": []}]
    place = {"project": "acme", "location": "europe-west4", "name": "chat-prod"}
    kind = "gcp:cloudrunv2/service:Service"
    inputs = {"template": {"containers": containers}}
    return resource(kind, inputs, place, modified="2026-11-22T08:00:00Z")


def function(**variables: Any) -> dict[str, Any]:
    arn = "arn:aws:lambda:eu-west-1:1:function:chat-prod"
    inputs = {"environment": {"variables": {"PORTWAY_SERVICE": "chat", **variables}}}
    return resource("aws:lambda/function:Function", inputs, {"arn": arn, "name": "chat-prod"})


def pods(**variables: str) -> dict[str, Any]:
    env = [{"name": n, "value": v} for n, v in {"PORTWAY_SERVICE": "chat", **variables}.items()]
    pod = {"containers": [{"name": "model"}], "initContainers": [{"env": env}]}
    inputs = {
        "metadata": {"namespace": "chat-prod", "name": "chat"},
        "spec": {"template": {"spec": pod}},
    }
    provider = "urn:pulumi:a.b.c::portway::pulumi:providers:kubernetes::kubernetes::some-id"
    return resource("kubernetes:apps/v1:Deployment", inputs, provider=provider)


def metrics() -> list[dict[str, Any]]:
    names = [log_metric_name("chat-prod", reading) for reading in READINGS]
    kind = "gcp:logging/metric:Metric"
    return [resource(kind, {"name": name}) for name in (*names, "somebody/elses")]


CLUSTER = resource("pulumi:providers:kubernetes", {"context": "prod-eu"})


@pytest.mark.parametrize(
    ("resources", "kept"),
    [
        (
            [run_service(), *metrics()],
            LogBased(
                "acme", "europe-west4", "chat-prod",
                {each.name: log_metric_name("chat-prod", each) for each in READINGS},
            ),
        ),
        ([run_service()], None),
        (
            [function(**emf_variable("chat-prod"))],
            Embedded("eu-west-1", "Portway/chat-prod", "chat-prod"),
        ),
        ([function()], Logged("eu-west-1", "/aws/lambda/chat-prod", "chat-prod")),
        ([CLUSTER, pods(**prometheus_variable(9464))], Scraped("prod-eu", "chat-prod", "chat")),
        ([CLUSTER, pods()], None),
    ],
    ids=["log-based", "no-metrics", "embedded", "logged", "scraped", "not-scraped"],
)  # fmt: skip
def test_where_the_signals_are_is_read_off_the_state(resources: Any, kept: Any) -> None:
    service = service_of(deployment(*resources))
    assert service is not None
    assert service.kept == kept


def test_a_stack_without_a_service_of_ours_has_none() -> None:
    bucket = resource("gcp:storage/bucket:Bucket", {"name": "a"})
    other = resource("aws:lambda/function:Function", {"environment": {"variables": {"A": "b"}}})
    gone = {**function(), "delete": True}
    for resources in ([], [bucket], [other], [gone]):
        assert service_of(deployment(*resources)) is None
    assert service_of({}) is None


def test_secrets_of_the_stack_stay_closed_and_the_newest_change_is_the_last() -> None:
    service = service_of(deployment(run_service()))
    assert service is not None
    assert service.outputs == {"service": "chat", "region": "eu-west-1"}
    assert service.last_change == "2026-11-22T08:00:00Z"


def test_the_meter_is_the_one_that_the_runtime_is_told_of() -> None:
    service = service_of(deployment(function(PORTWAY_METER=METER)))
    assert service is not None
    store = {"kind": "dynamodb", "table": "t", "region": "eu-west-1"}
    assert service.metered == Metered("chat", store, {"requests": 3})
    secret = service_of(deployment(function(PORTWAY_METER=SECRET)))
    assert secret is not None
    assert secret.metered is None


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "inputs", "outputs", "template", "containers", "envs", "name", "value",
             "environment", "variables", "PORTWAY_SERVICE", "spec", "metadata", "resources"]
        ), inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=50)
@given(
    st.sampled_from(
        ["gcp:cloudrunv2/service:Service", "aws:lambda/function:Function",
         "kubernetes:apps/v1:Deployment", "gcp:logging/metric:Metric", "pulumi:pulumi:Stack"]
    ), _ANY, _ANY,
)  # fmt: skip
def test_a_state_of_any_shape_is_read_without_a_fault(kind: str, inputs: Any, outputs: Any) -> None:
    service_of({"resources": [{"type": kind, "inputs": inputs, "outputs": outputs}, inputs]})
    service_of({"resources": inputs})


@settings(max_examples=50)
@given(
    st.lists(st.floats(0.001, 100), min_size=1, max_size=6, unique=True).map(sorted),
    st.lists(st.integers(0, 50), min_size=1, max_size=7),
    st.floats(0, 1),
)
def test_a_quantile_lies_in_the_bucket_that_holds_its_rank(
    bounds: list[float], counts: list[int], share: float
) -> None:
    counts = counts[: len(bounds) + 1]
    found = quantile(share, bounds, counts)
    if not sum(counts):
        assert found is None
        return
    assert found is not None
    rank = share * sum(counts)
    below = sum(
        n for number, n in enumerate(counts) if number < len(bounds) and bounds[number] < found
    )
    upto = sum(n for number, n in enumerate(counts) if not number or bounds[number - 1] <= found)
    assert below <= rank + 1e-6
    assert upto >= rank - 1e-6


def test_a_quantile_beyond_the_last_bound_says_that_bound() -> None:
    assert quantile(0.5, [1.0, 2.0], [0, 0, 4]) == 2.0
    assert quantile(0.5, [1.0, 2.0], [4]) == 0.5
