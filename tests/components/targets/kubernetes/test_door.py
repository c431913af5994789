"""The front door on Kubernetes: its plan, its objects, what it refuses, and its price both ways."""

from typing import Any

import pytest

from portway.errors import Refused
from portway.estimates import estimate_plan
from portway.gate.billing import stack_estimate
from portway.gate.testing import judge, resource
from portway.inference_service import InferenceService
from portway.models import find
from portway.registry import load_target
from portway.runtime.door import read_door_config
from portway.runtime.door_routes import parse_routes
from portway.sandbox.controlplane.objects import Object, dig, object_at, objects_at
from portway.target import Placement
from portway.targets.kubernetes import door
from portway.targets.kubernetes.shapes import KubernetesDoorPlan
from support import builders
from support.cluster_doors import GATEWAY, SERVED, TARGET, WEIGHTS, placement, plan
from support.mock_engine import Run, deploy
from support.packs import POLICIES
from support.priced_stacks import stack_of_service

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
RULE = "residency-cluster-egress-is-named"
SECRET = "kubernetes:core/v1:Secret"


def pod(made: KubernetesDoorPlan) -> Object:
    return object_at(made.objects["deployment"], "spec", "template", "spec")


def made(weights: dict[str, int] = WEIGHTS) -> Run[InferenceService]:
    spec = builders.spec()
    return deploy(
        lambda: InferenceService(spec.name, spec, placement(weights)), read=lambda one: one.outputs
    )


def routes_of(run: Run[InferenceService]) -> Object:
    (found,) = [one for one in run.of(SECRET) if one.name.endswith("-routes")]
    return found.inputs


def refusals(place: Placement | None = None, **spec: Any) -> dict[str, str]:
    with pytest.raises(Refused) as refused:
        plan(place, **spec)
    return {problem.path: problem.message for problem in refused.value.problems}


def test_its_container_is_a_door_that_outwaits_its_ends_and_drains_before_it_is_killed() -> None:
    made_plan = plan(placement(replicas=2), timeout_seconds=100)
    (container,) = objects_at(pod(made_plan), "containers")
    config = read_door_config({each["name"]: each["value"] for each in container["env"]})
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert config.timeout_seconds == 115
    assert config.routes_file == f"{mounts['routes']}/routes.json"
    assert config.keys_file == f"{mounts['keys']}/keys.json"
    assert (config.max_instances, made_plan.max_replicas) == (2, 2)
    drain = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod(made_plan)["terminationGracePeriodSeconds"] > drain + 115


def test_it_passes_on_all_that_both_ends_of_a_move_can_answer() -> None:
    assert plan(scaling={"min": 0, "max": 3, "concurrency": 8}).concurrency == 48


def test_new_weights_change_the_secret_and_nothing_else_so_that_no_pod_is_replaced() -> None:
    moved = {**WEIGHTS, "chat.prod.cloud-run": 0, "chat.prod.kubernetes": 95}
    before, after = (plan(placement(weights)).model_dump(exclude={"ends"}) for weights in (WEIGHTS, moved))  # fmt: skip
    assert before == after
    here, there = made(WEIGHTS), made(moved)
    assert here.one(DEPLOYMENT).inputs == there.one(DEPLOYMENT).inputs
    assert routes_of(here) != routes_of(there)


def test_its_routes_hold_address_and_key_of_every_end_with_a_weight_and_are_secret() -> None:
    document = routes_of(made())["stringData"]["(secret)"]
    routes = parse_routes(str(document["routes.json"]).encode())
    assert routes.weights == WEIGHTS
    assert {name: (end.url, end.key) for name, end in routes.ends.items()} == {
        name: (f"https://{name}.example", f"pw-key-of-{name}")
        for name, weight in WEIGHTS.items()
        if weight
    }


def test_it_waits_for_all_that_it_reads_and_only_its_key_is_secret() -> None:
    run = made()
    assert set(run.one(DEPLOYMENT).depends_on) == {
        "chat-namespace", "chat-account", "chat-default-deny", "chat-traffic", "chat-runtime",
        "chat-keys", "chat-routes",
    }  # fmt: skip
    assert {name for name, hidden in run.secret.items() if hidden} == {"apiKey"}


SERVERLESS = {"chat.prod.cloud-run": 100, "chat.prod.lambda-bedrock": 0}


def test_it_reaches_the_ranges_that_were_named_or_public_addresses_and_no_private_ones() -> None:
    def out(place: Placement) -> list[tuple[int, list[str]]]:
        (_, *rules) = objects_at(plan(place).objects["traffic"], "spec", "egress")
        return [
            (rule["ports"][0]["port"], [str(dig(each, "ipBlock", "cidr")) for each in rule["to"]])
            for rule in rules
        ]

    its_own_cluster = "None"
    named = placement(SERVERLESS, networks=["10.20.0.0/24"])
    assert out(named) == [(443, ["10.20.0.0/24"])]
    assert out(placement(SERVERLESS)) == [(443, ["0.0.0.0/0"])]
    assert out(placement()) == [(443, ["0.0.0.0/0"]), (8080, ["0.0.0.0/0", its_own_cluster])]
    (_, *rules) = objects_at(plan().objects["traffic"], "spec", "egress")
    assert all("10.0.0.0/8" in rule["to"][0]["ipBlock"]["except"] for rule in rules)


