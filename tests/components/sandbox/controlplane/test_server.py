"""What is sent to a real API server, and what its answers become."""

import json
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from portway.errors import Missing
from portway.sandbox.controlplane.connect import connect
from portway.sandbox.controlplane.errors import ApiError
from portway.sandbox.controlplane.objects import Ref
from portway.sandbox.controlplane.server import ServerApi
from portway.sandbox.controlplane.stored import StoredApi
from portway.sandbox.layout import Layout
from portway.sandbox.store import Store
from support import kube_objects as kube

DEPLOYMENT = Ref("apps/v1", "Deployment", "chat", "chat-prod")
PATH = "/apis/apps/v1/namespaces/chat-prod/deployments/chat"
DISCOVERY = {
    "/version": {"gitVersion": "v1.36.4"},
    "/api/v1": {"resources": [{"name": "namespaces", "kind": "Namespace", "namespaced": False}]},
    "/apis/apps/v1": {
        "resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": True},
            {"name": "deployments/status", "kind": "Deployment", "namespaced": True},
        ]
    },
}


@dataclass
class Call:
    method: str
    path: str
    query: dict[str, str]
    content_type: str
    authorization: str
    body: Any


@dataclass
class Stub:
    """A loopback API server with the answers a test gives it; 404 for everything else."""

    url: str = ""
    calls: list[Call] = field(default_factory=list[Call])
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict[str, tuple[int, Any]])

    def writes(self) -> list[Call]:
        return [call for call in self.calls if call.path not in DISCOVERY]


@pytest.fixture
def stub() -> Generator[Stub]:
    state = Stub(answers={f"GET {path}": (200, body) for path, body in DISCOVERY.items()})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            state.calls.append(
                Call(
                    self.command,
                    parts.path,
                    query,
                    self.headers.get("Content-Type", ""),
                    self.headers.get("Authorization", ""),
                    json.loads(body) if body else None,
                )
            )
            absent = (404, {"kind": "Status", "reason": "NotFound", "message": "not found"})
            code, answer = state.answers.get(f"{self.command} {parts.path}", absent)
            text = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_PATCH = do_GET  # noqa: N815 - the base class's own spelling
        do_DELETE = do_GET  # noqa: N815 - the same

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def kubeconfig(path: Path, server: str, *, token: str | None = None) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {} if token is None else {"token": token}}],
        "contexts": [{"name": "prod-eu", "context": {"cluster": "sandbox", "user": "me"}}],
    }
    path.write_text(json.dumps(config))
    return path


@pytest.fixture
def api(stub: Stub, tmp_path: Path) -> Generator[ServerApi]:
    connected = ServerApi.connect(
        kubeconfig(tmp_path / "kc", stub.url, token="secret-token"), "prod-eu"
    )
    yield connected
    connected.client.close()


def test_an_object_is_applied_server_side_and_strictly(stub: Stub, api: ServerApi) -> None:
    live = kube.deployment() | {"status": {"replicas": 1}}
    stub.answers[f"PATCH {PATH}"] = (200, live)
    assert api.apply(kube.deployment(), field_manager="pulumi") == live
    assert stub.writes() == [
        Call(
            "PATCH",
            PATH,
            {"fieldManager": "pulumi", "fieldValidation": "Strict", "force": "false"},
            "application/apply-patch+yaml",
            "Bearer secret-token",
            kube.deployment(),
        )
    ]


def test_a_dry_run_says_so(stub: Stub, api: ServerApi) -> None:
    stub.answers[f"PATCH {PATH}"] = (200, kube.deployment())
    api.create(kube.deployment(), field_manager="pulumi", dry_run=True)
    assert [(call.method, call.query.get("dryRun")) for call in stub.writes()] == [
        ("GET", None),
        ("PATCH", "All"),
    ]


