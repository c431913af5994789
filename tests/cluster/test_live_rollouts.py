"""New versions, full clusters and broken pods on the real control plane: clients notice nothing, users are told."""

import json
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import httpx
import pytest

from portway.sandbox.controlplane.nodes import DRIVER, GPU
from portway.sandbox.controlplane.objects import Object, Ref, dig, object_at, objects_at
from portway.sandbox.controlplane.server import ServerApi
from portway.sayings import explain
from support.live_cluster import away, played, provider, refusal_of, workload_of
from support.live_stack import (
    CLIENTS,
    DEPLOYMENT,
    MOST_NODES,
    STACK,
    STACK_FILE,
    asking,
    cluster_of,
    placement,
    small,
    small_pod,
)
from support.plugin import Plugin
from support.sandbox_project import SandboxProject, portway
from support.waiting import eventually

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.timeout(1800),
]
DEPLOYMENTS = "apps/v1:Deployment"
LONG_SECONDS = 300


def pods_of(api: ServerApi, namespace: str = "chat-prod") -> list[Object]:
    return api.list("v1", "Pod", namespace)


def test_a_new_version_rolls_out_while_the_server_is_away_and_no_request_fails(
    deployed: SandboxProject,
) -> None:
    with cluster_of(deployed).api() as api:
        (before,) = pods_of(api)
        assert object_at(before, "spec").get("resourceClaims") is None
        (deployed.folder / STACK_FILE).write_text(placement(surge=1, gpu_claim="dra"))
        assert portway(deployed.folder, "sandbox", "env").returncode == 0
        done: list[Any] = []
        upping = threading.Thread(
            target=lambda: done.append(
                deployed.pulumi("up", "--yes", "--skip-preview", "--stack", STACK)
            )
        )
        with asking(deployed) as seen:
            upping.start()
            assert eventually(lambda: len(pods_of(api)) == 2, 300)
            with away(cluster_of(deployed), 10):
                pass
            upping.join()
        assert done[0].returncode == 0, done[0].stdout[-5000:] + done[0].stderr[-3000:]
        assert seen.failed == []
        assert seen.answered > CLIENTS
        assert eventually(lambda: len(pods_of(api)) == 1, 60)
        (after,) = pods_of(api)
        assert dig(after, "metadata", "name") != dig(before, "metadata", "name")
        claims = api.list("resource.k8s.io/v1", "ResourceClaim", "chat-prod")
        allocated = [dig(each, "status", "allocation", "devices", "results") for each in claims]
        assert [each[0]["driver"] for each in allocated] == [DRIVER], "a claim for each pod"
    unchanged = deployed.pulumi("preview", "--refresh", "--expect-no-changes", "--stack", STACK)
    assert unchanged.returncode == 0, unchanged.stdout[-5000:]


@pytest.fixture
def plugin(project: SandboxProject) -> Generator[Plugin]:
    with provider(cluster_of(project).layout.root, enablePatchForce=True) as made:
        yield made
        # the namespace goes with all that is in it, and what it was noted as too
        for row in made.store.all(cloud="kubernetes"):
            if row.key.id.startswith("small/"):
                made.store.delete(row.key)


def shown(project: SandboxProject, resource: str) -> dict[str, str]:
    """What `portway sandbox status` says of it."""
    status = json.loads(portway(project.folder, "sandbox", "status", "--json").stdout)
    found = (each for each in status["serving"] if each["resource"] == resource)
    return next(found, {"message": "", "endpoint": ""})


def told(act: Callable[[], object]) -> str:
    """What an `up` says that waits for pods in vain, long before its own time is over."""
    began = time.monotonic()
    said = "\n".join(refusal_of(act).reasons)
    assert time.monotonic() - began < LONG_SECONDS / 2
    return said


def ours(said: str) -> str:
    """The same, as `portway up` adds it."""
    (found,) = explain([("small/app", said)], STACK)
    return found.means


CLAIM = {
    "apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaimTemplate",
    "metadata": {"name": "gpu", "namespace": "small"},
    "spec": {"spec": {"devices": {"requests": [
        {"name": "gpu", "exactly": {"deviceClassName": DRIVER}}
    ]}}},
}  # fmt: skip
ONE_GPU = {"node.kubernetes.io/instance-type": "g2-standard-8"}
EXTENDED: Object = {"resources": {"limits": {GPU: "1"}}}
CLAIMED: Object = {
    "resources": {"claims": [{"name": "gpu"}]},
    "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "gpu"}],
}