@pytest.mark.parametrize(
    ("place", "verdict"),
    [
        (placement(), "refuses that"),
        (placement(SERVERLESS), "advises against that"),
        (placement(networks=["10.20.0.0/24"]), None),
    ],
    ids=["http", "https", "named"],
)
def test_the_plan_says_what_the_residency_pack_says(place: Placement, verdict: str | None) -> None:
    said = [note for note in plan(place).notes if "every public address" in note]
    assert [f"the residency pack {verdict};" in note for note in said] == [True] * bool(verdict)
    policy = resource(
        "kubernetes:networking.k8s.io/v1:NetworkPolicy", "traffic", plan(place).objects["traffic"]
    )
    judged = judge([policy], POLICIES / "residency", {"boundary": "eu"}).of(RULE)
    levels = {None: set[str](), "refuses that": {"mandatory"}, "advises against that": {"advisory"}}
    assert {str(one.level) for one in judged} <= {"mandatory", "advisory"}
    assert {str(one.level) for one in judged} >= levels[verdict]
    assert bool(judged) == bool(verdict)


def test_a_gateway_gives_it_https_and_a_name() -> None:
    found = plan(placement(gateway=GATEWAY, crds=SERVED))
    assert found.known_endpoint == "https://chat.example.eu"
    assert dig(found.objects["service"], "spec", "type") == "ClusterIP"
    assert dig(found.objects["http-route"], "spec", "hostnames") == ["chat.example.eu"]
    assert plan().known_endpoint is None
    assert dig(plan().objects["service"], "spec", "type") == "LoadBalancer"
    assert any("by http, and their keys cross" in note for note in plan().notes)


def test_everything_that_it_cannot_do_is_said_at_once() -> None:
    place = placement(cluster=None, region="eu-north-7", hosts=("chat.example.eu",), gateway=GATEWAY,
                      concurrency=3, networks=["10.0.0.7/8"], namespace="default")  # fmt: skip
    found = refusals(place, access={"auth": "iam", "reach": "private"})
    assert {path: message[:28] for path, message in found.items()} == {
        "door.cluster": "is not set; name the kubecon",
        "door.hosts": "has 'chat.example.eu'; a doo",
        "access.auth": "is iam: every end then wants",
        "access.reach": "is private: no end can be re",
        "door.options.concurrency": "is 3, with replicas 1; the d",
        "door.options.networks": "has '10.0.0.7/8', which is n",
        "door.options.namespace": "is 'default', which is not o",
        "door.region": "'eu-north-7' does not tell w",
        "door.options.gateway": "is set beside access.reach: ",
    }
    assert all("placement" not in f"{path} {message}" for path, message in found.items())


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (placement(flavour="eks"), "door.options.flavour"),
        (placement(gateway=GATEWAY), "door.options.gateway"),
        (placement(replica=2), "door.options.replica"),
    ],
    ids=["flavour", "crds", "unknown"],
)
def test_what_the_cluster_cannot_be_is_refused(place: Placement, path: str) -> None:
    assert set(refusals(place)) == {path}


def test_more_than_one_pod_can_pass_on_needs_more_pods() -> None:
    scaling = {"min": 1, "max": 100, "concurrency": 8}
    said = refusals(scaling=scaling)["door.options.concurrency"]
    assert "set concurrency to 1000, and replicas to 2 or more" in said
    assert plan(placement(concurrency=1000, replicas=2), scaling=scaling).max_replicas == 2


@pytest.mark.parametrize(
    "options",
    [{}, {"replicas": 3}, {"flavour": "plain"}, {"gateway": GATEWAY, "crds": SERVED}],
    ids=["one", "several", "plain", "gateway"],
)
def test_it_costs_the_same_by_its_plan_and_by_its_resources(options: dict[str, Any]) -> None:
    traffic = {"requests_per_day": 2000, "input_tokens": 600, "output_tokens": 200}
    spec, place = builders.spec(traffic=traffic), placement(**options)
    model = find(spec.model)
    estimate = estimate_plan(load_target(TARGET), door.plan(spec, model, place), spec, model)
    found = stack_estimate(stack_of_service(spec, place))
    assert found.is_whole
    assert estimate.estimate.monthly is not None
    monthly, totals = estimate.estimate.monthly, found.totals
    assert (monthly.floor, monthly.expected, monthly.ceiling) == (
        totals.floor, totals.expected, totals.ceiling,
    )  # fmt: skip
    assert totals.ceiling < 1000, "a door answers no faster than what is behind it"
