"""The meter's store in a cluster: who reaches it, where it runs, what of it is kept and billed."""

import json
from decimal import Decimal
from typing import Any

import pytest

from portway.estimates import estimate_plan
from portway.models import find
from portway.registry import load_target
from portway.sandbox.controlplane.admission import pod_security
from portway.sandbox.controlplane.objects import dig, object_at, objects_at
from portway.target import MeterPlan
from portway.targets.kubernetes.shapes import KubernetesPlan
from support import builders

ROLES = ["meter-keys", "meter-volume", "meter-traffic", "meter", "meter-service"]
STORE = {
    "app.kubernetes.io/name": "valkey",
    "app.kubernetes.io/component": "meter",
    "app.kubernetes.io/instance": "chat-prod",
}


def spec(**budget: Any) -> Any:
    return builders.spec(
        scaling={"min": 1, "max": 2, "concurrency": 8},
        budget={"monthly_usd": 2500, **budget},
        residency=None,
    )


def planned(place: dict[str, Any] | None = None, **budget: Any) -> KubernetesPlan:
    plan = builders.plan(
        spec(**(budget or {"monthly_tokens": 1000})),
        builders.placement("kubernetes", **(place or {})),
    )
    assert isinstance(plan, KubernetesPlan)
    return plan


def refused(place: dict[str, Any], **budget: Any) -> list[str]:
    found = builders.outcome(spec(**budget), builders.placement("kubernetes", **place))
    assert isinstance(found, tuple), "it was planned"
    return [problem.path for problem in found]


def pod(plan: KubernetesPlan, role: str) -> dict[str, Any]:
    return object_at(plan.objects[role], "spec", "template", "spec")


def test_limits_of_use_bring_a_store_and_nothing_else_changes_but_who_counts() -> None:
    with_meter, without = planned(), planned(monthly_usd=2500)
    assert with_meter.meter == MeterPlan(tokens=1000)
    assert [role for role in with_meter.objects if role not in without.objects] == ROLES
    changed = [
        role for role in without.objects if without.objects[role] != with_meter.objects[role]
    ]
    assert changed == ["traffic", "deployment"]


def test_the_runtime_is_told_where_to_count_and_gets_the_password_as_a_file() -> None:
    plan = planned()
    runtime, engine = objects_at(pod(plan, "deployment"), "containers")
    variables = {one["name"]: one["value"] for one in runtime["env"]}
    assert json.loads(variables["PORTWAY_METER"]) == {
        "store": {
            "kind": "valkey",
            "host": "chat-prod-meter.chat-prod.svc.cluster.local",
            "port": 6379,
            "password_file": "/var/run/portway-meter/password",
        },
        "service": "chat-prod",
        "limits": {"tokens": 1000},
        "away": "refuse",
        "max_output_tokens": 4096,
    }
    mount = {"name": "meter", "mountPath": "/var/run/portway-meter", "readOnly": True}
    assert mount in runtime["volumeMounts"]
    assert "PORTWAY_METER" not in [one["name"] for one in engine["env"]]
    secret = {
        "secretName": "chat-prod-meter",
        "defaultMode": 0o440,
        "items": [{"key": "password", "path": "password"}],
    }
    assert {"name": "meter", "secret": secret} in objects_at(pod(plan, "deployment"), "volumes")


def test_only_the_services_pods_reach_the_store_and_it_reaches_nobody() -> None:
    plan = planned()
    service = dig(plan.objects["deployment"], "spec", "selector", "matchLabels")
    port = [{"protocol": "TCP", "port": 6379}]
    assert plan.objects["meter-traffic"]["spec"] == {
        "podSelector": {"matchLabels": STORE},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": service}}], "ports": port}],
        "egress": [],
    }
    ways_out = objects_at(plan.objects["traffic"], "spec", "egress")
    assert {"to": [{"podSelector": {"matchLabels": STORE}}], "ports": port} in ways_out


def test_no_request_for_the_service_ever_reaches_the_store() -> None:
    plan = planned()
    for role in ("service", "disruption"):
        found = dig(plan.objects[role], "spec", "selector")
        chosen = found.get("matchLabels", found)
        labels = dig(plan.objects["meter"], "spec", "template", "metadata", "labels")
        assert not chosen.items() <= labels.items()
    assert dig(plan.objects["meter-service"], "spec", "selector") == STORE


