"""The plan for a cluster: what it creates, what it refuses, and that every cluster would take it."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.errors import Refused
from portway.models import catalogue
from portway.models.fit import fits
from portway.sandbox.controlplane import schema
from portway.sandbox.controlplane.admission import pod_security
from portway.sandbox.controlplane.defaults import with_defaults
from portway.sandbox.controlplane.rules import check_object
from portway.targets.kubernetes.nodes import default_node, nodes, regions
from portway.targets.kubernetes.shapes import KubernetesPlan
from support import builders, golden

CASES = [name for name in golden.cases() if name.endswith("@kubernetes")]
PLANNED = [name for name in CASES if (golden.GOLDEN / f"{name}.plan.json").exists()]
RELEASES = ("1.34", "1.35", "1.36", "1.37")

Json = dict[str, Any]


def planned(scaling: Json | None = None, place: Json | None = None, **spec: Any) -> KubernetesPlan:
    wanted = builders.spec(scaling=scaling or {"min": 1, "max": 1, "concurrency": 8}, **spec)
    plan = builders.plan(wanted, builders.placement("kubernetes", **(place or {})))
    return cast("KubernetesPlan", plan)


def refused(scaling: Json | None = None, place: Json | None = None, **spec: Any) -> dict[str, str]:
    with pytest.raises(Refused) as reasons:
        planned(scaling, place, **spec)
    return {problem.path: problem.message for problem in reasons.value.problems}


def pods(plan: KubernetesPlan) -> list[Json]:
    """The spec of every pod that runs the model, the one that answers first."""
    if "group" in plan.objects:
        group = spec_of(plan, "group")["leaderWorkerTemplate"]
        return [group["leaderTemplate"]["spec"], group["workerTemplate"]["spec"]]
    return [spec_of(plan, "deployment")["template"]["spec"]]


def pod(plan: KubernetesPlan) -> Json:
    return pods(plan)[0]


def containers(plan: KubernetesPlan) -> dict[str, Json]:
    return {container["name"]: container for container in pod(plan)["containers"]}


def spec_of(plan: KubernetesPlan, role: str) -> Json:
    return cast("Json", cast("Json", plan.objects[role])["spec"])


@pytest.mark.parametrize("name", CASES)
def test_the_golden_files_are_what_is_planned_and_created(name: str) -> None:
    found = {path.name: path.read_text() for path in golden.GOLDEN.glob(f"{name}.*")}
    assert found == golden.texts(name), f"run: {golden.COMMAND}"


@pytest.mark.parametrize("name", PLANNED)
@pytest.mark.parametrize("release", RELEASES)
def test_every_supported_release_knows_every_field(name: str, release: str) -> None:
    plan = cast("KubernetesPlan", golden.planned(golden.cases()[name]))
    for role, obj in plan.objects.items():
        crd = schema.shipped_crds().get(f"{obj['apiVersion']}/{obj['kind']}")
        if crd is None:
            schema.check_built_in(cast("Json", obj), release)
        else:
            schema.check_custom(cast("Json", obj), crd["schema"])
        check_object(with_defaults(cast("Json", obj)))
        assert cast("Json", obj["metadata"])["name"], role


@pytest.mark.parametrize("name", PLANNED)
def test_the_pods_pass_the_level_that_their_namespace_enforces(name: str) -> None:
    plan = cast("KubernetesPlan", golden.planned(golden.cases()[name]))
    made = pods(plan)
    if "weights-loader" in plan.objects:
        made.append(spec_of(plan, "weights-loader")["template"]["spec"])
    assert [pod_security(cast("Json", plan.objects["namespace"]), one) for one in made] == [
        None
    ] * len(made)


@pytest.mark.parametrize("name", PLANNED)
def test_every_alternative_of_the_node_affinity_names_the_region(name: str) -> None:
    plan = cast("KubernetesPlan", golden.planned(golden.cases()[name]))
    wanted = {
        "key": "topology.kubernetes.io/region",
        "operator": "In",
        "values": [plan.region],
    }
    for one in pods(plan):
        required = one["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        terms = required["nodeSelectorTerms"]
        assert [wanted in term["matchExpressions"] for term in terms] == [True] * len(terms)


@pytest.mark.parametrize("name", PLANNED)
def test_a_plan_survives_json_and_back(name: str) -> None:
    plan = golden.planned(golden.cases()[name])
    again = KubernetesPlan.model_validate_json(plan.model_dump_json())
    assert again == plan


def test_the_gpu_is_named_in_limits_only_and_whole() -> None:
    resources = containers(planned())["vllm"]["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in resources["requests"]
    assert "nvidia.com/gpu" not in containers(planned())["runtime"]["resources"]["limits"]


def test_the_model_server_is_started_with_the_catalogues_figures() -> None:
    args = containers(planned())["vllm"]["args"]
    model = catalogue()["ministral-3-8b"]
    assert args == [
        "--model", model.weights,
        "--revision", str(model.revision),
        "--served-model-name", "ministral-3-8b",
        "--port", "8000",
        "--max-model-len", str(model.context_tokens),
        "--max-num-seqs", "8",
        "--gpu-memory-utilization", "0.90",
        "--shutdown-timeout", "300",
        *model.vllm,
    ]  # fmt: skip


def test_every_place_the_model_server_writes_to_is_a_mounted_volume() -> None:
    engine = containers(planned())["vllm"]
    mounts = {mount["mountPath"] for mount in engine["volumeMounts"]}
    env = {each["name"]: each["value"] for each in engine["env"]}
    written = {value for value in env.values() if value.startswith("/")}
    assert engine["securityContext"]["readOnlyRootFilesystem"] is True
    assert all(any(path.startswith(mount) for mount in mounts) for path in written)
    assert {"HF_HOME", "TRITON_CACHE_DIR", "XDG_CACHE_HOME", "HOME"} <= set(env)


def test_a_running_request_may_end_before_its_pod_is_killed() -> None:
    plan = planned(timeout_seconds=600)
    sleeps = {
        name: container["lifecycle"]["preStop"]["sleep"]["seconds"]
        for name, container in containers(plan).items()
    }
    assert pod(plan)["terminationGracePeriodSeconds"] > max(sleeps.values()) + 600


def test_a_rollout_may_take_longer_than_a_model_may_load() -> None:
    plan = planned()
    probe = containers(plan)["vllm"]["startupProbe"]
    budget = probe["periodSeconds"] * probe["failureThreshold"]
    assert budget == plan.startup_seconds
    assert spec_of(plan, "deployment")["progressDeadlineSeconds"] > budget


@pytest.mark.parametrize(("surge", "unavailable"), [(0, 1), (1, 0), (3, 0)])
def test_a_rollout_adds_first_only_where_there_are_gpus_for_it(
    surge: int, unavailable: int
) -> None:
    plan = planned({"min": 1, "max": 2, "concurrency": 8}, {"options": {"surge": surge}})
    wanted = {"maxSurge": surge, "maxUnavailable": unavailable}
    assert spec_of(plan, "deployment")["strategy"]["rollingUpdate"] == wanted
    gap = any("every rollout and every node drain is a gap" in note for note in plan.notes)
    assert gap == (surge == 0)
    assert any(f"{2 + surge} during a rollout" in note for note in plan.notes) == (surge > 0)


def test_a_disk_of_one_node_is_no_disk_for_a_rollout_that_adds_first() -> None:
    volume = {"storage_class": "standard-rwo", "shared": False}
    options = {"weights_volume": volume, "surge": 1}
    said = refused(place={"options": options})
    assert "Multi-Attach error" in said["placement.options.weights_volume.shared"]
    planned(place={"options": {**options, "surge": 0}})


def test_replicas_are_stated_only_where_nothing_scales() -> None:
    fixed = planned({"min": 2, "max": 2, "concurrency": 8})
    moving = planned({"min": 1, "max": 2, "concurrency": 8})
    assert spec_of(fixed, "deployment")["replicas"] == 2
    assert "autoscaler" not in fixed.objects
    assert "replicas" not in spec_of(moving, "deployment")
    scaler = spec_of(moving, "autoscaler")
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (1, 2)


def test_keda_is_told_both_ends_and_where_requests_are_counted() -> None:
    options = {"scale_to_zero": "keda", "hostname": "chat.acme.example"}
    plan = planned({"min": 0, "max": 3, "concurrency": 4}, {"options": options})
    scaler = spec_of(plan, "scaler")
    assert (scaler["minReplicaCount"], scaler["maxReplicaCount"]) == (0, 3)
    assert scaler["triggers"][0]["metadata"]["interceptorRoute"] == "chat-prod"
    route = spec_of(plan, "route")
    assert route["rules"] == [{"hosts": ["chat.acme.example"]}]
    assert route["scalingMetric"] == {"concurrency": {"targetValue": 4}}
    assert "autoscaler" not in plan.objects
    assert plan.known_endpoint == "https://chat.acme.example"


def test_only_the_interceptor_reaches_pods_that_keda_scales() -> None:
    options = {"scale_to_zero": "keda", "hostname": "chat.acme.example", "keda_namespace": "k"}
    plan = planned({"min": 0, "max": 1, "concurrency": 4}, {"options": options})
    callers = spec_of(plan, "traffic")["ingress"][0]["from"]
    assert callers == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "k"}}}]


def test_nothing_private_can_be_reached_from_a_pod() -> None:
    _, web = spec_of(planned(), "traffic")["egress"]
    (peer,) = web["to"]
    assert web["ports"] == [{"protocol": "TCP", "port": 443}]
    assert "169.254.0.0/16" in peer["ipBlock"]["except"]
    assert spec_of(planned(), "default-deny") == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


MIRROR = {"weights_mirror": "http://hub.internal:8081/hf", "weights_networks": ["10.20.0.0/24"]}


def test_pods_with_a_mirror_reach_names_and_the_mirror_only() -> None:
    plan = planned(place={"options": MIRROR})
    dns, weights = spec_of(plan, "traffic")["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert weights == {
        "to": [{"ipBlock": {"cidr": "10.20.0.0/24"}}],
        "ports": [{"protocol": "TCP", "port": 8081}],
    }
    env = {one["name"]: one["value"] for one in containers(plan)["vllm"]["env"]}
    assert env["HF_ENDPOINT"] == "http://hub.internal:8081/hf"


@pytest.mark.parametrize(("url", "port"), [("https://a.internal", 443), ("http://a.internal", 80)])
def test_a_mirror_is_reached_on_the_port_of_its_scheme(url: str, port: int) -> None:
    plan = planned(place={"options": {**MIRROR, "weights_mirror": url}})
    assert spec_of(plan, "traffic")["egress"][1]["ports"] == [{"protocol": "TCP", "port": port}]


def test_a_service_with_a_boundary_is_told_what_pods_without_a_mirror_can_reach() -> None:
    said = [note for note in planned(residency="eu").notes if "weights_mirror" in note]
    assert len(said) == 1
    assert not [n for n in planned(place={"options": MIRROR}).notes if "weights_mirror" in n]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"weights_mirror": "https://hub.internal"}, "is empty"),
        ({"weights_networks": ["10.20.0.0/24"]}, "without weights_mirror"),
        ({**MIRROR, "weights_networks": ["hub.internal"]}, "no range of addresses"),
        ({**MIRROR, "weights_networks": ["0.0.0.0/1"]}, "a part of the internet"),
        ({**MIRROR, "weights_networks": ["::/0"]}, "a part of the internet"),
    ],
)
def test_a_mirror_that_pods_could_not_be_held_to_is_refused(options: Json, why: str) -> None:
    refusal = refused(place={"options": options})
    assert why in refusal["placement.options.weights_networks"]


def test_new_runtime_code_is_a_new_config_map() -> None:
    plan = planned()
    code = cast("Json", plan.objects["runtime"])
    volume = next(each for each in pod(plan)["volumes"] if each["name"] == "code")
    assert code["immutable"] is True
    assert code["metadata"]["name"] == f"chat-prod-runtime-{plan.code_sha256[:12]}"
    assert volume["configMap"]["name"] == code["metadata"]["name"]


def test_no_key_is_in_any_object() -> None:
    text = json.dumps(planned().model_dump(mode="json")["objects"])
    assert "stringData" not in text
    assert "pw-" not in text


@pytest.mark.parametrize(
    ("flavour", "region", "node"),
    [("gke", "europe-west4", "g2-standard-8"), ("eks", "eu-central-1", "g6.xlarge")],
)
def test_the_region_decides_whose_cluster_it_is(flavour: str, region: str, node: str) -> None:
    plan = planned(place={"region": region})
    assert (plan.flavour, plan.node) == (flavour, node)


def test_every_default_is_a_known_machine_of_its_flavour() -> None:
    for flavour in regions():
        assert nodes()[default_node(flavour) or ""].flavour == flavour


def test_min_0_needs_somebody_who_wakes_the_service() -> None:
    assert set(refused({"min": 0, "max": 1, "concurrency": 8})) == {"scaling.min"}


def test_every_reason_is_given_at_once() -> None:
    paths = refused(
        {"min": 0, "max": 1, "concurrency": 8},
        {"cluster": None, "region": "europe-west9", "options": {"nodes": 2}},
        model="qwen3-32b",
        access={"auth": "iam", "reach": "public"},
    )
    assert set(paths) == {
        "placement.cluster",
        "placement.region",
        "placement.options.nodes",
        "access.auth",
        "model",
        "scaling.min",
    }


def test_a_named_node_stands_for_a_region_that_no_table_knows() -> None:
    place = {"region": "europe-north1", "options": {"flavour": "gke", "node": "g2-standard-4"}}
    plan = planned(place=place)
    assert any(note.startswith("europe-north1 is not confirmed") for note in plan.notes)


def scalings() -> Iterator[tuple[int, int]]:
    yield from ((low, high) for low in range(4) for high in range(max(1, low), 4))


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(list(scalings())),
    st.integers(1, 64),
    st.integers(1, 3600),
    st.sampled_from(sorted(model.id for model in catalogue().values() if fits(model))),
    st.sampled_from(["public", "private"]),
)
def test_what_is_planned_honours_what_was_asked_and_the_api_accepts_it(
    scaling: tuple[int, int], concurrency: int, timeout: int, model: str, reach: str
) -> None:
    low, high = scaling
    keda: Json = {} if low else {"scale_to_zero": "keda"}
    host: Json = {"hostname": "chat.acme.example"} if keda and reach == "public" else {}
    plan = planned(
        {"min": low, "max": high, "concurrency": concurrency},
        {"options": {**keda, **host}},
        model=model,
        timeout_seconds=timeout,
        access={"auth": "api-key", "reach": reach},
    )
    assert (plan.min_replicas, plan.max_replicas, plan.concurrency) == (low, high, concurrency)
    for obj in plan.objects.values():
        check_object(with_defaults(cast("Json", obj)))
