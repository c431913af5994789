"""Kubernetes through the real engine: keys rotate under running pods, mistakes end in the API's words."""

import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.sandbox_project import SandboxProject, portway, run
from support.waiting import until

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

STACK = "chat.rotate.kubernetes"
STACK_FILE = """config:
  portway:spec: specs/chat.yaml
  portway:placement: {{target: kubernetes, cluster: rotate-eu, region: europe-west4, keys: {keys}}}
"""
LONGEST_SECONDS = 30.0

PROGRAM = """
import pulumi_kubernetes as k8s

cluster = k8s.Provider("cluster", context="elsewhere")
labels = {"app": "x"}
k8s.apps.v1.Deployment(
    "app",
    metadata={"name": "app"},
    spec={
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "x", "image": "x", "livenessProb": {}}]},
        },
    },
    opts=__import__("pulumi").ResourceOptions(provider=cluster),
)
"""


def deploy(project: SandboxProject, keys: list[str]) -> dict[str, Any]:
    path = project.folder / "stacks" / f"Pulumi.{STACK}.yaml"
    path.write_text(STACK_FILE.format(keys=json.dumps(keys)))
    shown = portway(project.folder, "sandbox", "env", "--json")
    assert shown.returncode == 0, shown.stderr
    done = project.pulumi("up", "--yes", "--skip-preview", "--stack", STACK)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return project.outputs(STACK)


def status(outputs: dict[str, Any], key: str) -> int:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.get(f"{outputs['endpoint']}/v1/models", headers=headers, timeout=60).status_code


def operations(project: SandboxProject, kind: str) -> list[str]:
    return [
        event["operation"]
        for event in project.store.events()
        if event["scope"] == "rotate-eu" and event["type"].endswith(f":{kind}")
    ]


@pytest.fixture
def rotating(running: SandboxProject) -> SandboxProject:
    made = running.pulumi("stack", "select", "--create", STACK)
    assert made.returncode == 0, made.stderr
    return running


def test_a_key_rotates_without_a_new_pod(rotating: SandboxProject) -> None:
    try:
        first = deploy(rotating, ["1"])
        assert status(first, first["apiKey"]) == 200
        second = deploy(rotating, ["2", "1"])
        assert second["apiKey"] != first["apiKey"]
        until(lambda: status(second, second["apiKey"]) == 200, "the new key to become valid")
        assert status(second, first["apiKey"]) == 200
        assert status(second, "pw-wrong") == 401
        assert operations(rotating, "Secret") == ["create", "update"]
        assert operations(rotating, "Deployment") == ["create"]
    finally:
        rotating.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK)
    assert rotating.store.all(cloud="kubernetes") == [
        row for row in rotating.store.all(cloud="kubernetes") if row.key.scope != "rotate-eu"
    ]


def test_a_misspelt_field_is_refused_at_preview_with_its_path(
    running: SandboxProject, tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.yaml").write_text(
        f"name: mistakes\nruntime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\n"
    )
    (tmp_path / "__main__.py").write_text(PROGRAM)
    words = ("pulumi", "--non-interactive")
    environment = {k: v for k, v in running.environment.items() if k != "PULUMI_OPTION_CWD"}
    made = run((*words, "stack", "init", "dev"), tmp_path, environment)
    assert made.returncode == 0, made.stderr
    done = run((*words, "preview", "--stack", "dev"), tmp_path, environment)
    assert done.returncode != 0
    assert (
        'strict decoding error: unknown field "spec.template.spec.containers[0].livenessProb"'
        in done.stdout + done.stderr
    )
    assert not any(row.key.scope == "elsewhere" for row in running.store.all(cloud="kubernetes"))
