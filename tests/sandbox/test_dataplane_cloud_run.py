"""Cloud Run: what is deployed answers as it would there. Rows are written as a plugin writes them."""

import base64
import json
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from portway.bundle import runtime_archive
from portway.sandbox.store import Key, Status
from support.openai_clients import openai_client
from support.sandbox_daemon import Sandbox, sandbox
from support.sandbox_rows import API_KEY, MODEL, PYTHON_IMAGE, CloudRunChat, one_container
from support.waiting import eventually

pytestmark = pytest.mark.sandbox

APP = (Path(__file__).parents[1] / "support" / "small_app.py").read_text()
QUESTION: list[Any] = [{"role": "user", "content": "How large is the Earth?"}]


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Sandbox, CloudRunChat, Key]]:
    with sandbox(tmp_path_factory.mktemp("chat")) as running:
        deployed = CloudRunChat(running.cloud, runtime_archive().path.read_bytes())
        key = deployed.deploy()
        assert running.cloud.wait(key).ready
        yield running, deployed, key


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sandbox]:
    with sandbox(
        tmp_path_factory.mktemp("quick"),
        idle_seconds="0.6", queue_seconds="0.3", startup_floor_seconds="1",
    ) as running:  # fmt: skip
        yield running


def deploy(running: Sandbox, code: str = APP, **template: Any) -> tuple[Key, str, Status]:
    """Deploy one container that everybody may call; returns the key, the address and how it went."""
    given = CloudRunChat(running.cloud)
    given.service = one_container(given.service, code, **template)
    given.publish()
    key = given.deploy()
    status = running.cloud.wait(key)
    return key, running.cloud.endpoint(key), status


def publish(chat: tuple[Sandbox, CloudRunChat, Key]) -> None:
    """Let everybody call, and wait until that is seen, as a permission is some time after it is set."""
    running, deployed, key = chat
    deployed.publish()
    address = f"{running.cloud.endpoint(key)}/v1/models"
    headers = {"authorization": f"Bearer {API_KEY}"}
    assert eventually(lambda: httpx.get(address, headers=headers).status_code == 200)


def test_google_refuses_callers_until_everybody_may_invoke(
    chat: tuple[Sandbox, CloudRunChat, Key],
) -> None:
    running, deployed, key = chat
    address = f"{running.cloud.endpoint(key)}/v1/models"
    refused = httpx.get(address, headers={"authorization": f"Bearer {API_KEY}"})
    anonymous = httpx.get(address)
    assert (anonymous.status_code, refused.status_code) == (403, 401)
    assert "does not have permission to get URL <code>/v1/models</code>" in anonymous.text
    assert anonymous.headers["content-type"].startswith("text/html")
    deployed.publish()
    assert eventually(lambda: httpx.get(address).headers["content-type"] == "application/json")
    # now it is the runtime that asks for a key
    assert httpx.get(address).status_code == 401


def test_the_openai_client_is_answered_whole_and_in_pieces(
    chat: tuple[Sandbox, CloudRunChat, Key],
) -> None:
    running, _, key = chat
    publish(chat)
    client = openai_client(running.cloud.endpoint(key), API_KEY, max_retries=2)
    assert [model.id for model in client.models.list()] == [MODEL]
    whole = client.chat.completions.create(model=MODEL, messages=QUESTION)
    arrivals: list[float] = []
    text = ""
    for chunk in client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True):
        text += chunk.choices[0].delta.content or ""
        arrivals.append(time.monotonic())
    assert text == whole.choices[0].message.content != ""
    # 24 words at 10 ms a token: what arrives in one burst was buffered
    assert arrivals[-1] - arrivals[0] > 0.15


def test_a_client_that_leaves_ends_the_generation_in_the_model_server(
    chat: tuple[Sandbox, CloudRunChat, Key],
) -> None:
    running, _, key = chat
    publish(chat)
    client = openai_client(running.cloud.endpoint(key), API_KEY, max_retries=2)
    with client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True) as stream:
        next(stream)
    log = running.layout.logs / "cloud-run-chat.log"
    assert eventually(lambda: "Aborted request chatcmpl-" in log.read_text())


