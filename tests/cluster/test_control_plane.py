"""What only a real control plane decides: ownership, admission, scheduling, allocation, rollout, eviction."""

import ssl

import httpx
import pytest

from portway.sandbox.controlplane.errors import ApiError
from portway.sandbox.controlplane.nodes import DRIVER, GPU
from portway.sandbox.controlplane.objects import Object, Ref, dig, objects_at
from portway.sandbox.controlplane.programs import KUBERNETES_VERSION
from support.live_cluster import Cluster, condition, played, workload_of
from support.waiting import eventually

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.timeout(1800),  # the first one builds the control plane where nobody has yet
]
ONE_GPU = {"limits": {GPU: "1"}}


def config_map(namespace: str, **data: str) -> Object:
    metadata = {"name": "settings", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def refusal(cluster: Cluster, obj: Object, **more: object) -> ApiError:
    with pytest.raises(ApiError) as refused:
        cluster.apply(obj, **more)  # pyright: ignore[reportArgumentType] - manager or dry_run
    return refused.value


def test_it_is_the_version_that_was_built_and_has_what_stacks_need(cluster: Cluster) -> None:
    assert cluster.api.client.get("/version").json()["gitVersion"] == KUBERNETES_VERSION
    assert cluster.api.get(Ref("resource.k8s.io/v1", "DeviceClass", DRIVER))
    assert cluster.api.list("keda.sh/v1alpha1", "ScaledObject") == []
    assert sorted(cluster.real.running()) == [
        "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok",
    ]  # fmt: skip


def test_nobody_is_served_without_a_certificate(cluster: Cluster) -> None:
    trust = ssl.create_default_context(cafile=cluster.real.folder.pki / "ca.crt")
    with httpx.Client(verify=trust, trust_env=False) as stranger:
        answer = stranger.get(cluster.api.client.base_url.join("/api/v1/secrets"))
    assert answer.status_code == 401


def test_a_field_belongs_to_who_applied_it(cluster: Cluster) -> None:
    home = cluster.namespace("owners")
    cluster.apply(config_map(home, colour="red"), "one")
    cluster.apply({**config_map(home, size="big")}, "two")
    clash = refusal(cluster, config_map(home, colour="blue"), manager="two")
    assert (clash.code, clash.reason) == (409, "Conflict")
    assert clash.message == 'Apply failed with 1 conflict: conflict with "one": .data.colour'
    live = cluster.api.get(Ref("v1", "ConfigMap", "settings", home)) or {}
    assert live["data"] == {"colour": "red", "size": "big"}


def test_a_dry_run_says_what_would_be_and_changes_nothing(cluster: Cluster) -> None:
    home = cluster.namespace("dry")
    shown = cluster.apply(config_map(home, a="1"), dry_run=True)
    assert shown["data"] == {"a": "1"}
    assert cluster.api.get(Ref("v1", "ConfigMap", "settings", home)) is None
    wrong: Object = {**config_map(home), "dta": {}}
    assert ".dta: field not declared in schema" in refusal(cluster, wrong, dry_run=True).message


def test_pod_security_refuses_a_privileged_pod(cluster: Cluster) -> None:
    home = cluster.namespace("restricted", "restricted")
    pod = played(home, pool="none")
    pod["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    refused = refusal(cluster, pod)
    assert refused.code == 403
    assert 'violates PodSecurity "restricted:latest": privileged' in refused.message


def test_a_quota_counts_gpus(cluster: Cluster) -> None:
    home = cluster.namespace("quota")
    quota = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "gpus", "namespace": home},
        "spec": {"hard": {f"requests.{GPU}": "1"}},
    }  # fmt: skip
    cluster.apply(quota)
    ref = Ref("v1", "ResourceQuota", "gpus", home)
    assert eventually(lambda: dig(cluster.api.get(ref), "status", "hard") is not None)
    cluster.apply(played(home, pool="none", resources=ONE_GPU))
    second = played(home, pool="none", resources=ONE_GPU)
    second["metadata"]["name"] = "second"
    assert f"exceeded quota: gpus, requested: requests.{GPU}=1" in refusal(cluster, second).message


