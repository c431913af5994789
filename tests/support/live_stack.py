"""The example's stack in a sandbox with a real control plane, and small objects beside it."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import psutil

from portway.sandbox.controlplane.cluster import RealCluster
from portway.sandbox.controlplane.objects import Object, Ref
from portway.sandbox.layout import Layout
from support.openai_clients import openai_client
from support.sandbox_project import SandboxProject
from support.sandbox_rows import PYTHON_IMAGE

APP = (Path(__file__).with_name("small_app.py")).read_text()
STACK = "chat.prod.kubernetes"
STACK_FILE = f"stacks/Pulumi.{STACK}.yaml"
DEPLOYMENT = Ref("apps/v1", "Deployment", "chat-prod", "chat-prod")
MOST_NODES = 2
CLIENTS = 4
QUESTION: list[Any] = [{"role": "user", "content": "How large is the Earth?"}]


def placement(**options: Any) -> str:
    """The stack's file, with these options."""
    given = ", ".join(f"{name}: {value}" for name, value in options.items())
    where = f"target: kubernetes, cluster: prod-eu, region: europe-west4, options: {{{given}}}"
    return f"config:\n  portway:spec: specs/chat.yaml\n  portway:placement: {{{where}}}\n"


def cluster_of(project: SandboxProject) -> RealCluster:
    return RealCluster(Layout.of_project(project.folder))


def parts(project: SandboxProject) -> dict[str, psutil.Process]:
    return cluster_of(project).running()


def live_deployment(project: SandboxProject) -> Object | None:
    with cluster_of(project).api() as api:
        return api.get(DEPLOYMENT)


def answer(project: SandboxProject) -> str:
    outputs = project.outputs(STACK)
    client = openai_client(outputs["endpoint"], outputs["apiKey"], max_retries=2)
    pieces = client.chat.completions.create(model=outputs["model"], messages=QUESTION, stream=True)
    return "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)


def answers(project: SandboxProject) -> bool:
    try:
        return bool(answer(project))
    except openai.OpenAIError:
        return False


@dataclass
class Asked:
    """What clients that never stop asking have seen."""

    answered: int = 0
    failed: list[str] = field(default_factory=list[str])


@contextmanager
def asking(project: SandboxProject) -> Generator[Asked]:
    """Clients that ask one question after the other, with no retries of their own."""
    outputs, seen, over = project.outputs(STACK), Asked(), threading.Event()
    client = openai_client(outputs["endpoint"], outputs["apiKey"], max_retries=0)

    def ask() -> None:
        while not over.is_set():
            try:
                pieces = client.chat.completions.create(
                    model=outputs["model"], messages=QUESTION, stream=True, max_tokens=20
                )
                reasons = [each.choices[0].finish_reason for each in pieces if each.choices]
                assert reasons[-1] in ("stop", "length"), reasons
                seen.answered += 1
            except (openai.OpenAIError, AssertionError) as error:
                seen.failed.append(f"{time.strftime('%X')} {error!r}")
            time.sleep(0.05)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def small_pod(**more: Any) -> Object:
    """A pod template of the small app, which answers with its environment."""
    app = {
        "name": "app", "image": PYTHON_IMAGE, "command": ["python"], "args": ["-c", APP],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/environment", "port": "http"}, "periodSeconds": 1},
    }  # fmt: skip
    return {"metadata": {"labels": {"app": "small"}}, "spec": {"containers": [app], **more}}


def small(api_version: str, kind: str, name: str = "small", **spec: Any) -> Object:
    metadata = {"name": name, "namespace": "small"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