@pytest.mark.parametrize(
    ("asked", "words", "means"),
    [
        pytest.param(
            EXTENDED, f"Insufficient {GPU}", f"pods wait for {GPU}: 0/", id="extended"
        ),
        pytest.param(
            CLAIMED, "cannot allocate all claims", "pods wait for their claims of devices: 0/",
            id="dra", marks=pytest.mark.long,
        ),
    ],
)  # fmt: skip
def test_a_pod_for_which_no_gpu_is_left_waits_and_the_user_reads_why(
    asked: Object, words: str, means: str, own: ServerApi, plugin: Plugin, project: SandboxProject
) -> None:
    own.apply(CLAIM, field_manager="test")
    # nodes that others just left are not theirs: they would be room for one more
    alone = {**ONE_GPU, "example.com/only": "claims" if asked is CLAIMED else "limits"}
    pod = played("small", pool="any", nodeSelector=alone, **asked)
    said = told(
        lambda: plugin.create(
            DEPLOYMENTS, "app", workload_of(pod, MOST_NODES + 1), timeout_seconds=LONG_SECONDS
        )
    )
    assert "[Pod small/app-" in said
    assert words in said
    assert f"(the node pool has its most nodes, {MOST_NODES})" in said
    assert ours(said).startswith(means)
    phases = sorted(str(dig(pod, "status", "phase")) for pod in pods_of(own, "small"))
    assert phases == ["Pending", *["Running"] * MOST_NODES]
    claims = own.list("resource.k8s.io/v1", "ResourceClaim", "small")
    assert len(claims) == (MOST_NODES + 1 if asked is CLAIMED else 0), "a claim for each pod"
    # what is shown is a second old
    assert eventually(lambda: words in shown(project, "Deployment small/app")["message"], 60)


@pytest.mark.long
def test_an_image_that_cannot_be_pulled_ends_an_up_and_the_next_one_is_whole(
    own: ServerApi, plugin: Plugin
) -> None:
    labels = {"app": "small"}
    broken = small_pod()
    right = broken["spec"]["containers"][0]["image"]
    broken["spec"]["containers"][0]["image"] = "registry.acme.example/none@sha256:" + "0" * 64
    made: Object = small(
        "apps/v1", "Deployment", "app", selector={"matchLabels": labels}, template=broken
    )
    failed = refusal_of(
        lambda: plugin.create(DEPLOYMENTS, "app", made, timeout_seconds=LONG_SECONDS)
    )
    said = "\n".join(failed.reasons)
    assert ", container app] ErrImagePull: Failed to pull image 'registry.acme.example/none" in said
    assert ours(said).startswith("a node cannot get the image of a container")
    events = [each["reason"] for each in own.list("v1", "Event", "small")]
    assert "Failed" in events
    broken["spec"]["containers"][0]["image"] = right
    # the engine keeps what failed: the next `up` updates it
    live = plugin.read(DEPLOYMENTS, "app", failed.state.id)
    assert live is not None
    done = plugin.update(live, made)
    assert dig(done.outputs, "status", "availableReplicas") == 1
    assert len(own.list("apps/v1", "Deployment", "small")) == 1
    assert eventually(lambda: len(pods_of(own, "small")) == 1, 60)


def test_a_probe_that_never_passes_ends_an_up_with_what_it_says(
    own: ServerApi, plugin: Plugin
) -> None:
    never = small_pod()
    never["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"] = "/nothing"
    made: Object = small(
        "apps/v1", "Deployment", "app", selector={"matchLabels": {"app": "small"}},
        template=never, progressDeadlineSeconds=5,
    )  # fmt: skip
    said = told(lambda: plugin.create(DEPLOYMENTS, "app", made, timeout_seconds=LONG_SECONDS))
    assert "has timed out progressing" in said
    assert "Unhealthy: Readiness probe failed: " in said
    assert ours(said).startswith("a container runs and is not ready: its readiness probe fails (")
    assert len(pods_of(own, "small")) == 1


