"""Why pods do not run, told once for all of them."""

from typing import Any

import pytest

from portway.sandbox.controlplane.obstacles import (
    Obstacle,
    is_unschedulable,
    of_pods,
    waiting_pods,
)
from support import kube_objects as kube

Json = dict[str, Any]
FULL = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. no new claims to deallocate."


def pod(name: str, *, node: str | None = None, labels: Json | None = None, **status: Any) -> Json:
    found = kube.of("v1", "Pod", name, spec={"nodeName": node} if node else {}, status=status)
    found["metadata"] |= {"uid": f"uid-{name}", "labels": labels or kube.LABELS}
    return found


def unplaced(name: str, message: str = FULL) -> Json:
    why = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(name, conditions=[why])


def held(name: str, reason: str, message: str = "") -> Json:
    state = {"waiting": {"reason": reason, "message": message}}
    return pod(name, node="n", containerStatuses=[{"name": "vllm", "ready": False, "state": state}])


def event(about: str, reason: str, message: str, path: str = "", at: str = "1") -> Json:
    involved = {"uid": f"uid-{about}", "fieldPath": path}
    metadata = {"creationTimestamp": at}
    return {"metadata": metadata, "involvedObject": involved, "reason": reason, "message": message}


def test_pods_that_find_no_gpu_are_told_together_with_the_schedulers_words() -> None:
    (one,) = of_pods([unplaced("a"), unplaced("b")])
    assert str(one) == (
        "[Pods chat-prod/a, chat-prod/b] Unschedulable: 0/2 nodes are available: 2 Insufficient "
        "nvidia.com/gpu. no new claims to deallocate"
    )
    assert not one.is_hopeless, "a node may still come"


def test_a_pool_that_adds_no_node_makes_it_hopeless() -> None:
    said = [event("a", "NotTriggerScaleUp", "the node pool has its most nodes, 2")]
    (one,) = of_pods([unplaced("a")], said)
    assert one.is_hopeless
    assert str(one).endswith("deallocate (the node pool has its most nodes, 2)")


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_had_names_container_and_image(reason: str) -> None:
    (one,) = of_pods([held("a", reason, "Failed to pull image 'registry/none:1'")])
    assert one.is_hopeless
    assert str(one).startswith(f"[Pod chat-prod/a, container vllm] {reason}: Failed to pull image")


def test_a_container_that_is_being_started_is_no_trouble() -> None:
    assert of_pods([held("a", "ContainerCreating"), held("b", "PodInitializing")]) == []


def test_a_probe_that_fails_is_what_the_node_said_last() -> None:
    running: Json = {"name": "app", "ready": False, "state": {"running": {}}}
    waits = pod("a", node="n", containerStatuses=[running])
    path = "spec.containers{app}"
    said = [
        event("a", "Unhealthy", "Readiness probe failed: 404", path, at="2"),
        event("a", "Unhealthy", "Readiness probe failed: refused", path, at="1"),
        event("b", "Unhealthy", "of another pod", path, at="3"),
    ]
    assert of_pods([waits], said) == [
        Obstacle("Pod chat-prod/a, container app", "Unhealthy", "Readiness probe failed: 404")
    ]
    assert of_pods([waits]) == []


def test_many_pods_are_counted_and_not_listed() -> None:
    (one,) = of_pods([unplaced(name) for name in "abcde"])
    assert one.about == "Pods chat-prod/a, chat-prod/b, chat-prod/c and 2 more"


def test_only_pods_that_should_serve_are_waited_for() -> None:
    ready = pod("ready", conditions=[{"type": "Ready", "status": "True"}])
    going, other, elsewhere = pod("going"), pod("other", labels={"app": "x"}), pod("elsewhere")
    going["metadata"]["deletionTimestamp"] = "now"
    elsewhere["metadata"]["namespace"] = "another"
    pods = [ready, going, other, elsewhere, unplaced("waits")]
    assert waiting_pods(kube.deployment(), pods) == [pods[-1]]


def test_a_bound_pod_was_scheduled_whatever_was_said_before() -> None:
    assert is_unschedulable(unplaced("a"))
    assert not is_unschedulable({**unplaced("a"), "spec": {"nodeName": "n"}})
