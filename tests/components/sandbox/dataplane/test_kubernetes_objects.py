"""Kubernetes objects as pods: variables, volumes, probes, selectors and scalers."""

import base64
from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.dataplane.kubernetes_objects import (
    CONFIG_MAP,
    DEPLOYMENT,
    SECRET,
    expand,
    read_pod_template,
    selected,
)
from portway.sandbox.dataplane.kubernetes_scaling import (
    AUTOSCALER,
    INTERCEPTOR_ROUTE,
    SCALED_OBJECT,
    Scaler,
    replicas_of,
    scaler_of,
)
from portway.sandbox.dataplane.probes import Probe
from portway.sandbox.dataplane.world import PlatformError, World
from portway.sandbox.store import Key, Row


def row(kind: str, name: str, namespace: str = "chat", **fields: Any) -> Row:
    inputs = {"metadata": {"name": name, "namespace": namespace}, **fields}
    return Row(Key("kubernetes", "prod", kind, f"{namespace}/{name}"), "", inputs, inputs)


def deployment(container: dict[str, Any], **spec: Any) -> Row:
    pod = {"containers": [{"name": "app", "image": "python", **container}], **spec.pop("pod", {})}
    template = {"metadata": {"labels": {"app": "chat"}}, "spec": pod}
    return row(DEPLOYMENT, "chat", spec={"template": template, **spec})


def world(*rows: Row) -> World:
    return World(rows, Path())


CONFIG = row(
    CONFIG_MAP, "config", data={"A": "1"}, binaryData={"B": base64.b64encode(b"\xff").decode()}
)
KEYS = row(
    SECRET, "keys", data={"C": base64.b64encode(b"three").decode()}, stringData={"D": "four"}
)


def test_variables_come_from_values_config_maps_secrets_and_fields() -> None:
    container = {
        "args": ["$(URL)", "$$(URL)", "$(UNKNOWN)"],
        "envFrom": [{"secretRef": {"name": "keys"}, "prefix": "K_"}],
        "env": [
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "A"}}},
            {"name": "URL", "value": "http://$(A)/$(LATER)"},
            {"name": "LATER", "value": "x"},
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        ],
    }
    made = read_pod_template(deployment(container), world(CONFIG, KEYS)).containers[0]
    assert made.environment == {
        "K_C": "three", "K_D": "four", "A": "1", "URL": "http://1/$(LATER)", "LATER": "x",
        "NAMESPACE": "chat",
    }  # fmt: skip
    assert made.arguments == ("http://1/$(LATER)", "$(URL)", "$(UNKNOWN)")


def test_volumes_have_the_keys_chosen_under_the_names_chosen() -> None:
    volumes: list[dict[str, Any]] = [
        {"name": "config", "configMap": {"name": "config"}},
        {"name": "keys", "secret": {"secretName": "keys", "items": [{"key": "C", "path": "in/c"}]}},
        {
            "name": "both",
            "projected": {
                "sources": [{"configMap": {"name": "config"}}, {"secret": {"name": "keys"}}]
            },
        },
        {"name": "tmp", "emptyDir": {}},
    ]
    made = read_pod_template(deployment({}, pod={"volumes": volumes}), world(CONFIG, KEYS))
    assert made.volumes == {
        "config": {"A": b"1", "B": b"\xff"},
        "keys": {"in/c": b"three"},
        "both": {"A": b"1", "B": b"\xff", "C": b"three", "D": b"four"},
        "tmp": {},
    }


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"configMap": {"name": "other"}}, 'configmap "other" not found'),
        (
            {"secret": {"secretName": "keys", "items": [{"key": "Z", "path": "z"}]}},
            "non-existent config key: Z",
        ),
        ({"hostPath": {"path": "/"}}, "not hostPath"),
    ],
)
def test_a_volume_that_cannot_be_had_says_why(volume: dict[str, Any], words: str) -> None:
    given = deployment({}, pod={"volumes": [{"name": "v", **volume}]})
    with pytest.raises(PlatformError, match=words):
        read_pod_template(given, world(KEYS))


