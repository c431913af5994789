"""Waiting until an object is live, as the Kubernetes provider does after it was applied."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

from portway.sandbox.controlplane.api import KubeApi
from portway.sandbox.controlplane.objects import Object, Ref, dig, object_at, objects_at
from portway.sandbox.controlplane.obstacles import Obstacle, of_pods, waiting_pods
from portway.sandbox.controlplane.status import is_available

SKIP = "pulumi.com/skipAwait"
WAIT_FOR = "pulumi.com/waitFor"
TIMEOUT = "pulumi.com/timeoutSeconds"
DEFAULT_SECONDS = 600.0
POLL_SECONDS = 0.1
REFUSED_SECONDS = 2.0
"""How long pods may be refused before that is final: what they refer to may only just appear."""

LOOK_SECONDS = 1.0
HOPELESS_SECONDS = 8.0
"""How long an image that cannot be pulled, or a pod for which nothing makes room, is waited for."""


class NotLive(Exception):
    """The object exists and is not live. ``reasons`` say why, the first one what was waited for."""

    def __init__(self, *reasons: str) -> None:
        """``reasons`` are shown to the user."""
        self.reasons = reasons
        super().__init__("; ".join(reasons))


def wait_until_live(
    api: KubeApi,
    obj: Object,
    timeout_seconds: float | None,
    pause: Callable[[float], bool],
) -> Object:
    """The live object, once it is what the provider calls ready; kinds that never wait come back at once.

    Args:
        api: the cluster.
        obj: the object as it was applied.
        timeout_seconds: the program's custom timeout; it beats the annotation.
        pause: waits that many seconds; True when the engine wants everything to end.

    Raises:
        NotLive: it failed or was not ready in time.
    """
    annotations = object_at(obj, "metadata", "annotations")
    ref = Ref.of(obj)
    problems = _check_of(obj)
    if problems is None or annotations.get(SKIP) == "true":
        return api.get(ref) or obj
    limit = timeout_seconds or float(annotations.get(TIMEOUT, DEFAULT_SECONDS))
    started = time.monotonic()
    watched = _Watched(api)
    while True:
        live = api.get(ref)
        if live is None:
            raise NotLive(f"'{ref.name}' was deleted while it was awaited")
        found = list(problems(api, live))
        waited = time.monotonic() - started
        if not found:
            return live
        if _is_final(live, waited) or watched.is_hopeless(live):
            raise NotLive(f"'{ref.name}' failed to become Ready", *found, *watched.why(live))
        if waited >= limit:
            raise NotLive(f"'{ref.name}' timed out waiting to be Ready", *found, *watched.why(live))
        if pause(POLL_SECONDS):
            raise NotLive(f"Resource operation was cancelled for '{ref.name}'", *found)


class _Watched:
    """The pods behind what is awaited: looked at now and then, because a server has more to do."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._looked = time.monotonic()
        self._since: float | None = None

    def is_hopeless(self, live: Object) -> bool:
        """Whether what keeps its pods from running has lasted, and the cluster itself cannot end it."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        if not any(_is_stuck(self._api, each) for each in self._workloads(live)):
            self._since = None
            return False
        self._since = now if self._since is None else self._since
        return now - self._since >= HOPELESS_SECONDS

    def why(self, live: Object) -> list[str]:
        """What keeps its pods from running, in the cluster's words."""
        found = [str(o) for each in self._workloads(live) for o in _obstacles(self._api, each)]
        return list(dict.fromkeys(found))

    def _workloads(self, live: Object) -> list[Object]:
        """The Deployments whose pods it waits for."""
        if live.get("kind") == "Deployment":
            return [live]
        selector = object_at(live, "spec", "selector")
        if live.get("kind") != "Service" or not selector:
            return []
        namespace = str(dig(live, "metadata", "namespace"))
        return [
            each for each in self._api.list("apps/v1", "Deployment", namespace)
            if selector.items() <= object_at(each, "spec", "template", "metadata", "labels").items()
            and not is_available(each)
        ]  # fmt: skip