@pytest.mark.long
def test_a_policy_decides_who_may_call(own: ServerApi, project: SandboxProject) -> None:
    def pods(name: str, **labels: str) -> Object:
        template = small_pod()
        template["metadata"]["labels"] = {"app": name, **labels}
        spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
        return small("apps/v1", "Deployment", name, **spec)

    def service(name: str, kind: str) -> Object:
        ports = [{"name": "http", "port": 80, "targetPort": "http"}]
        return small("v1", "Service", name, type=kind, selector={"app": name}, ports=ports)

    friends = {"podSelector": {"matchLabels": {"role": "friend"}}}
    policy = small(
        "networking.k8s.io/v1", "NetworkPolicy", "callee",
        podSelector={"matchLabels": {"app": "callee"}}, policyTypes=["Ingress"],
        ingress=[{"from": [friends]}],
    )  # fmt: skip
    objects = [
        pods("callee"), service("callee", "ClusterIP"), policy,
        pods("friend", role="friend"), service("friend", "LoadBalancer"),
        pods("stranger"), service("stranger", "LoadBalancer"),
    ]  # fmt: skip
    for obj in objects:
        own.apply(obj, field_manager="test")

    def called(by: str) -> Any:
        live = own.get(Ref("v1", "Service", by, "small"))
        ingress = objects_at(live, "status", "loadBalancer", "ingress")
        if not ingress:
            return "no address yet"
        address = f"http://127.0.0.1:{ingress[0]['ports'][0]['port']}/call"
        asked = {"url": "http://callee/environment", "seconds": "2"}
        try:
            return httpx.get(address, params=asked, timeout=30).json()["answered"]
        except httpx.HTTPError as error:
            return repr(error)

    assert eventually(lambda: called("friend") == 200, 90)
    assert eventually(lambda: called("stranger") is None, 90)
    logged = portway(project.folder, "sandbox", "logs").stdout
    assert (
        "a connection to the Service small/callee, port 80 is dropped: no NetworkPolicy" in logged
    )


def test_what_failed_left_the_service_as_it_was(deployed: SandboxProject) -> None:
    with cluster_of(deployed).api() as api:
        assert dig(api.get(DEPLOYMENT), "status", "availableReplicas") == 1


@pytest.mark.long
def test_a_route_leads_by_host_and_weight(own: ServerApi, project: SandboxProject) -> None:
    def version(name: str) -> list[Object]:
        template = small_pod()
        template["metadata"]["labels"] = {"app": name}
        template["spec"]["containers"][0]["env"] = [{"name": "VERSION", "value": name}]
        ports = [{"name": "http", "port": 80, "targetPort": "http"}]
        selector = {"matchLabels": {"app": name}}
        return [
            small("apps/v1", "Deployment", name, selector=selector, template=template),
            small("v1", "Service", name, selector={"app": name}, ports=ports),
        ]

    def weigh(old: int, new: int) -> None:
        weights = {"old": old, "new": new}
        backends = [{"name": name, "port": 80, "weight": each} for name, each in weights.items()]
        route = small(
            "gateway.networking.k8s.io/v1", "HTTPRoute", "small",
            parentRefs=[{"name": "edge", "namespace": "gateways"}],
            hostnames=["small.acme.example"], rules=[{"backendRefs": backends}],
        )  # fmt: skip
        own.apply(route, field_manager="test")

    def asked(host: str) -> str:
        address = shown(project, "Gateway gateways/edge for small.acme.example")["endpoint"]
        if not address:
            return "no gateway yet"
        with httpx.Client(headers={"host": host}, timeout=30) as client:
            answers = [client.get(f"{address}/environment") for _ in range(20)]
        said = [
            each.json()["environment"]["VERSION"] if each.is_success else str(each.status_code)
            for each in answers
        ]
        return ", ".join(f"{name} {said.count(name)}" for name in sorted(set(said)))

    for obj in (*version("old"), *version("new")):
        own.apply(obj, field_manager="test")
    weigh(3, 1)
    assert eventually(lambda: asked("small.acme.example") == "new 5, old 15", 120)
    assert asked("evil.example") == "404 20"
    weigh(0, 1)
    assert eventually(lambda: asked("small.acme.example") == "new 20", 60)