def test_no_count_is_answered_before_it_is_on_the_disk_and_none_is_evicted() -> None:
    (container,) = objects_at(pod(planned(), "meter"), "containers")
    assert container["command"] == ["valkey-server"]
    assert container["args"] == [
        "/etc/valkey/valkey.conf", "--port", "6379", "--dir", "/data", "--appendonly", "yes",
        "--appendfsync", "always", "--save", "", "--maxmemory", "96mb",
        "--maxmemory-policy", "noeviction",
    ]  # fmt: skip
    assert dig(planned().objects["meter"], "spec", "strategy") == {"type": "Recreate"}


def test_the_stores_pod_passes_the_level_that_its_namespace_enforces() -> None:
    plan = planned()
    assert pod_security(plan.objects["namespace"], pod(plan, "meter")) is None


def test_the_store_runs_in_the_region_and_rather_not_on_a_gpu_node() -> None:
    found = pod(planned(), "meter")
    assert dig(found, "affinity", "nodeAffinity") == {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [
                        {"key": "topology.kubernetes.io/region", "operator": "In", "values": ["europe-west4"]}
                    ]
                }
            ]
        },
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 100,
                "preference": {
                    "matchExpressions": [
                        {"key": "node.kubernetes.io/instance-type", "operator": "NotIn", "values": ["g2-standard-8"]}
                    ]
                },
            }
        ],
    }  # fmt: skip
    assert "tolerations" not in found
    assert "nodeSelector" not in found


def test_alerts_are_made_only_where_the_cluster_has_an_operator_that_finds_them() -> None:
    assert "alerts" not in planned().objects
    found = planned({"options": {"prometheus_rules": {"release": "prometheus"}}}).objects["alerts"]
    assert dig(found, "metadata", "labels", "release") == "prometheus"
    (group,) = objects_at(found, "spec", "groups")
    assert [(rule["alert"], rule["for"]) for rule in group["rules"]] == [
        ("PortwayUnavailable", "15m"),
        ("PortwayAtMaximum", "30m"),
        ("PortwayMeterUnavailable", "5m"),
    ]
    fixed = builders.plan(
        builders.spec(scaling={"min": 2, "max": 2, "concurrency": 8}),
        builders.placement("kubernetes", options={"prometheus_rules": {}}),
    )
    assert isinstance(fixed, KubernetesPlan)
    (group,) = objects_at(fixed.objects["alerts"], "spec", "groups")
    assert [rule["alert"] for rule in group["rules"]] == ["PortwayUnavailable"]


@pytest.mark.parametrize(
    ("place", "monthly"),
    [
        ({}, "1.10"),
        ({"options": {"storage_class": "standard-rwo"}}, "1.10"),
        ({"region": "us-east-1", "options": {"storage_class": "gp3"}}, "0.80"),
        ({"region": "us-east-1", "options": {"storage_class": "gp2"}}, "1.00"),
        (
            {"region": "eu-de-fra-1", "options": {"flavour": "plain", "node_usd_per_hour": 1}},
            "0.00",
        ),
    ],
)
def test_the_disk_is_billed_as_its_cluster_names_it(place: dict[str, Any], monthly: str) -> None:
    metered, plan = spec(monthly_tokens=1000), planned(place)
    found = estimate_plan(load_target("kubernetes"), plan, metered, find(metered.model)).estimate
    assert found.unpriced == ()
    disk = [line.monthly for line in found.lines if line.resource == "meter-volume"]
    assert disk == [Decimal(monthly)]


def test_a_disk_of_a_class_that_no_vendor_names_is_unpriced() -> None:
    metered, plan = spec(monthly_tokens=1000), planned({"options": {"storage_class": "fast"}})
    found = estimate_plan(load_target("kubernetes"), plan, metered, find(metered.model)).estimate
    assert [one.sku for one in found.unpriced] == ["gke:disk:fast"]
    assert found.monthly is None


@pytest.mark.parametrize(
    ("place", "budget", "paths"),
    [
        ({}, {"alert_emails": ["ml@acme.example"]}, ["budget.alert_emails"]),
        ({}, {"when_meter_is_away": "allow"}, ["budget.when_meter_is_away"]),
        ({"region": "eu-central-1"}, {"monthly_requests": 1}, ["placement.options.storage_class"]),
        ({"options": {"storage_class": "gp3"}}, {}, ["placement.options.storage_class"]),
    ],
)
def test_what_a_cluster_cannot_keep_of_a_budget_is_refused(
    place: dict[str, Any], budget: dict[str, Any], paths: list[str]
) -> None:
    assert refused(place, **budget) == paths
