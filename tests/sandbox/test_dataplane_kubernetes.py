"""Kubernetes: Deployments run as pods, Services answer, scalers scale."""

import json
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from portway.bundle import runtime_archive
from portway.sandbox.rehearsals import clear_rehearsals, set_rehearsal
from portway.sandbox.store import Key
from support.openai_clients import openai_client
from support.sandbox_daemon import Sandbox, sandbox
from support.sandbox_rows import API_KEY, MODEL, PYTHON_IMAGE, CloudRunChat, KubernetesChat
from support.waiting import eventually

pytestmark = pytest.mark.sandbox

APP = (Path(__file__).parents[1] / "support" / "small_app.py").read_text()
QUESTION: list[Any] = [{"role": "user", "content": "How large is the Earth?"}]
HEADERS = {"authorization": f"Bearer {API_KEY}"}


def answers(address: str) -> bool:
    try:
        return httpx.get(address, headers=HEADERS, timeout=20).status_code == 200
    except httpx.TransportError:
        return False


def small(
    running: Sandbox, *, replicas: int = 1, code: str = APP, **container: Any
) -> KubernetesChat:
    """A Deployment of the small app instead of the chat's containers."""
    given = KubernetesChat(running.cloud, b"")
    spec = given.deployment["spec"]
    spec["replicas"] = replicas
    app = {
        "name": "app",
        "image": PYTHON_IMAGE,
        "command": ["python"],
        "args": ["-c", code],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/environment", "port": "http"}, "periodSeconds": 1},
        **container,
    }
    spec["template"]["spec"] = {"containers": [app]}
    return given


@pytest.fixture(scope="module")
def chat(
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[tuple[Sandbox, KubernetesChat, Key, Key]]:
    with sandbox(tmp_path_factory.mktemp("chat")) as running:
        deployed = KubernetesChat(running.cloud, runtime_archive().path.read_bytes())
        service = deployed.expose()
        key = deployed.deploy()
        assert running.cloud.wait(key).ready
        yield running, deployed, key, service


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sandbox]:
    with sandbox(
        tmp_path_factory.mktemp("quick"), startup_floor_seconds="2", steady_probe_seconds="0.2"
    ) as running:
        yield running


def test_the_openai_client_is_answered_with_what_cloud_run_would_say(
    chat: tuple[Sandbox, KubernetesChat, Key, Key],
) -> None:
    running, _, key, service = chat
    client = openai_client(running.cloud.endpoint(service), API_KEY, max_retries=2)
    whole = (
        client.chat.completions.create(model=MODEL, messages=QUESTION).choices[0].message.content
    )
    pieces = client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == whole
    status = running.cloud.store.status(str(key))
    assert status is not None
    assert status.detail["readyReplicas"] == status.detail["replicas"] == 1
    same = CloudRunChat(running.cloud, runtime_archive().path.read_bytes())
    same.publish()
    other = same.deploy()
    assert running.cloud.wait(other).ready
    client = openai_client(running.cloud.endpoint(other), API_KEY, max_retries=2)
    again = (
        client.chat.completions.create(model=MODEL, messages=QUESTION).choices[0].message.content
    )
    assert again == whole


def test_a_key_added_to_the_secret_reaches_the_running_pod(
    chat: tuple[Sandbox, KubernetesChat, Key, Key],
) -> None:
    running, deployed, _, service = chat
    keys = json.dumps({"keys": ["pw-third", API_KEY]})
    meta = {"name": "keys", "namespace": "chat"}
    running.cloud.put(
        "kubernetes", deployed.scope, "kubernetes:core/v1:Secret", "chat/keys",
        {"metadata": meta, "stringData": {"keys.json": keys}},
    )  # fmt: skip
    address = f"{running.cloud.endpoint(service)}/v1/models"
    third = {"authorization": "Bearer pw-third"}
    assert eventually(lambda: httpx.get(address, headers=third).status_code == 200)


def test_replicas_share_the_requests_and_follow_the_number_wanted(quick: Sandbox) -> None:
    given = small(quick, replicas=2)
    address = quick.cloud.endpoint(given.expose())
    key = given.deploy()
    assert quick.cloud.wait(key).detail["readyReplicas"] == 2
    given.deployment["spec"]["replicas"] = 0
    given.deploy()
    assert quick.cloud.wait(key).detail["replicas"] == 0
    assert eventually(lambda: not answers(f"{address}/environment"))


