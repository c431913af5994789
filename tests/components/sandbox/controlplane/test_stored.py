"""The stored cluster answers as an API server does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.controlplane.errors import ApiError
from portway.sandbox.controlplane.objects import Object, Ref
from portway.sandbox.controlplane.stored import StoredApi
from portway.sandbox.store import Key, Status, Store
from support import kube_objects as kube

MANAGER = "tests"
DEPLOYMENT = Ref("apps/v1", "Deployment", "chat", "chat-prod")
KEY = Key("kubernetes", "prod-eu", "kubernetes:apps/v1:Deployment", "chat-prod/chat")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cloud.db")


@pytest.fixture
def api(store: Store) -> StoredApi:
    cluster = StoredApi(store, "prod-eu", urn="urn:test")
    cluster.create(kube.namespace(), field_manager=MANAGER)
    return cluster


def refusal(api: StoredApi, obj: Object) -> str:
    with pytest.raises(ApiError) as refused:
        api.create(obj, field_manager=MANAGER)
    return refused.value.message


def conditions(obj: Object) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in obj["status"]["conditions"]}


def test_a_created_object_comes_back_with_what_the_cluster_filled_in(api: StoredApi) -> None:
    created = api.create(kube.deployment(), field_manager=MANAGER)
    spec = created["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)  # fmt: skip
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Always"
    assert pod["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert pod["containers"][0]["ports"] == [
        {"name": "http", "containerPort": 8080, "protocol": "TCP"}
    ]
    assert api.get(DEPLOYMENT) == created


def test_what_was_applied_is_kept_beside_what_is_stored(store: Store, api: StoredApi) -> None:
    api.create(kube.deployment(), field_manager=MANAGER)
    row = store.get(KEY)
    assert row is not None
    assert (row.inputs, row.urn) == (kube.deployment(), "urn:test")
    assert "status" not in row.outputs


def test_names_collide_inside_one_cluster_only(store: Store, api: StoredApi) -> None:
    api.create(kube.deployment(), field_manager=MANAGER)
    assert refusal(api, kube.deployment()) == 'deployments.apps "chat" already exists'
    other = StoredApi(store, "prod-us")
    other.create(kube.namespace(), field_manager=MANAGER)
    assert other.create(kube.deployment(), field_manager=MANAGER)["metadata"]["name"] == "chat"


def test_a_dry_run_stores_nothing(api: StoredApi) -> None:
    assert "status" not in api.create(kube.deployment(), field_manager=MANAGER, dry_run=True)
    assert api.get(DEPLOYMENT) is None


def test_a_namespace_must_exist_before_what_is_in_it(api: StoredApi) -> None:
    stray = kube.deployment()
    stray["metadata"]["namespace"] = "nowhere"
    assert refusal(api, stray) == 'namespaces "nowhere" not found'


def test_deleting_a_namespace_takes_everything_in_it(api: StoredApi) -> None:
    api.create(kube.deployment(), field_manager=MANAGER)
    assert api.delete(Ref("v1", "Namespace", "chat-prod"))
    assert api.get(DEPLOYMENT) is None
    assert not api.delete(DEPLOYMENT)


def test_applying_the_same_object_again_changes_nothing(store: Store, api: StoredApi) -> None:
    first = api.create(kube.deployment(), field_manager=MANAGER)
    before = store.revision()
    assert api.apply(kube.deployment(), field_manager=MANAGER) == first
    assert store.revision() == before


def test_applying_a_change_counts_the_generation_and_keeps_the_identity(api: StoredApi) -> None:
    first = api.create(kube.deployment(), field_manager=MANAGER)
    second = api.apply(kube.deployment(replicas=2), field_manager=MANAGER)
    assert second["metadata"]["generation"] == first["metadata"]["generation"] + 1
    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    assert second["spec"]["replicas"] == 2


def test_another_field_manager_meets_a_conflict(api: StoredApi) -> None:
    api.create(kube.deployment(replicas=1), field_manager=MANAGER)
    with pytest.raises(ApiError) as refused:
        api.apply(kube.deployment(replicas=2), field_manager="somebody")
    assert refused.value.message == (
        'Apply failed with 1 conflict: conflict with "tests": .spec.replicas'
    )


def test_fields_that_never_change_are_refused(api: StoredApi) -> None:
    api.create(kube.deployment(), field_manager=MANAGER)
    labels = {"app": "other"}
    changed = kube.deployment(selector={"matchLabels": labels})
    changed["spec"]["template"]["metadata"]["labels"] = labels
    with pytest.raises(ApiError) as refused:
        api.apply(changed, field_manager=MANAGER)
    assert refused.value.message == (
        'Deployment.apps "chat" is invalid: spec.selector: Invalid value: '
        '{"matchLabels":{"app":"other"}}: field is immutable'
    )


def test_an_immutable_config_map_keeps_its_data(api: StoredApi) -> None:
    api.create(kube.of("v1", "ConfigMap", immutable=True, data={"a": "1"}), field_manager=MANAGER)
    with pytest.raises(ApiError, match="field is immutable when `immutable` is set"):
        api.apply(
            kube.of("v1", "ConfigMap", immutable=True, data={"a": "2"}), field_manager=MANAGER
        )


def test_secret_text_is_stored_encoded(api: StoredApi) -> None:
    live = api.create(kube.of("v1", "Secret", stringData={"k": "v"}), field_manager=MANAGER)
    assert (live["data"], live["type"]) == ({"k": "dg=="}, "Opaque")
    assert "stringData" not in live


def test_an_unknown_kind_is_no_match(api: StoredApi) -> None:
    assert refusal(api, kube.of("example.org/v1", "Thing")) == (
        'no matches for kind "Thing" in version "example.org/v1"'
    )


def test_a_kind_is_known_once_its_definition_is_applied(api: StoredApi) -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "required": ["size"]}}}
    spec = {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        ],
    }
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.org"},
        "spec": spec,
    }
    api.create(definition, field_manager=MANAGER)
    thing = kube.of("example.org/v1", "Thing", spec={"size": 1})
    assert conditions(api.create(thing, field_manager=MANAGER)) == {"Ready": ("True", "ThingReady")}
    wrong = kube.of("example.org/v1", "Thing", "second", spec={})
    assert refusal(api, wrong) == 'Thing.example.org "second" is invalid: spec.size: Required value'


def test_a_scaled_object_is_judged_by_its_definition(api: StoredApi) -> None:
    spec: Object = {"scaleTargetRef": {"name": "chat"}, "triggers": [], "minReplicas": 0}
    assert refusal(api, kube.of("keda.sh/v1alpha1", "ScaledObject", spec=spec)) == (
        'ScaledObject in version "v1alpha1" cannot be handled as a ScaledObject: '
        'strict decoding error: unknown field "spec.minReplicas"'
    )


def test_a_workload_has_one_scaler(api: StoredApi) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}
    hpa = kube.of(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        spec={"scaleTargetRef": target, "maxReplicas": 2},
    )
    api.create(hpa, field_manager=MANAGER)
    scaled: Object = {"scaleTargetRef": {"name": "chat"}, "triggers": []}
    assert refusal(api, kube.of("keda.sh/v1alpha1", "ScaledObject", spec=scaled)) == (
        "admission webhook \"vscaledobject.kb.io\" denied the request: the workload 'chat' of type "
        "'apps/v1.Deployment' is already managed by the hpa 'chat'"
    )


def test_a_deployment_is_ready_when_the_data_plane_serves_its_generation(
    store: Store, api: StoredApi
) -> None:
    api.create(kube.deployment(), field_manager=MANAGER)
    assert conditions(live(api))["Available"] == ("False", "MinimumReplicasUnavailable")
    store.set_status(str(KEY), Status(1, ready=True))
    assert conditions(live(api)) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    api.apply(kube.deployment(replicas=2), field_manager=MANAGER)
    assert conditions(live(api))["Available"] == ("False", "MinimumReplicasUnavailable")


def test_a_deployment_that_the_data_plane_gave_up_stops_progressing(
    store: Store, api: StoredApi
) -> None:
    api.create(kube.deployment(), field_manager=MANAGER)
    store.set_status(
        str(KEY), Status(1, ready=False, message="back-off restarting failed container")
    )
    found = live(api)["status"]["conditions"]
    assert found[0]["message"].endswith("back-off restarting failed container")
    assert conditions(live(api))["Progressing"] == ("False", "ProgressDeadlineExceeded")


def test_without_a_data_plane_everything_is_ready_at_once(store: Store, api: StoredApi) -> None:
    store.set_meta("dataplane", "off")
    created = api.create(kube.deployment(replicas=3), field_manager=MANAGER)
    assert created["status"]["availableReplicas"] == 3


def live(api: StoredApi) -> Object:
    found = api.get(DEPLOYMENT)
    assert found is not None
    return found


def failed_create(api: StoredApi) -> str:
    (found,) = [c for c in live(api)["status"]["conditions"] if c["type"] == "ReplicaFailure"]
    assert found["reason"] == "FailedCreate"
    return str(found["message"])


def test_a_pod_that_breaks_the_restricted_level_is_refused_at_its_replica_set(
    store: Store, api: StoredApi
) -> None:
    store.set_meta("dataplane", "off")
    api.create(kube.with_container(securityContext={}), field_manager=MANAGER)
    assert failed_create(api) == (
        'pods "chat-" is forbidden: violates PodSecurity "restricted:latest": '
        'allowPrivilegeEscalation != false (container "runtime" must set securityContext.allowPrivilegeEscalation=false), '
        'unrestricted capabilities (container "runtime" must set securityContext.capabilities.drop=["ALL"]), '
        'runAsNonRoot != true (pod or container "runtime" must set securityContext.runAsNonRoot=true), '
        'seccompProfile (pod or container "runtime" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
    )


def test_pods_over_the_quota_are_refused_at_their_replica_set(api: StoredApi) -> None:
    quota = kube.of("v1", "ResourceQuota", "gpus", spec={"hard": {"requests.nvidia.com/gpu": "1"}})
    api.create(quota, field_manager=MANAGER)
    gpu = {"limits": {"nvidia.com/gpu": "1"}}
    wanted = kube.with_container(resources=gpu)
    wanted["spec"]["replicas"] = 2
    api.create(wanted, field_manager=MANAGER)
    assert failed_create(api) == (
        'pods "chat-" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, '
        "used: requests.nvidia.com/gpu=1, limited: requests.nvidia.com/gpu=1"
    )


@pytest.mark.parametrize(
    ("pod", "text"),
    [
        ({"serviceAccountName": "absent"}, 'serviceaccount "absent" not found'),
        ({"priorityClassName": "absent"}, "no PriorityClass with name absent was found"),
        ({"runtimeClassName": "nvidia"}, 'RuntimeClass "nvidia" not found'),
    ],
)
def test_what_a_pod_refers_to_must_exist(api: StoredApi, pod: dict[str, Any], text: str) -> None:
    api.create(kube.with_pod(**pod), field_manager=MANAGER)
    assert failed_create(api).endswith(text)


def test_a_volume_waits_for_its_source(store: Store, api: StoredApi) -> None:
    store.set_meta("dataplane", "off")
    volumes = [{"name": "keys", "secret": {"secretName": "keys"}}]
    api.create(kube.with_pod(volumes=volumes), field_manager=MANAGER)
    waiting = live(api)["status"]["conditions"][0]["message"]
    assert waiting.endswith('MountVolume.SetUp failed for volume "keys" : secret "keys" not found')
    api.create(kube.of("v1", "Secret", "keys", stringData={"k": "v"}), field_manager=MANAGER)
    assert conditions(live(api))["Available"] == ("True", "MinimumReplicasAvailable")


def test_a_pod_waits_for_the_claim_of_its_disk(store: Store, api: StoredApi) -> None:
    store.set_meta("dataplane", "off")
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "counts"}}]
    api.create(kube.with_pod(volumes=volumes), field_manager=MANAGER)
    waiting = live(api)["status"]["conditions"][0]["message"]
    assert waiting.endswith('persistentvolumeclaim "counts" not found.')
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    api.create(kube.of("v1", "PersistentVolumeClaim", "counts", spec=spec), field_manager=MANAGER)
    assert conditions(live(api))["Available"] == ("True", "MinimumReplicasAvailable")


def test_a_load_balancer_has_a_loopback_address_of_its_own(store: Store, api: StoredApi) -> None:
    created = api.create(kube.service(type="LoadBalancer"), field_manager=MANAGER)
    port = store.port("kubernetes|prod-eu|kubernetes:core/v1:Service|chat-prod/chat")
    assert created["status"]["loadBalancer"]["ingress"] == [
        {"ip": "127.0.0.1", "ipMode": "Proxy", "ports": [{"port": port, "protocol": "TCP"}]}
    ]
    again = api.get(Ref("v1", "Service", "chat", "chat-prod"))
    assert again == created


def test_a_cluster_address_is_kept_through_changes(api: StoredApi) -> None:
    first = api.create(kube.service(), field_manager=MANAGER)
    changed = kube.service(sessionAffinity="ClientIP")
    second = api.apply(changed, field_manager=MANAGER)
    assert first["spec"]["clusterIP"].startswith("10.96.")
    assert second["spec"]["clusterIP"] == first["spec"]["clusterIP"]


def test_endpoints_say_which_pods_serve(store: Store, api: StoredApi) -> None:
    api.create(kube.service(), field_manager=MANAGER)
    endpoints = Ref("v1", "Endpoints", "chat", "chat-prod")
    subsets: Callable[[], Any] = lambda: (api.get(endpoints) or {})["subsets"]  # noqa: E731
    assert subsets() == []
    api.create(kube.deployment(replicas=2), field_manager=MANAGER)
    assert subsets() == [{"notReadyAddresses": [{"ip": "127.0.0.1"}] * 2}]
    store.set_status(str(KEY), Status(1, ready=True))
    assert subsets() == [{"addresses": [{"ip": "127.0.0.1"}] * 2}]


def test_objects_are_listed_by_kind_and_namespace(api: StoredApi) -> None:
    api.create(kube.namespace("other", None), field_manager=MANAGER)
    for where in ("chat-prod", "other"):
        obj = kube.of("v1", "ConfigMap")
        obj["metadata"]["namespace"] = where
        api.create(obj, field_manager=MANAGER)
    assert len(api.list("v1", "ConfigMap")) == 2
    assert [o["metadata"]["namespace"] for o in api.list("v1", "ConfigMap", "other")] == ["other"]


def test_a_newer_release_knows_newer_kinds(store: Store, api: StoredApi) -> None:
    group = kube.of(
        "scheduling.k8s.io/v1beta1", "PodGroup", spec={"schedulingPolicy": {"basic": {}}}
    )
    assert refusal(api, group).startswith("no matches for kind")
    store.set_meta("kubernetes.version", "1.37")
    assert api.create(group, field_manager=MANAGER)["kind"] == "PodGroup"