def test_a_create_never_takes_over_what_exists(stub: Stub, api: ServerApi) -> None:
    stub.answers[f"GET {PATH}"] = (200, kube.deployment())
    with pytest.raises(ApiError) as refused:
        api.create(kube.deployment(), field_manager="pulumi")
    assert refused.value.message == 'deployments.apps "chat" already exists'
    assert [call.method for call in stub.writes()] == ["GET"]


def test_kinds_are_discovered_once(stub: Stub, api: ServerApi) -> None:
    assert (api.get(DEPLOYMENT), api.get(DEPLOYMENT)) == (None, None)
    assert [call.path for call in stub.calls].count("/apis/apps/v1") == 1
    assert not api.is_namespaced("v1", "Namespace")


@pytest.mark.parametrize("kind", [("apps/v1", "Thing"), ("example.org/v1", "Thing")])
def test_a_kind_nobody_serves_is_no_match(api: ServerApi, kind: tuple[str, str]) -> None:
    with pytest.raises(ApiError) as refused:
        api.is_namespaced(*kind)
    assert refused.value.message == f'no matches for kind "Thing" in version "{kind[0]}"'


def test_a_refusal_keeps_the_servers_words(stub: Stub, api: ServerApi) -> None:
    text = 'Deployment.apps "chat" is invalid: spec.selector: Required value'
    stub.answers[f"PATCH {PATH}"] = (422, {"reason": "Invalid", "message": text})
    with pytest.raises(ApiError) as refused:
        api.apply(kube.deployment(), field_manager="pulumi")
    assert (refused.value.code, refused.value.reason, refused.value.message) == (
        422,
        "Invalid",
        text,
    )


def test_an_answer_that_is_no_json_is_shown_as_it_is(stub: Stub, api: ServerApi) -> None:
    stub.answers[f"GET {PATH}"] = (502, "upstream gone")
    with pytest.raises(ApiError) as refused:
        api.get(DEPLOYMENT)
    assert (refused.value.code, refused.value.message) == (502, "upstream gone")


def test_a_deletion_waits_for_dependents(stub: Stub, api: ServerApi) -> None:
    assert not api.delete(DEPLOYMENT)
    stub.answers[f"DELETE {PATH}"] = (200, {"kind": "Status", "status": "Success"})
    assert api.delete(DEPLOYMENT)
    assert stub.writes()[-1].query == {"propagationPolicy": "Foreground"}


def test_listed_objects_say_what_they_are(stub: Stub, api: ServerApi) -> None:
    item = {"metadata": {"name": "chat"}}
    stub.answers["GET /apis/apps/v1/deployments"] = (200, {"items": [item]})
    assert api.list("apps/v1", "Deployment") == [
        {"apiVersion": "apps/v1", "kind": "Deployment", **item}
    ]


def test_a_kubeconfig_in_the_sandbox_means_a_real_server(stub: Stub, tmp_path: Path) -> None:
    layout, store = Layout(tmp_path), Store(tmp_path / "cloud.db")
    assert isinstance(connect(layout, store, "prod-eu"), StoredApi)
    kubeconfig(tmp_path / "kubeconfig", stub.url)
    connected = connect(layout, store, "prod-eu")
    assert isinstance(connected, ServerApi)
    connected.client.close()


@pytest.mark.parametrize(
    ("server", "context", "message"),
    [
        ("https://cluster.example.org", "prod-eu", "the sandbox only uses loopback"),
        ("http://127.0.0.1:9", "prod-eu", "no Kubernetes API server answers at"),
        ("http://127.0.0.1:9", "prod-us", 'context "prod-us" does not exist'),
    ],
)
def test_a_useless_kubeconfig_is_named_with_a_way_out(
    tmp_path: Path, server: str, context: str, message: str
) -> None:
    with pytest.raises(Missing, match=message):
        ServerApi.connect(kubeconfig(tmp_path / "kc", server), context)


def test_a_broken_kubeconfig_ends_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "kc"
    path.write_text("a: [")
    with pytest.raises(Missing, match="cannot be read"):
        ServerApi.connect(path, "prod-eu")
