"""What may reach a service on Cloud Run, who may call it, and what its instances send through."""

from typing import Any

import pytest

from portway.targets.cloud_run.shapes import CloudRunPlan, Interface
from support import builders, golden

SERVICE = "gcp:cloudrunv2/service:Service"
FULL = "projects/acme-net/regions/europe-west4/subnetworks/inference"
IAM = {"auth": "iam", "reach": "public"}
CALLERS = ["group:ml@acme.example"]


def planned(reach: str = "public", auth: str = "api-key", **options: Any) -> CloudRunPlan:
    spec = builders.spec(access={"auth": auth, "reach": reach})
    plan = builders.plan(spec, builders.placement("cloud-run", options=options))
    assert isinstance(plan, CloudRunPlan)
    return plan


def refused(reach: str = "public", auth: str = "api-key", **options: Any) -> list[str]:
    spec = builders.spec(access={"auth": auth, "reach": reach})
    found = builders.outcome(spec, builders.placement("cloud-run", options=options))
    assert isinstance(found, tuple), "it was planned"
    return [f"{problem.path}: {problem.message.split(';')[0]}" for problem in found]


def test_everything_that_leaves_an_instance_goes_through_the_network_that_is_named() -> None:
    plan = planned(network={"subnetwork": FULL, "tags": ["llm"]})
    assert plan.interfaces == (
        Interface(network=None, subnetwork=FULL, tags=("llm",), egress="ALL_TRAFFIC"),
    )
    made = golden.deployed(plan).one(SERVICE).inputs
    assert made["template"]["vpcAccess"] == {
        "egress": "ALL_TRAFFIC",
        "networkInterfaces": [{"subnetwork": FULL, "tags": ["llm"]}],
    }
    assert any("Private Google Access" in note for note in plan.notes)
    assert not any("Cloud NAT" in note for note in plan.notes), "nothing public is asked"


def test_only_private_addresses_go_through_the_network_where_that_is_asked() -> None:
    plan = planned(network={"subnetwork": "inference", "egress": "private-ranges"})
    assert plan.interfaces[0].egress == "PRIVATE_RANGES_ONLY"
    assert not any("Private Google Access" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"subnetwork": "projects/p/regions/europe-west1/subnetworks/inference"},
         "placement.options.network.subnetwork: is in europe-west1 and the service in europe-west4"),
        ({"subnetwork": "Inference"}, "placement.options.network.subnetwork: is 'Inference'"),
        ({"subnetwork": "inference", "network": "vpc/x"}, "placement.options.network.network: is 'vpc/x'"),
        ({"subnetwork": "inference", "tags": ["LLM"]}, "placement.options.network.tags: has 'LLM'"),
        ({"network": "platform"}, "placement.options.network.subnetwork: is missing"),
    ],
)  # fmt: skip
def test_a_network_that_cloud_run_could_not_use_is_refused(
    network: dict[str, Any], said: str
) -> None:
    (found,) = refused(network=network)
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("reach", "options", "ingress"),
    [
        ("public", {}, "INGRESS_TRAFFIC_ALL"),
        ("private", {}, "INGRESS_TRAFFIC_INTERNAL_ONLY"),
        ("public", {"ingress": "load-balancer", "hostname": "chat.acme.example"},
         "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"),
        ("private", {"ingress": "load-balancer", "hostname": "chat.acme.example"},
         "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"),
    ],
)  # fmt: skip
def test_ingress_follows_reach_unless_a_load_balancer_leads_here(
    reach: str, options: dict[str, Any], ingress: str
) -> None:
    assert planned(reach, **options).ingress == ingress


@pytest.mark.parametrize(
    ("reach", "options", "said"),
    [
        ("private", {"ingress": "all"}, "placement.options.ingress: is 'all', and access.reach is private"),
        ("public", {"ingress": "internal"}, "placement.options.ingress: is 'internal', and access.reach is public"),
        ("public", {"ingress": "load-balancer"}, "placement.options.hostname: is not set"),
        ("public", {"hostname": "chat.acme.example"}, "placement.options.hostname: is set without ingress"),
        ("public", {"ingress": "load-balancer", "hostname": "Chat"}, "placement.options.hostname: is 'Chat'"),
    ],
)  # fmt: skip
def test_an_ingress_that_contradicts_the_spec_is_refused(
    reach: str, options: dict[str, Any], said: str
) -> None:
    (found,) = refused(reach, **options)
    assert found.startswith(said)


def test_behind_a_load_balancer_only_its_name_answers_and_tokens_are_for_that() -> None:
    plan = planned(
        auth="iam", ingress="load-balancer", hostname="chat.acme.example", invokers=CALLERS
    )
    made = golden.deployed(plan)
    inputs = made.one(SERVICE).inputs
    assert inputs["defaultUriDisabled"] is True
    assert inputs["customAudiences"] == ["https://chat.acme.example"]
    assert made.resolved["endpoint"] == "https://chat.acme.example"


def test_where_nobody_may_allow_all_users_google_s_check_is_switched_off() -> None:
    plan = planned(invoker_check=False)
    made = golden.deployed(plan)
    assert made.of("gcp:cloudrunv2/serviceIamMember:ServiceIamMember") == ()
    assert made.one(SERVICE).inputs["invokerIamDisabled"] is True
    assert refused(auth="iam", invoker_check=False, invokers=CALLERS) == [
        "placement.options.invoker_check: is false, and access.auth is iam, where Google's check is the "
        "only one"
    ]


def test_a_client_is_led_back_to_its_instance_only_where_that_is_asked() -> None:
    said = [golden.deployed(plan).one(SERVICE).inputs["template"]["sessionAffinity"]
            for plan in (planned(), planned(session_affinity=True))]  # fmt: skip
    assert said == [False, True]


@pytest.mark.parametrize(
    ("quota", "most"),
    [({"gpus": 2}, "2 instances at most"), ({"vcpu": 20}, "2 instances at most"),
     ({"memory_gib": 40}, "1 instances at most")],
)  # fmt: skip
def test_more_instances_than_were_granted_are_refused(quota: dict[str, int], most: str) -> None:
    spec = builders.spec(scaling={"min": 0, "max": 3, "concurrency": 8})
    found = builders.outcome(spec, builders.placement("cloud-run", options={"quota": quota}))
    assert isinstance(found, tuple)
    assert [problem.path for problem in found] == ["scaling.max"]
    assert most in found[0].message
    granted = {"gpus": 3, "vcpu": 27, "memory_gib": 98}
    assert not isinstance(
        builders.outcome(spec, builders.placement("cloud-run", options={"quota": granted})), tuple
    )
