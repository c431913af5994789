"""How long an object is awaited: until it serves, or until nothing that the cluster does will make it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from portway.sandbox.controlplane.objects import Object, Ref
from portway.sandbox.providers import kubernetes_await
from portway.sandbox.providers.kubernetes_await import NotLive, wait_until_live
from support import kube_objects as kube

BEGUN = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetCreated", "message": "m"}
MISSING = {"type": "Available", "status": "False", "reason": "Minimum", "message": "not enough"}
SERVES = {"type": "Available", "status": "True", "reason": "Minimum", "message": "enough"}
OVER = {**BEGUN, "reason": "NewReplicaSetAvailable"}
GIVEN_UP = {"type": "Progressing", "status": "False", "reason": "Deadline", "message": "timed out"}


@dataclass
class Cluster:
    """What an API server says: one Deployment whose conditions change at each look, and its pods."""

    conditions: list[list[Object]]
    pods: list[Object] = field(default_factory=list[Object])
    events: list[Object] = field(default_factory=list[Object])
    looks: int = 0

    @property
    def deployment(self) -> Object:
        at = min(self.looks, len(self.conditions) - 1)
        obj: Object = {**kube.deployment(), "status": {"observedGeneration": 1}}
        obj["metadata"] = {**obj["metadata"], "generation": 1}
        obj["status"]["conditions"] = self.conditions[at]
        return obj

    def get(self, ref: Ref) -> Object | None:
        self.looks += 1
        if ref.kind == "Endpoints":
            return {"subsets": [{"notReadyAddresses": [{"ip": "10.0.0.1"}]}]}
        return kube.service() if ref.kind == "Service" else self.deployment

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> Any:
        del api_version, namespace
        return {"Pod": self.pods, "Event": self.events, "Deployment": [self.deployment]}[kind]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_await, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(kubernetes_await, "HOPELESS_SECONDS", 0.02)
    monkeypatch.setattr(kubernetes_await, "POLL_SECONDS", 0.005)


def pod(name: str, **status: Any) -> Object:
    found = kube.of("v1", "Pod", name, spec={"nodeName": "n"}, status=status)
    found["metadata"] |= {"uid": name, "labels": kube.LABELS}
    return found


def unpullable(name: str = "a") -> Object:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "Failed to pull image"}}
    return pod(name, containerStatuses=[{"name": "vllm", "ready": False, "state": waiting}])


def ended(cluster: Cluster, obj: Object, seconds: float = 30) -> tuple[str, ...]:
    with pytest.raises(NotLive) as failed:
        wait_until_live(cluster, obj, seconds, _pause())  # pyright: ignore[reportArgumentType] - what it asks
    return failed.value.reasons


def _pause() -> Callable[[float], bool]:
    return threading.Event().wait  # which nobody sets


def test_a_controller_that_has_only_begun_serves_nothing_yet() -> None:
    cluster = Cluster([[BEGUN], [BEGUN], [BEGUN, MISSING], [OVER, SERVES]])
    live = wait_until_live(cluster, kube.deployment(), 30, _pause())  # pyright: ignore[reportArgumentType] - as above
    assert live["status"]["conditions"] == [OVER, SERVES]
    assert cluster.looks == 3


def test_a_new_version_is_not_live_while_only_pods_of_the_one_before_serve() -> None:
    updated = {**BEGUN, "reason": "ReplicaSetUpdated"}
    cluster = Cluster([[updated, SERVES], [updated, SERVES], [OVER, SERVES]])
    live = wait_until_live(cluster, kube.deployment(), 30, _pause())  # pyright: ignore[reportArgumentType] - as above
    assert live["status"]["conditions"] == [OVER, SERVES]
    first, why = ended(Cluster([[updated, SERVES]]), kube.deployment(), 0.05)
    assert first == "'chat' timed out waiting to be Ready"
    assert why == "Minimum number of Pods to consider the application live was not attained"


def test_an_image_that_cannot_be_pulled_is_not_waited_for() -> None:
    first, *rest = ended(Cluster([[BEGUN, MISSING]], [unpullable()]), kube.deployment())
    assert first == "'chat' failed to become Ready"
    assert rest == [
        "[Minimum] not enough",
        "[Pod chat-prod/a, container vllm] ErrImagePull: Failed to pull image",
    ]


def test_a_pod_that_goes_may_make_room_for_one_that_waits() -> None:
    going = pod("old")
    going["metadata"]["deletionTimestamp"] = "now"
    cluster = Cluster([[BEGUN, MISSING]] * 30 + [[OVER, SERVES]], [unpullable(), going])
    wait_until_live(cluster, kube.deployment(), 30, _pause())  # pyright: ignore[reportArgumentType] - as above


def test_a_service_ends_with_the_deployment_behind_it() -> None:
    first, *rest = ended(Cluster([[GIVEN_UP, MISSING]]), kube.service())
    assert first == "'chat' failed to become Ready"
    assert rest[0].startswith("Service does not target any Pods.")


def test_a_service_tells_what_its_pods_lack() -> None:
    reasons = ended(Cluster([[BEGUN, MISSING]], [unpullable()]), kube.service())
    assert any("ErrImagePull: Failed to pull image" in each for each in reasons)


def test_trouble_that_may_pass_is_waited_for_as_long_as_was_said() -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "exited with code 1"}}
    crashing = pod("a", containerStatuses=[{"name": "vllm", "ready": False, "state": waiting}])
    first, *rest = ended(Cluster([[BEGUN, MISSING]], [crashing]), kube.deployment(), 0.2)
    assert first == "'chat' timed out waiting to be Ready"
    assert rest[-1].endswith("CrashLoopBackOff: exited with code 1")
