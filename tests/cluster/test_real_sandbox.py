"""``portway sandbox start --kubernetes real`` as a user meets it: up, asked, drifted, killed, destroyed."""

import json
import os
import signal

import httpx
import pytest

from portway.sandbox.controlplane.objects import Ref, dig
from portway.sandbox.controlplane.server import ServerApi
from support.live_cluster import condition
from support.live_stack import (
    STACK,
    answer,
    answers,
    cluster_of,
    live_deployment,
    parts,
    small,
    small_pod,
)
from support.sandbox_project import SandboxProject, portway
from support.waiting import eventually

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.timeout(1800),
]


def test_a_stack_runs_where_the_scheduler_puts_it_and_answers(deployed: SandboxProject) -> None:
    assert len(answer(deployed)) > 10
    with cluster_of(deployed).api() as api:
        pod = api.list("v1", "Pod", "chat-prod")[0]
        node = api.get(Ref("v1", "Node", str(dig(pod, "spec", "nodeName")))) or {}
    labels = node["metadata"]["labels"]
    assert labels["topology.kubernetes.io/region"] == "europe-west4"
    assert dig(pod, "status", "phase") == "Running"


def test_status_says_which_kubernetes_is_in_use(deployed: SandboxProject) -> None:
    shown = portway(deployed.folder, "sandbox", "status", "--json")
    status = json.loads(shown.stdout)
    assert status["kubernetes"]["which"] == "real"
    assert len(status["kubernetes"]["running"]) == 5
    assert next(each for each in status["serving"] if each["endpoint"])["ready"] is True
    refused = portway(deployed.folder, "sandbox", "start", "--kubernetes", "embedded")
    assert refused.returncode == 2
    assert "objects are deployed in the real cluster" in refused.stderr


def test_an_up_with_a_refresh_puts_back_what_somebody_else_changed(
    deployed: SandboxProject,
) -> None:
    policy = Ref("networking.k8s.io/v1", "NetworkPolicy", "chat-prod-default-deny", "chat-prod")
    with cluster_of(deployed).api() as api:
        changed = api.client.patch(
            "/apis/apps/v1/namespaces/chat-prod/deployments/chat-prod",
            params={"fieldManager": "somebody"},
            json={"spec": {"progressDeadlineSeconds": 1234}},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert changed.is_success, changed.text
        assert api.delete(policy)
        done = deployed.pulumi(
            "up", "--yes", "--skip-preview", "--refresh", "--diff", "--stack", STACK
        )
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
        assert "progressDeadlineSeconds: 1234 => 1620" in done.stdout
        live = live_deployment(deployed) or {}
        assert dig(live, "spec", "progressDeadlineSeconds") == 1620
        assert api.get(policy) is not None
    clean = deployed.pulumi("preview", "--refresh", "--expect-no-changes", "--stack", STACK)
    assert clean.returncode == 0, clean.stdout[-5000:]


def test_a_killed_daemon_finds_its_cluster_again(deployed: SandboxProject) -> None:
    status = json.loads(portway(deployed.folder, "sandbox", "status", "--json").stdout)
    before = {name: each.pid for name, each in parts(deployed).items()}
    os.kill(status["pid"], signal.SIGKILL)
    started = portway(deployed.folder, "sandbox", "start", "--json")
    assert json.loads(started.stdout)["started"] is True
    assert {name: each.pid for name, each in parts(deployed).items()} == before
    assert eventually(lambda: answers(deployed), 60)


def test_what_is_deployed_outlives_the_control_plane(deployed: SandboxProject) -> None:
    parts(deployed)["kube-apiserver"].kill()
    parts(deployed)["etcd"].kill()
    started = portway(deployed.folder, "sandbox", "start", "--json")
    assert started.returncode == 0, started.stderr
    assert len(parts(deployed)) == 5
    assert live_deployment(deployed) is not None
    assert eventually(lambda: answers(deployed), 60)


def test_a_request_wakes_what_was_scaled_to_zero(own: ServerApi) -> None:
    labels = {"app": "small"}
    objects = (
        small("apps/v1", "Deployment", selector={"matchLabels": labels}, template=small_pod()),
        small(
            "keda.sh/v1alpha1", "ScaledObject", minReplicaCount=0, cooldownPeriod=50,
            scaleTargetRef={"name": "small"},
            triggers=[{"type": "external-push", "metadata": {"scalerAddress": "keda:9090"}}],
        ),
        small(
            "v1", "Service", type="LoadBalancer", selector=labels,
            ports=[{"port": 80, "targetPort": "http"}],
        ),
    )  # fmt: skip
    for obj in objects:
        own.apply(obj, field_manager="test")
    ref = Ref("apps/v1", "Deployment", "small", "small")
    assert eventually(lambda: dig(own.get(ref), "spec", "replicas") == 0, 60)
    scaled = own.get(Ref("keda.sh/v1alpha1", "ScaledObject", "small", "small"))
    assert condition(scaled, "Ready") == "True"
    service = own.get(Ref("v1", "Service", "small", "small")) or {}
    port = service["status"]["loadBalancer"]["ingress"][0]["ports"][0]["port"]
    answer = httpx.get(f"http://127.0.0.1:{port}/environment", timeout=60)
    assert answer.status_code == 200
    assert dig(own.get(ref), "spec", "replicas") == 1


def test_a_group_of_nodes_is_a_leader_that_answers_and_workers_in_their_places(
    own: ServerApi,
) -> None:
    group = {"size": 2, "leaderTemplate": small_pod(), "workerTemplate": small_pod()}
    wanted = small("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", replicas=1, leaderWorkerTemplate=group)  # fmt: skip
    own.apply(wanted, field_manager="test")
    ref = Ref("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "small", "small")
    assert eventually(lambda: condition(own.get(ref), "Available") == "True", 60)
    pods = own.list("v1", "Pod", "small")
    assert sorted(str(dig(pod, "metadata", "name")) for pod in pods) == ["small-0", "small-0-1"]
    assert all(dig(pod, "spec", "nodeName") for pod in pods)


def test_destroying_leaves_nothing(deployed: SandboxProject) -> None:
    done = deployed.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    with cluster_of(deployed).api() as api:
        assert api.get(Ref("v1", "Namespace", "chat-prod")) is None
        assert api.list("v1", "Pod", "chat-prod") == []
        assert api.list("v1", "PersistentVolume") == []
    assert deployed.store.all(cloud="kubernetes") == []