def _is_stuck(api: KubeApi, workload: Object) -> bool:
    """Whether some of its pods will not run by themselves, and none goes that might make room."""
    if _gave_up(workload):
        return True
    return any(each.is_hopeless for each in _obstacles(api, workload)) and not _makes_room(
        api, workload
    )


def _obstacles(api: KubeApi, workload: Object) -> list[Obstacle]:
    namespace = str(dig(workload, "metadata", "namespace"))
    pods = waiting_pods(workload, api.list("v1", "Pod", namespace))
    return of_pods(pods, api.list("v1", "Event", namespace)) if pods else []


def _makes_room(api: KubeApi, workload: Object) -> bool:
    namespace = str(dig(workload, "metadata", "namespace"))
    pods = api.list("v1", "Pod", namespace)
    return any(dig(pod, "metadata", "deletionTimestamp") is not None for pod in pods)


Check = Callable[[KubeApi, Object], Iterator[str]]


def _check_of(obj: Object) -> Check | None:
    """What has to hold for an object to be live; None for kinds that are live once they exist."""
    wanted = object_at(obj, "metadata", "annotations").get(WAIT_FOR)
    if wanted:
        return _asked(str(wanted))
    return {
        ("apps/v1", "Deployment"): _deployment,
        ("v1", "Service"): _service,
    }.get((str(obj.get("apiVersion")), str(obj.get("kind"))))


def _deployment(_api: KubeApi, live: Object) -> Iterator[str]:
    if is_available(live):
        return
    told = [
        f"[{each.get('reason')}] {each.get('message')}"
        for each in objects_at(live, "status", "conditions")
        if (each.get("type") == "ReplicaFailure") == (each.get("status") == "True")
    ]
    # a controller that has only begun says that it progresses, and nothing of pods
    yield from told or ["Minimum number of Pods to consider the application live was not attained"]


def _is_final(live: Object, waited_seconds: float) -> bool:
    """Whether waiting on is pointless: the rollout was given up, or its pods are refused for good."""
    conditions = {each.get("type"): each for each in objects_at(live, "status", "conditions")}
    if conditions.get("ReplicaFailure", {}).get("status") == "True":
        return waited_seconds >= REFUSED_SECONDS
    return _gave_up(live)


def _gave_up(live: Object) -> bool:
    """Whether its rollout is over, and has failed."""
    conditions = objects_at(live, "status", "conditions")
    return any((c.get("type"), c.get("status")) == ("Progressing", "False") for c in conditions)


def _service(api: KubeApi, live: Object) -> Iterator[str]:
    spec = object_at(live, "spec")
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None":
        return
    if spec.get("type") == "LoadBalancer" and not dig(live, "status", "loadBalancer", "ingress"):
        yield "Service was not allocated an IP address; does your cloud provider support this?"
    if not spec.get("selector"):
        return
    ref = Ref.of(live)
    endpoints = api.get(Ref("v1", "Endpoints", ref.name, ref.namespace)) or {}
    if any(subset.get("notReadyAddresses") for subset in objects_at(endpoints, "subsets")):
        yield (
            "Service does not target any Pods. Selected Pods may not be ready, or "
            "field '.spec.selector' may not match labels on any Pods"
        )


def _asked(text: str) -> Check:
    """The check that the program wrote in an annotation: one expression, or a JSON list of them."""
    try:
        several: Any = json.loads(text)
    except ValueError:
        several = text
    expressions = cast("list[Any]", several) if isinstance(several, list) else [several]

    def problems(_api: KubeApi, live: Object) -> Iterator[str]:
        for expression in map(str, expressions):
            if not _holds(expression, live):
                yield f"{expression} does not hold"

    return problems


def _holds(expression: str, live: Object) -> bool:
    kind, _, wanted = expression.partition("=")
    if kind == "condition":
        name, _, status = wanted.partition("=")
        return any(
            str(each.get("type")).lower() == name.lower()
            and str(each.get("status")).lower() == (status or "True").lower()
            for each in objects_at(live, "status", "conditions")
        )
    found = re.fullmatch(r"\{?\.?([\w.]+)\}?(?:=(.*))?", wanted)
    if kind != "jsonpath" or found is None:
        return False
    value = dig(live, *found.group(1).split("."))
    return value is not None if found.group(2) is None else str(value) == found.group(2)