def test_a_key_added_to_the_secret_works_without_a_new_revision(
    chat: tuple[Sandbox, CloudRunChat, Key],
) -> None:
    running, deployed, key = chat
    publish(chat)
    deployed.rotate(json.dumps({"keys": ["pw-third", API_KEY]}), 2)
    address = f"{running.cloud.endpoint(key)}/v1/models"
    headers = {"authorization": "Bearer pw-third"}
    assert eventually(lambda: httpx.get(address, headers=headers).status_code == 200)


def test_a_container_sees_what_was_declared_and_what_cloud_run_adds(quick: Sandbox) -> None:
    _, address, status = deploy(quick)
    assert status == Status(status.generation, ready=True)
    seen = httpx.get(f"{address}/environment").json()["environment"]
    assert seen.pop("K_REVISION").startswith("chat-0000")
    names = {"K_SERVICE", "K_CONFIGURATION", "PORT", "PATH", "LANG", "HOME", "TMPDIR", "LC_CTYPE"}
    names |= {"GCE_METADATA_HOST", "FIRESTORE_EMULATOR_HOST", "STORAGE_EMULATOR_HOST"}
    names |= {"HF_ENDPOINT", "TIKTOKEN_ENCODINGS_BASE"}
    assert seen.keys() <= names | {"__CF_USER_TEXT_ENCODING"}
    assert seen["K_SERVICE"] == "chat"
    headers = httpx.get(f"{address}/headers_").json()
    assert headers["x-forwarded-proto"] == "https"


def test_it_scales_to_zero_when_idle_and_starts_again_on_a_request(quick: Sandbox) -> None:
    _, address, _ = deploy(quick)
    first = httpx.get(f"{address}/environment").json()["pid"]
    assert eventually(lambda: not any(p.pid == first for p in quick.processes()))
    assert httpx.get(f"{address}/environment").json()["pid"] != first


def test_requests_beyond_concurrency_and_instances_are_turned_away(quick: Sandbox) -> None:
    _, address, _ = deploy(quick, maxInstanceRequestConcurrency=2)
    statuses: list[int] = []

    def call() -> None:
        statuses.append(httpx.get(f"{address}/sleep?seconds=1.5", timeout=20).status_code)

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(statuses) == [200, 200, 429]


def test_a_request_that_takes_too_long_ends_with_504(quick: Sandbox) -> None:
    _, address, _ = deploy(quick, timeout="1s")
    late = httpx.get(f"{address}/sleep?seconds=5", timeout=20)
    assert (late.status_code, late.text) == (504, "upstream request timeout")


def test_a_crashed_instance_is_replaced(quick: Sandbox) -> None:
    _, address, _ = deploy(quick)
    assert httpx.get(f"{address}/crash").status_code == 503
    assert httpx.get(f"{address}/environment").status_code == 200


def test_pieces_arrive_as_they_are_sent_and_a_disconnect_reaches_the_container(
    quick: Sandbox,
) -> None:
    _, address, _ = deploy(quick)
    with httpx.stream("GET", f"{address}/stream?pieces=3&pause=0.3") as answer:
        arrivals = [time.monotonic() for _ in answer.iter_lines()]
    assert len(arrivals) == 3
    assert arrivals[2] - arrivals[0] > 0.4
    with httpx.stream("GET", f"{address}/stream?pieces=500&pause=0.05") as answer:
        next(answer.iter_lines())
    log = quick.layout.logs / "cloud-run-chat.log"
    assert eventually(lambda: "the client of the stream has gone" in log.read_text())


def test_a_large_body_passes(quick: Sandbox) -> None:
    _, address, _ = deploy(quick)
    assert httpx.post(address, content=b"x" * 3_000_000).json() == {"length": 3_000_000}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit(3)", "failed to start and listen on the port defined provided by the PORT=8080"),
        ("import time; time.sleep(60)", "connect: connection refused"),
    ],
)  # fmt: skip
def test_a_revision_that_does_not_start_is_refused_and_the_old_one_goes_on(
    quick: Sandbox, code: str, words: str
) -> None:
    _, address, _ = deploy(quick)
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 2}
    given = one_container({"template": {}}, code)["template"]["containers"]
    if "sleep" in code:
        given[0]["startupProbe"] = probe
    key, _, status = deploy(quick, containers=given)
    assert not status.ready
    assert status.message.startswith("Revision 'chat-0")
    assert words in status.message
    assert httpx.get(f"{address}/environment").status_code == 200
    assert quick.cloud.store.get(key) is not None


