"""Why the pods of a workload do not run, in the cluster's own words. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from portway.sandbox.controlplane.objects import Object, Ref, dig, object_at, objects_at

PULL_FAILED = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName"})
NO_MORE_NODES = "NotTriggerScaleUp"
"""Reason of the event by which a node autoscaler says that it adds no node for a pod."""

LATE = "NotReadyInTime"
"""Reason of the event by which the sandbox's kubelet says that a container has had its time to start."""

MOST_NAMED = 3
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})


@dataclass(frozen=True)
class Obstacle:
    """One thing that keeps pods from running.

    Attributes:
        about: what it is about, such as ``Pod chat-prod/chat-7f-x``.
        reason: the cluster's one-word reason.
        message: the cluster's sentence.
        is_hopeless: whether nothing that the cluster does by itself will end it.
    """

    about: str
    reason: str
    message: str
    is_hopeless: bool = False

    def __str__(self) -> str:
        """Where, what and why."""
        return f"[{self.about}] {self.reason}: {self.message}"


def of_pods(pods: Iterable[Object], events: Iterable[Object] = ()) -> list[Obstacle]:
    """What keeps ``pods`` from being ready; the same trouble of several pods is told once."""
    said = _by_object(events)
    found: dict[tuple[str, str, bool], list[str]] = {}
    for pod in pods:
        ref = Ref.of(pod)
        uid = str(dig(pod, "metadata", "uid"))
        for where, reason, message, is_hopeless in _of_pod(pod, said.get(uid, [])):
            found.setdefault((reason, message, is_hopeless), []).append(f"{ref.id}{where}")
    return [
        Obstacle(_named(names), reason, message, is_hopeless)
        for (reason, message, is_hopeless), names in found.items()
    ]


def waiting_pods(workload: Object, pods: Iterable[Object]) -> list[Object]:
    """The pods of a Deployment that neither serve nor end nor go."""
    wanted = object_at(workload, "spec", "selector", "matchLabels")
    return [
        pod for pod in pods
        if wanted.items() <= object_at(pod, "metadata", "labels").items()
        and dig(pod, "metadata", "namespace") == dig(workload, "metadata", "namespace")
        and dig(pod, "metadata", "deletionTimestamp") is None
        and not is_ready(pod)
    ]  # fmt: skip


def is_ready(pod: Object) -> bool:
    """Whether a pod takes requests."""
    return any(
        (each.get("type"), each.get("status")) == ("Ready", "True")
        for each in objects_at(pod, "status", "conditions")
    )


def is_unschedulable(pod: Object) -> bool:
    """Whether the scheduler has found no node for ``pod``."""
    return _unplaced(pod) is not None


def _unplaced(pod: Object) -> Object | None:
    if dig(pod, "spec", "nodeName") is not None:
        return None
    wanted = ("PodScheduled", "False", "Unschedulable")
    conditions = objects_at(pod, "status", "conditions")
    return next(
        (each for each in conditions if (each.get("type"), each.get("status"), each.get("reason")) == wanted),
        None,
    )  # fmt: skip


def _of_pod(pod: Object, said: Sequence[Object]) -> Iterator[tuple[str, str, str, bool]]:
    unplaced = _unplaced(pod)
    if unplaced is not None:
        refused = [each for each in said if each.get("reason") == NO_MORE_NODES]
        message = str(unplaced.get("message")).rstrip(" .")
        if refused:
            message += f" ({str(refused[-1].get('message')).rstrip(' .')})"
        yield "", "Unschedulable", message, bool(refused)
    is_late = any(each.get("reason") == LATE for each in said)
    for field in ("initContainerStatuses", "containerStatuses"):
        for status in objects_at(pod, "status", field):
            for where, reason, message, is_hopeless in _of_container(status, said):
                yield where, reason, message, is_hopeless or is_late


def _of_container(status: Object, said: Sequence[Object]) -> Iterator[tuple[str, str, str, bool]]:
    name = str(status.get("name"))
    waiting = object_at(status, "state", "waiting")
    where = f", container {name}"
    if waiting and waiting.get("reason") not in _STARTING:
        reason = str(waiting.get("reason"))
        yield where, reason, str(waiting.get("message") or "it waits"), reason in PULL_FAILED
    elif not status.get("ready") and not object_at(status, "state", "terminated"):
        unhealthy = [
            each for each in said
            if each.get("reason") == "Unhealthy" and name in str(dig(each, "involvedObject", "fieldPath"))
        ]  # fmt: skip
        if unhealthy:
            yield where, "Unhealthy", str(unhealthy[-1].get("message")), False


def _by_object(events: Iterable[Object]) -> Mapping[str, list[Object]]:
    """Events by the uid of what they are about, the newest last."""
    found: dict[str, list[Object]] = {}
    for each in sorted(events, key=lambda e: str(dig(e, "metadata", "creationTimestamp"))):
        found.setdefault(str(dig(each, "involvedObject", "uid")), []).append(each)
    return found


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    listed = ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"Pod {listed}" if len(names) == 1 else f"Pods {listed}"
