"""Controllers of custom kinds that a real cluster of the sandbox does without: what a stack waits for.

KEDA's objects are said to be ready (``live_kubernetes`` scales). A LeaderWorkerSet becomes its pods: leaders
run as every pod does; workers only take their place on a node, since the stand-in model server needs none.
A changed template replaces one group at a time, and the next one when every other is ready.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from copy import deepcopy

from portway.sandbox.controlplane.objects import (
    Object,
    Ref,
    dig,
    object_at,
    objects_at,
    pod_template,
)
from portway.sandbox.controlplane.status import Progress, custom_status, group_status
from portway.sandbox.dataplane.live_objects import LiveObjects, Refused, path_of

log = logging.getLogger(__name__)

READY = (("keda.sh/v1alpha1", "ScaledObject"), ("http.keda.sh/v1beta1", "InterceptorRoute"))
GROUPS = ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")
NAME, GROUP, WORKER, REVISION = (
    f"leaderworkerset.sigs.k8s.io/{each}"
    for each in ("name", "group-index", "worker-index", "template-revision-hash")
)
_EXISTS = 409


class Operators:
    """The controllers of one cluster."""

    def __init__(self, objects: LiveObjects) -> None:
        self._objects = objects

    async def reconcile(self) -> None:
        """Bring every custom object one step nearer to what it declares."""
        for kind in READY:
            for obj in self._objects.of(*kind):
                if not objects_at(obj, "status", "conditions"):
                    await self._say(obj, custom_status(obj))
        for obj in self._objects.of(*GROUPS):
            if dig(obj, "metadata", "deletionTimestamp") is None:
                await self._group(obj)

    async def _group(self, obj: Object) -> None:
        wanted = {dig(pod, "metadata", "name"): pod for pod in pods_of(obj)}
        there = {dig(pod, "metadata", "name"): pod for pod in self._pods(obj)}
        refused: list[str] = []
        for name, pod in there.items():
            if name not in wanted:
                await self._delete(pod)
        for name, pod in wanted.items():
            if name not in there:
                refused += await self._create(pod)
        outdated = [name for name in wanted if name in there and _differ(wanted[name], there[name])]
        ready = [name for name in wanted if name in there and _is_ready(there[name])]
        if outdated and set(ready) | set(outdated) == set(wanted):
            first = dig(wanted[outdated[0]], "metadata", "labels", GROUP)
            for name in outdated:
                if dig(wanted[name], "metadata", "labels", GROUP) == first:
                    await self._delete(there[name])
        progress = Progress(
            generation=int(dig(obj, "metadata", "generation") or 1),
            ready=not outdated and len(ready) == len(wanted),
            refused=refused,
            message="its pods are not ready",
        )
        await self._say(obj, group_status(obj, progress))

    def _pods(self, obj: Object) -> list[Object]:
        ref = Ref.of(obj)
        return [
            pod for pod in self._objects.of("v1", "Pod")
            if dig(pod, "metadata", "namespace") == ref.namespace
            and object_at(pod, "metadata", "labels").get(NAME) == ref.name
            and dig(pod, "metadata", "deletionTimestamp") is None
        ]  # fmt: skip

    async def _create(self, pod: Object) -> list[str]:
        try:
            await self._objects.ask("POST", path_of(pod).rpartition("/")[0], json=pod)
        except Refused as error:
            return [] if error.code == _EXISTS else [str(error)]
        return []

    async def _delete(self, pod: Object) -> None:
        try:
            await self._objects.ask("DELETE", path_of(pod))
        except Refused as error:
            log.warning("pod %s: %s", Ref.of(pod).id, error)

    async def _say(self, obj: Object, status: Object) -> None:
        if object_at(obj, "status") == status:
            return
        try:
            await self._objects.patch(f"{path_of(obj)}/status", {"status": status})
        except Refused as error:
            log.warning("%s: %s", Ref.of(obj).id, error)


def pods_of(obj: Object) -> Iterator[Object]:
    """Every pod that a LeaderWorkerSet declares: each group's leader, then its workers."""
    declared = object_at(obj, "spec", "leaderWorkerTemplate")
    size = int(declared.get("size") or 1)
    replicas = dig(obj, "spec", "replicas")
    for group in range(1 if replicas is None else int(replicas)):
        yield _pod(obj, pod_template(obj) or {}, group, 0, size)
        for worker in range(1, size):
            yield _pod(obj, object_at(declared, "workerTemplate"), group, worker, size)


def _pod(obj: Object, template: Object, group: int, worker: int, size: int) -> Object:
    metadata = object_at(obj, "metadata")
    leader = f"{metadata['name']}-{group}"
    given = deepcopy(object_at(template, "metadata"))
    labels = {
        **object_at(given, "labels"), NAME: str(metadata["name"]), GROUP: str(group),
        WORKER: str(worker), REVISION: _revision(template),
    }  # fmt: skip
    played = {"kwok.x-k8s.io/pod": "fake"} if worker else {}
    owner = {
        "apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": metadata["name"],
        "uid": metadata["uid"], "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    spec = deepcopy(object_at(template, "spec"))
    told = {
        "LWS_LEADER_ADDRESS": f"{leader}.{metadata['name']}.{metadata['namespace']}",
        "LWS_GROUP_SIZE": str(size),
        "LWS_WORKER_INDEX": str(worker),
    }
    for container in (*objects_at(spec, "containers"), *objects_at(spec, "initContainers")):
        own = [{"name": name, "value": value} for name, value in told.items()]
        container["env"] = [*own, *objects_at(container, "env")]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{leader}-{worker}" if worker else leader,
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": {**object_at(given, "annotations"), **played},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }


def _revision(template: Object) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def _differ(wanted: Object, there: Object) -> bool:
    return dig(wanted, "metadata", "labels", REVISION) != dig(there, "metadata", "labels", REVISION)


def _is_ready(pod: Object) -> bool:
    return any(
        (each.get("type"), each.get("status")) == ("Ready", "True")
        for each in objects_at(pod, "status", "conditions")
    )