def test_a_new_revision_takes_over_without_a_failed_request(quick: Sandbox) -> None:
    deploy(quick, maxInstanceRequestConcurrency=50)
    stop = threading.Event()
    statuses: list[int] = []
    pids: set[int] = set()

    def call(address: str) -> None:
        with httpx.Client(timeout=20) as client:
            while not stop.is_set():
                answer = client.get(f"{address}/sleep?seconds=0.05")
                statuses.append(answer.status_code)
                pids.add(answer.json()["pid"])

    _, address, _ = deploy(quick, maxInstanceRequestConcurrency=50)
    callers = [threading.Thread(target=call, args=(address,)) for _ in range(3)]
    for caller in callers:
        caller.start()
    deploy(quick, maxInstanceRequestConcurrency=51)
    both_answered = eventually(lambda: len(pids) == 2)
    stop.set()
    for caller in callers:
        caller.join()
    assert set(statuses) == {200}
    assert both_answered
    assert len(pids) == 2


def test_an_image_it_cannot_run_and_a_secret_it_may_not_read_fail_in_googles_words(
    quick: Sandbox,
) -> None:
    container = {"name": "app", "image": "gcr.io/acme/app:1", "ports": {"containerPort": 8080}}
    _, _, image = deploy(quick, containers=[container])
    assert "Failed to pull image 'gcr.io/acme/app:1'" in image.message
    reference = {"secretKeyRef": {"secret": "other", "version": "latest"}}
    reader = {
        **container,
        "image": PYTHON_IMAGE,
        "envs": [{"name": "KEY", "valueSource": reference}],
    }
    _, _, secret = deploy(quick, containers=[reader])
    assert (
        "Permission denied on secret: projects/acme/secrets/other/versions/latest" in secret.message
    )
    assert "roles/secretmanager.secretAccessor" in secret.message
    assert (image.ready, secret.ready) == (False, False)


def test_internal_ingress_is_not_found_from_outside(quick: Sandbox) -> None:
    given = CloudRunChat(quick.cloud)
    internal = one_container(given.service, APP) | {"ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"}
    given.service = internal
    given.publish()
    key = given.deploy()
    assert quick.cloud.wait(key).ready
    hidden = httpx.get(quick.cloud.endpoint(key))
    assert (hidden.status_code, "Page not found" in hidden.text) == (404, True)


def test_an_invoker_with_an_id_token_for_the_service_is_let_in(
    tmp_path: Path,
) -> None:
    with sandbox(tmp_path) as running:
        given = CloudRunChat(running.cloud)
        given.service = one_container(given.service, APP)
        key = given.deploy()
        assert running.cloud.wait(key).ready
        address = running.cloud.endpoint(key)
        member = {"name": "chat", "location": "europe-west4", "role": "roles/run.invoker"}
        running.cloud.put(
            "gcp", given.scope, "gcp:cloudrunv2/serviceIamMember:ServiceIamMember", "caller",
            {**member, "member": "serviceAccount:caller@acme.iam.gserviceaccount.com"},
        )  # fmt: skip
        email = "caller@acme.iam.gserviceaccount.com"

        def status(email: str, audience: str) -> int:
            claims = json.dumps({"email": email, "aud": audience}).encode()
            token = base64.urlsafe_b64encode(claims).decode().rstrip("=")
            headers = {"authorization": f"Bearer e30.{token}.sig"}
            return httpx.get(f"{address}/environment", headers=headers).status_code

        assert eventually(lambda: status(email, address) == 200)
        assert (status("other@acme.iam.gserviceaccount.com", address), status(email, "x")) == (
            403,
            403,
        )


def test_a_deleted_service_answers_no_more(quick: Sandbox) -> None:
    key, address, _ = deploy(quick)
    quick.cloud.store.delete(key)

    def refused() -> bool:
        try:
            httpx.get(address)
        except httpx.TransportError:
            return True
        return False

    assert eventually(refused)
    assert quick.cloud.store.status(str(key)) is None