def test_objects_of_another_namespace_are_not_seen() -> None:
    elsewhere = row(SECRET, "keys", namespace="other", stringData={"D": "x"})
    given = deployment({"envFrom": [{"secretRef": {"name": "keys"}}]})
    with pytest.raises(PlatformError, match='secret "keys" not found'):
        read_pod_template(given, world(elsewhere))


def test_probes_have_kubernetes_defaults_and_ports_by_name() -> None:
    container = {
        "ports": [{"name": "http", "containerPort": 8080}],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
        "readinessProbe": {"tcpSocket": {"port": 9000}, "failureThreshold": 1},
    }
    made = read_pod_template(deployment(container), world()).containers[0]
    assert made.liveness == Probe(
        "http", 8080, "/healthz", headers={}, period_seconds=10, failure_threshold=3
    )
    assert made.readiness == Probe("tcp", 9000, headers={}, failure_threshold=1)
    with pytest.raises(PlatformError, match="httpGet and tcpSocket"):
        read_pod_template(deployment({"livenessProbe": {"exec": {"command": ["x"]}}}), world())


def test_init_containers_come_in_order_and_sidecars_only_have_to_start() -> None:
    first = {"name": "first", "image": "python"}
    sidecar = {"name": "sidecar", "image": "python", "restartPolicy": "Always"}
    given = deployment({}, pod={"initContainers": [first, sidecar]})
    made = read_pod_template(given, world()).containers
    assert [(c.name, c.runs_to_completion, c.after) for c in made] == [
        ("first", True, ()), ("sidecar", False, ("first",)), ("app", False, ("first", "sidecar")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("resources", "has_gpu"),
    [
        ({}, False),
        ({"limits": {"nvidia.com/gpu": "1"}}, True),
        ({"claims": [{"name": "gpu"}]}, True),
    ],
)
def test_a_gpu_is_a_limit_or_a_claim(resources: dict[str, Any], has_gpu: bool) -> None:  # noqa: FBT001 - a parameter
    made = read_pod_template(deployment({"resources": resources}), world()).containers[0]
    assert made.has_gpu is has_gpu


def test_only_the_pod_template_makes_new_pods() -> None:
    same = read_pod_template(deployment({}, replicas=1), world()).digest
    assert read_pod_template(deployment({}, replicas=3), world()).digest == same
    assert read_pod_template(deployment({"image": "python:3"}), world()).digest != same


def test_a_selector_wants_every_label_and_an_empty_one_selects_nothing() -> None:
    assert selected({"a": "1"}, {"a": "1", "b": "2"})
    assert not selected({"a": "1", "c": "3"}, {"a": "1"})
    assert not selected({}, {"a": "1"})
    assert expand("$(A)$$", {"A": "x"}) == "x$"


def test_a_scaled_object_replaces_replicas_and_its_route_says_the_concurrency() -> None:
    given = deployment({}, replicas=2)
    target = {"scaleTargetRef": {"name": "chat"}, "maxReplicaCount": 4, "cooldownPeriod": 60}
    route = row(
        INTERCEPTOR_ROUTE, "chat", spec={"scalingMetric": {"concurrency": {"targetValue": 8}}}
    )
    other = row(SCALED_OBJECT, "other", spec={"scaleTargetRef": {"name": "other"}})
    assert scaler_of(given, world(other)) is None
    found = scaler_of(given, world(other, row(SCALED_OBJECT, "chat", spec=target), route))
    assert found == Scaler(least=0, most=4, cooldown_seconds=60, concurrency=8)


@pytest.mark.parametrize(("declared", "wanted"), [(1, 2), (3, 3), (9, 5)])
def test_an_autoscaler_bounds_the_replicas(declared: int, wanted: int) -> None:
    bounds = {"scaleTargetRef": {"name": "chat"}, "minReplicas": 2, "maxReplicas": 5}
    given = deployment({}, replicas=declared)
    assert replicas_of(given, world(row(AUTOSCALER, "chat", spec=bounds))) == wanted
    assert replicas_of(given, world()) == declared
