"""The component: children, outputs, secrecy and order."""

import json
from typing import Any

import pytest

from portway.targets.kubernetes.component import KubernetesService
from portway.targets.kubernetes.in_cluster import AFTER
from portway.targets.kubernetes.shapes import KubernetesPlan
from support import builders, golden
from support.mock_engine import Run, deploy

SCALING = {"min": 1, "max": 2, "concurrency": 8}
INGRESS = {"status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1", "ports": [{"port": 4711, "protocol": "TCP"}]}]}}}  # fmt: skip


def planned(**place: Any) -> KubernetesPlan:
    plan = builders.plan(builders.spec(scaling=SCALING), builders.placement("kubernetes", **place))
    assert isinstance(plan, KubernetesPlan)
    return plan


def metered() -> KubernetesPlan:
    plan = golden.planned(golden.cases()["metered@kubernetes"])
    assert isinstance(plan, KubernetesPlan)
    return plan


def run(plan: KubernetesPlan, *, preview: bool = False, status: Any = None) -> Run[Any]:
    def answered(_name: str, _inputs: dict[str, Any]) -> dict[str, Any]:
        return status

    return deploy(
        lambda: KubernetesService("chat", plan),
        read=lambda made: {
            "endpoint": made.endpoint,
            "region": made.region,
            "identity": made.identity,
            "api_key": made.api_key,
        },
        preview=preview,
        computed=None if status is None else {"kubernetes:core/v1:Service": answered},
    )


def test_the_outputs_are_what_every_target_exposes() -> None:
    made = run(planned())
    assert {key: made.resolved[key] for key in ("endpoint", "region", "identity")} == {
        "endpoint": "http://203.0.113.7:8080",
        "region": "europe-west4",
        "identity": "system:serviceaccount:chat-prod:chat-prod",
    }
    assert made.secret == {"endpoint": False, "region": False, "identity": False, "api_key": True}
    registered = made.outputs[made.one("portway:index:KubernetesService").urn]
    assert set(registered) == {"endpoint", "region", "identity", "apiKey"}


def test_the_endpoint_takes_the_port_that_the_load_balancer_reports() -> None:
    made = run(planned(), status=INGRESS)
    assert made.resolved["endpoint"] == "http://127.0.0.1:4711"


def test_the_endpoint_may_be_a_name() -> None:
    status = {"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}}
    made = run(planned(), status=status)
    assert made.resolved["endpoint"] == "http://lb.example:8080"


def test_the_endpoint_is_unknown_before_the_deployment() -> None:
    assert run(planned(), preview=True).resolved["endpoint"] is None


def test_every_object_lives_in_the_planned_cluster_under_the_component() -> None:
    made = run(planned())
    objects = [item for item in made.created if item.type.startswith("kubernetes:")]
    assert {item.provider for item in objects} == {"chat-cluster"}
    assert {item.parent for item in objects} == {"chat"}
    provider = made.one("pulumi:providers:kubernetes")
    assert (provider.parent, provider.inputs["context"]) == ("chat", "prod-eu")
    assert len(objects) == len(planned().objects)


def test_pods_start_after_what_they_need_and_what_restrains_them() -> None:
    made = run(metered())
    (deployment,) = [one for one in made.of("kubernetes:apps/v1:Deployment") if one.name == "chat-deployment"]  # fmt: skip
    assert set(deployment.depends_on) == {"chat-namespace"} | {
        f"chat-{role}" for role in AFTER["deployment"] if role in metered().objects
    }


def test_deployment_and_service_are_awaited_longer_than_a_rollout_may_take() -> None:
    plan = planned()
    made = run(plan)
    for token in ("kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service"):
        (seconds,) = {*made.one(token).timeouts.values()}
        assert int(seconds.removesuffix("s")) > plan.ready_within_seconds


def test_all_generations_of_keys_are_in_the_document_and_the_newest_is_the_output() -> None:
    made = run(planned(keys=("2", "1")))
    passwords = made.of("random:index/randomPassword:RandomPassword")
    assert [password.name for password in passwords] == ["chat-key-1", "chat-key-2"]
    secret = made.one("kubernetes:core/v1:Secret").inputs["stringData"]
    assert set(secret) == {"(secret)"}
    assert made.resolved["api_key"].startswith("pw-")


def test_no_key_is_readable_in_any_input() -> None:
    made = run(planned())
    key = made.resolved["api_key"]
    shown = [
        json.dumps(item.inputs, default=str)
        for item in made.created
        if item.type != "kubernetes:core/v1:Secret"
    ]
    assert not any(key in text for text in shown)


def test_the_meters_password_is_one_secret_for_the_store_and_for_whom_it_serves() -> None:
    made = run(metered())
    (secret,) = [one for one in made.of("kubernetes:core/v1:Secret") if one.name.endswith("meter-keys")]  # fmt: skip
    hidden = secret.inputs["stringData"]["(secret)"]
    assert hidden["valkey.conf"] == f"requirepass {hidden['password']}\n"
    assert len(hidden["password"]) == 48
    shown = [
        json.dumps(item.inputs, default=str)
        for item in made.created
        if item.type != "kubernetes:core/v1:Secret"
    ]
    assert not any(hidden["password"] in text for text in shown)


def test_a_service_without_limits_has_no_store() -> None:
    assert not [item.name for item in run(planned()).created if "meter" in item.name]


def test_the_store_is_there_before_whoever_counts_in_it() -> None:
    made = run(metered())
    order = {item.name: set(item.depends_on) for item in made.created}
    assert "chat-meter" in order["chat-meter-service"]
    assert "chat-meter-service" in order["chat-deployment"]
    assert {"chat-meter-traffic", "chat-meter-volume", "chat-meter-keys"} <= order["chat-meter"]


def test_keda_scales_only_what_has_a_route() -> None:
    plan = golden.planned(golden.cases()["from-zero@kubernetes"])
    assert isinstance(plan, KubernetesPlan)
    made = run(plan)
    scaler = made.one("kubernetes:keda.sh/v1alpha1:ScaledObject")
    assert {"chat-route", "chat-deployment"} <= set(scaler.depends_on)
    assert made.resolved["endpoint"] == "https://chat.acme.example"


@pytest.mark.parametrize("case", ["chat@kubernetes", "from-zero@kubernetes"])
def test_the_runtime_is_handed_over_whole(case: str) -> None:
    plan = golden.planned(golden.cases()[case])
    assert isinstance(plan, KubernetesPlan)
    maps = run(plan).of("kubernetes:core/v1:ConfigMap")
    (data,) = [one.inputs["binaryData"] for one in maps if "binaryData" in one.inputs]
    assert set(data) == {"runtime.pyz"}
    assert data["runtime.pyz"].startswith("UEsDB")
