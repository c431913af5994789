"""A real cluster as the tests drive it: nodes that are made by hand, pods that kwok plays."""

import os
import subprocess
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from portway.sandbox.controlplane.cluster import RealCluster
from portway.sandbox.controlplane.nodes import claims_devices, node_for, slice_for
from portway.sandbox.controlplane.objects import Object, Ref, dig, objects_at
from portway.sandbox.controlplane.server import ServerApi
from portway.sandbox.providers.cloud import InitFailed
from portway.sandbox.providers.kubernetes import KubernetesCloud
from support.plugin import Plugin
from support.waiting import eventually

MANAGER = "test"
NEWEST = "1.26"


def can_build(go: Path | None) -> bool:
    """Whether the machine's Go is new enough, or may fetch one that is."""
    if go is None:
        return False
    asked = [str(go), "env", "GOVERSION", "GOTOOLCHAIN"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True)
    version, toolchain = said.stdout.split()
    digits = [int(part) for part in version.removeprefix("go").split(".")[:2] if part.isdigit()]
    return digits >= [int(part) for part in NEWEST.split(".")] or toolchain != "local"


@dataclass(frozen=True)
class Cluster:
    """An API server and what the tests need of it."""

    api: ServerApi
    real: RealCluster

    def apply(self, obj: Object, manager: str = MANAGER, **more: Any) -> Object:
        return self.api.apply(obj, field_manager=manager, **more)

    def namespace(self, name: str, level: str | None = None) -> str:
        """A namespace; it waits for the service account without which no pod can be made."""
        labels = {} if level is None else {"pod-security.kubernetes.io/enforce": level}
        metadata = {"name": name, "labels": labels}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        account = Ref("v1", "ServiceAccount", "default", name)
        assert eventually(lambda: self.api.get(account) is not None)
        return name

    def add_nodes(self, pod: Object, pool: str, count: int) -> None:
        """Nodes that ``pod`` can run on, ready."""
        for number in range(count):
            node, status = node_for(pod, pool, number)
            self.apply(node)
            path = f"/api/v1/nodes/{node['metadata']['name']}/status"
            headers = {"Content-Type": "application/merge-patch+json"}
            patched = self.api.client.patch(path, json={"status": status}, headers=headers)
            assert patched.is_success, patched.text
            if claims_devices(pod):
                self.apply(slice_for(node))
        ref = Ref("v1", "Node", f"sandbox-{pool}-{count - 1}")
        assert eventually(lambda: condition(self.api.get(ref), "Ready") == "True")

    def pods(self, namespace: str) -> list[Object]:
        return self.api.list("v1", "Pod", namespace)

    def phases(self, namespace: str) -> list[str]:
        return sorted(str(dig(pod, "status", "phase")) for pod in self.pods(namespace))

    def post(self, path: str, body: Object) -> tuple[int, str]:
        answer = self.api.client.post(path, json=body)
        return answer.status_code, str(answer.json().get("message"))


@contextmanager
def provider(root: Path, **config: Any) -> Generator[Plugin]:
    """The provider that `up` runs, for the control plane of the sandbox in ``root``."""
    plugin = Plugin(root, "kubernetes", {"context": "prod-eu", **config})
    try:
        yield plugin
    finally:
        assert isinstance(plugin.cloud, KubernetesCloud)
        plugin.cloud.close()


def refusal_of(act: Callable[[], object]) -> InitFailed:
    """What a create or an update ends with that made its object."""
    with pytest.raises(InitFailed) as failed:
        act()
    return failed.value


@contextmanager
def away(real: RealCluster, seconds: float) -> Generator[None]:
    """The API server is killed, and the same one comes back after ``seconds``."""
    process = real.running()["kube-apiserver"]
    words, folder = process.cmdline(), real.folder.root
    process.kill()
    psutil.wait_procs([process], timeout=10)

    def come_back() -> None:
        environment = {"PATH": os.defpath, "HOME": str(folder)}
        with real.log_file("kube-apiserver").open("ab") as log:
            # a child of nobody's, as the first one was
            subprocess.run(
                ["sh", "-c", '"$@" &', "sh", *words], cwd=folder, env=environment, check=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    timer = threading.Timer(seconds, come_back)
    timer.start()
    try:
        yield
    finally:
        timer.join()
        assert eventually(real.is_ready, 60)


def condition(obj: Object | None, kind: str) -> str | None:
    """The status of one condition."""
    found = (each for each in objects_at(obj, "status", "conditions") if each["type"] == kind)
    return next((str(each["status"]) for each in found), None)


def played(namespace: str, *, pool: str, labels: Object | None = None, **spec: Any) -> Object:
    """A pod that nothing stands behind, on nodes of one pool."""
    container = {"name": "app", "image": "app", "resources": spec.pop("resources", {})}
    wanted = {
        "nodeSelector": {"sandbox.portway.dev/pool": pool},
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        **spec,
    }
    metadata = {
        "name": "app",
        "namespace": namespace,
        "labels": labels or {"app": "app"},
        "annotations": {"kwok.x-k8s.io/pod": "fake"},
    }
    return deepcopy({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": wanted})


def workload_of(pod: Object, replicas: int, **spec: Any) -> Object:
    """A Deployment of such pods."""
    given = deepcopy(pod)
    metadata = given["metadata"]
    kept = {key: metadata[key] for key in ("labels", "annotations")}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": metadata["labels"]},
            "template": {"metadata": kept, "spec": given["spec"]},
            **spec,
        },
    }