def test_three_gpus_run_three_pods_and_a_rollout_never_needs_a_fourth(cluster: Cluster) -> None:
    home = cluster.namespace("gpus")
    pod = played(home, pool="gpus", resources=ONE_GPU)
    cluster.add_nodes(pod, "gpus", 3)
    no_surge = {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}
    cluster.apply(workload_of(pod, 4, **no_surge))
    assert eventually(lambda: cluster.phases(home) == ["Pending", "Running", "Running", "Running"])

    def said() -> list[str]:
        pods = [each for each in cluster.pods(home) if dig(each, "status", "phase") == "Pending"]
        conditions = [each for pod in pods for each in objects_at(pod, "status", "conditions")]
        return [str(each["message"]) for each in conditions]

    # a pod is there before the scheduler has looked at it
    assert eventually(lambda: any(f"3 Insufficient {GPU}" in each for each in said())), said()
    cluster.apply(workload_of(pod, 3, **no_surge))
    pod["spec"]["containers"][0]["image"] = "app:2"
    cluster.apply(workload_of(pod, 3, **no_surge))
    ref = Ref("apps/v1", "Deployment", "app", home)

    def rolled() -> bool:
        live = cluster.api.get(ref)
        status = (live or {}).get("status", {})
        counts = [status.get(f"{each}Replicas") for each in ("updated", "available")]
        is_seen = status.get("observedGeneration") == dig(live, "metadata", "generation")
        return is_seen and counts == [3, 3] and status.get("replicas") == 3

    assert eventually(rolled)

    def images() -> set[str]:
        return {each["spec"]["containers"][0]["image"] for each in cluster.pods(home)}

    # a rollout does not count a pod that goes, which is there for a moment
    assert eventually(lambda: images() == {"app:2"}), images()


def test_one_device_is_allocated_once(cluster: Cluster) -> None:
    home = cluster.namespace("claims")
    enough = f"device.capacity['{DRIVER}'].memory.compareTo(quantity('20Gi')) >= 0"
    exactly = {"deviceClassName": DRIVER, "selectors": [{"cel": {"expression": enough}}]}
    template = {
        "apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaimTemplate",
        "metadata": {"name": "gpu", "namespace": home},
        "spec": {"spec": {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}},
    }  # fmt: skip
    cluster.apply(template)
    claims = [{"name": "gpu", "resourceClaimTemplateName": "gpu"}]
    pod = played(
        home, pool="claims", resources={"claims": [{"name": "gpu"}]}, resourceClaims=claims
    )
    cluster.add_nodes(pod, "claims", 1)
    cluster.apply(workload_of(pod, 2))
    assert eventually(lambda: cluster.phases(home) == ["Pending", "Running"])
    found = cluster.api.list("resource.k8s.io/v1", "ResourceClaim", home)
    allocated = [
        device["device"]
        for claim in found
        for device in objects_at(claim, "status", "allocation", "devices", "results")
    ]
    assert allocated == ["gpu-0"]


def test_a_budget_holds_an_eviction_back(cluster: Cluster) -> None:
    home = cluster.namespace("budget")
    pod = played(home, pool="budget")
    cluster.add_nodes(pod, "budget", 1)
    cluster.apply(workload_of(pod, 2))
    assert eventually(lambda: cluster.phases(home) == ["Running", "Running"])
    ref = Ref("policy/v1", "PodDisruptionBudget", "app", home)

    def allowed() -> tuple[object, object]:
        status = dig(cluster.api.get(ref), "status")
        return dig(status, "currentHealthy"), dig(status, "disruptionsAllowed")

    cluster.apply(budget(home, 0))
    assert eventually(lambda: allowed() == (2, 0))
    name = str(dig(cluster.pods(home)[0], "metadata", "name"))
    code, answer = evict(cluster, home, name)
    assert code == 429
    assert "Cannot evict pod as it would violate the pod's disruption budget" in answer
    cluster.apply(budget(home, 1))
    assert eventually(lambda: allowed() == (2, 1))
    assert evict(cluster, home, name)[0] == 201


def budget(namespace: str, unavailable: int) -> dict[str, object]:
    return {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "app", "namespace": namespace},
        "spec": {"maxUnavailable": unavailable, "selector": {"matchLabels": {"app": "app"}}},
    }  # fmt: skip


def evict(cluster: Cluster, namespace: str, name: str) -> tuple[int, str]:
    about = {"name": name, "namespace": namespace}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": about}
    return cluster.post(f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body)


def test_an_autoscaler_keeps_a_deployment_above_its_least(cluster: Cluster) -> None:
    home = cluster.namespace("scaled")
    pod = played(home, pool="budget")
    workload = workload_of(pod, 1)
    del workload["spec"]["replicas"]
    cluster.apply(workload)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    scaler: Object = {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "app", "namespace": home},
        "spec": {
            "scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3,
            "metrics": [{"type": "Resource", "resource": metric}],
        },
    }  # fmt: skip
    cluster.apply(scaler)
    ref = Ref("apps/v1", "Deployment", "app", home)
    assert eventually(lambda: dig(cluster.api.get(ref), "spec", "replicas") == 2)
    scaler["spec"]["minReplicas"] = 0
    assert "must be greater than or equal to 1" in refusal(cluster, scaler).message


def test_a_namespace_takes_everything_in_it_along(cluster: Cluster) -> None:
    home = cluster.namespace("leaving")
    cluster.apply(workload_of(played(home, pool="none"), 1))
    assert eventually(lambda: len(cluster.pods(home)) == 1)
    assert cluster.api.delete(Ref("v1", "Namespace", home))
    assert eventually(lambda: cluster.api.get(Ref("v1", "Namespace", home)) is None)
    assert cluster.pods(home) == []
    assert condition(None, "Ready") is None