def test_a_private_service_has_no_address_outside_its_cluster(quick: Sandbox) -> None:
    given = small(quick)
    service = given.expose()
    assert quick.cloud.wait(given.deploy()).ready
    address = f"{quick.cloud.endpoint(service)}/environment"
    assert eventually(lambda: answers(address))
    given.expose(kind="ClusterIP")
    assert eventually(lambda: not answers(address))


def test_a_container_that_ends_is_started_again(quick: Sandbox) -> None:
    given = small(quick)
    address = quick.cloud.endpoint(given.expose())
    assert quick.cloud.wait(given.deploy()).ready
    first = httpx.get(f"{address}/environment").json()["pid"]
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address}/crash")
    assert eventually(lambda: answers(f"{address}/environment"))
    assert httpx.get(f"{address}/environment").json()["pid"] != first


def test_a_rollout_that_fails_says_why_and_leaves_the_old_pods_serving(quick: Sandbox) -> None:
    given = small(quick)
    address = quick.cloud.endpoint(given.expose())
    key = given.deploy()
    assert quick.cloud.wait(key).ready
    broken = small(quick, code="raise SystemExit('no weights')")
    broken.deployment["spec"]["progressDeadlineSeconds"] = 10
    broken.deploy()
    failed = quick.cloud.wait(key)
    assert not failed.ready
    assert "exceeded its progress deadline" in failed.message
    assert "no weights" in failed.message
    assert answers(f"{address}/environment")
    image = small(quick, image="registry.example/app:1")
    image.deploy()
    assert "Failed to pull image 'registry.example/app:1'" in quick.cloud.wait(key).message


@pytest.mark.parametrize(
    ("rehearsal", "said"),
    [
        ("image-missing", f"Failed to pull image '{PYTHON_IMAGE}': not found"),
        ("gpu-capacity", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu"),
        ("probe-never-passes", "Readiness probe failed: HTTP probe failed with statuscode: 404"),
    ],
)
def test_what_is_rehearsed_is_told_and_over_once_it_is_cleared(
    rehearsal: str, said: str, quick: Sandbox
) -> None:
    given = small(quick)
    address = quick.cloud.endpoint(given.expose())
    given.deployment["spec"]["progressDeadlineSeconds"] = 10
    given.deployment["spec"]["template"]["metadata"]["annotations"] = {"for": rehearsal}
    set_rehearsal(quick.layout.rehearsed, rehearsal)
    try:
        key = given.deploy()
        failed = quick.cloud.wait(key)
        assert not failed.ready
        assert said in failed.message
    finally:
        clear_rehearsals(quick.layout.rehearsed)
    # what was started while it struck stays as it is: the cause is mended by another version
    given.deployment["spec"]["template"]["metadata"]["annotations"] = {"for": "mended"}
    assert quick.cloud.wait(given.deploy()).ready
    assert eventually(lambda: answers(f"{address}/environment"))


def test_init_containers_end_before_the_others_start_and_share_their_volumes(
    quick: Sandbox,
) -> None:
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    given = small(
        quick, volumeMounts=mounts, env=[{"name": "FILE", "value": "/shared/text"},
                                         {"name": "COPY", "value": "$(FILE).copy"}],
    )  # fmt: skip
    writer = {
        "name": "writer",
        "image": PYTHON_IMAGE,
        "command": ["python", "-c", "import sys; open(sys.argv[1], 'w').write('from init')"],
        "args": ["/shared/text"],
        "volumeMounts": mounts,
    }
    pod = given.deployment["spec"]["template"]["spec"]
    pod |= {"initContainers": [writer], "volumes": [{"name": "shared", "emptyDir": {}}]}
    address = quick.cloud.endpoint(given.expose())
    assert quick.cloud.wait(given.deploy()).ready
    seen = httpx.get(f"{address}/environment").json()["environment"]
    assert httpx.get(f"{address}/read", params={"path": seen["FILE"]}).json() == {
        "text": "from init"
    }
    assert seen["COPY"] == seen["FILE"] + ".copy"


def test_a_secret_that_is_missing_holds_the_pod_until_it_is_there(quick: Sandbox) -> None:
    reference = {"secretKeyRef": {"name": "later", "key": "token"}}
    given = small(quick, env=[{"name": "TOKEN", "valueFrom": reference}])
    given.deployment["spec"]["progressDeadlineSeconds"] = 10
    key = given.deploy()
    failed = quick.cloud.wait(key)
    assert (failed.ready, 'secret "later" not found' in failed.message) == (False, True)
    secret = {"metadata": {"name": "later", "namespace": "chat"}, "data": {"token": "c2VjcmV0"}}
    quick.cloud.put("kubernetes", given.scope, "kubernetes:core/v1:Secret", "chat/later", secret)

    def ready() -> bool:
        status = quick.cloud.store.status(str(key))
        return status is not None and status.ready

    assert eventually(ready)


def test_a_scaler_takes_idle_pods_away_and_a_request_brings_one_back(quick: Sandbox) -> None:
    given = small(quick)
    given.scale_to_zero(cooldown_seconds=30)
    address = quick.cloud.endpoint(given.expose())
    key = given.deploy()
    assert quick.cloud.wait(key).ready

    def pods() -> int:
        status = quick.cloud.store.status(str(key))
        assert status is not None
        assert status.ready, status.message
        return int(status.detail["replicas"])

    assert eventually(lambda: pods() == 0)
    assert answers(f"{address}/environment")
    quick.cloud.store.delete(
        Key("kubernetes", given.scope, "kubernetes:keda.sh/v1alpha1:ScaledObject", "chat/chat")
    )


def test_a_route_leads_by_host_and_weight_to_the_pods_of_its_services(quick: Sandbox) -> None:
    def version(name: str) -> None:
        labels = {"app": name}
        meta = {"name": name, "namespace": "chat", "labels": labels}
        spec = small(quick).deployment["spec"]
        spec["selector"], spec["template"]["metadata"] = {"matchLabels": labels}, {"labels": labels}
        spec["template"]["spec"]["containers"][0]["env"] = [{"name": "VERSION", "value": name}]
        ports = [{"port": 80, "targetPort": "http"}]
        service = {"type": "ClusterIP", "selector": labels, "ports": ports}
        for kind, given in (("core/v1:Service", service), ("apps/v1:Deployment", spec)):
            quick.cloud.put(
                "kubernetes", "prod-eu", f"kubernetes:{kind}", f"chat/{name}",
                {"metadata": meta, "spec": given},
            )  # fmt: skip
        deployed = Key("kubernetes", "prod-eu", "kubernetes:apps/v1:Deployment", f"chat/{name}")
        assert quick.cloud.wait(deployed).ready

    def weigh(old: int, new: int) -> None:
        backends = [{"name": "old", "port": 80, "weight": old}, {"name": "new", "port": 80, "weight": new}]  # fmt: skip
        spec = {
            "parentRefs": [{"name": "edge", "namespace": "gateways"}],
            "hostnames": ["chat.acme.example"],
            "rules": [{"backendRefs": backends}],
        }
        meta = {"name": "chat", "namespace": "chat"}
        kind = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
        quick.cloud.put(
            "kubernetes", "prod-eu", kind, "chat/chat", {"metadata": meta, "spec": spec}
        )

    def asked(host: str) -> str:
        address = f"http://127.0.0.1:{quick.cloud.store.port('gateway:prod-eu/gateways/edge')}"
        try:
            answer = httpx.get(f"{address}/environment", headers={"host": host}, timeout=20)
        except httpx.TransportError:
            return "nobody listens"
        if answer.status_code != 200:
            return str(answer.status_code)
        return str(answer.json()["environment"]["VERSION"])

    version("old")
    version("new")
    weigh(3, 1)
    assert eventually(lambda: asked("chat.acme.example") in ("old", "new"))
    assert Counter(asked("chat.acme.example") for _ in range(20)) == {"old": 15, "new": 5}
    assert asked("chat.acme.example:443") in ("old", "new")
    assert asked("evil.example") == "404"
    weigh(0, 1)
    assert eventually(lambda: {asked("chat.acme.example") for _ in range(4)} == {"new"})
    weigh(0, 0)
    assert eventually(lambda: asked("chat.acme.example") == "500")
