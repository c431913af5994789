"""What a cloud does around a real cluster: nodes for pods that find none, disks for claims.

Node pools grow by one node for each pod that the scheduler could not place, up to a maximum, and a node on
which nothing runs is taken away after a while: as a managed cluster's autoscaler, so that nobody has to
say beforehand which machines a stack will ask for. A pod that no machine can satisfy stays pending, and an
event on it says why.
"""

import asyncio
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass

from portway.sandbox.controlplane.install import PROVISIONER
from portway.sandbox.controlplane.nodes import (
    POOL,
    NoSuchMachine,
    claims_devices,
    gpus_of,
    labels_for,
    node_for,
    slice_for,
)
from portway.sandbox.controlplane.objects import Object, dig, object_at, objects_at, token_of
from portway.sandbox.controlplane.obstacles import NO_MORE_NODES, is_unschedulable
from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.kubernetes_objects import disk_of
from portway.sandbox.dataplane.live_objects import LiveObjects, Refused, event_of, row_of
from portway.sandbox.dataplane.live_pods import WORKLOAD, is_over
from portway.sandbox.dataplane.troubles import Troubles
from portway.sandbox.faults import FaultKind

log = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
AGAIN_SECONDS = 6.0
"""A pod that still finds no node then has lost the one that was made for it to another pod."""

_EXISTS = 409


@dataclass(frozen=True)
class _Order:
    """A node that is to be, and what it has."""

    pod_uid: str
    node: Object
    status: Object
    publishes_devices: bool


class NodePools:
    """The nodes of the cluster."""

    def __init__(self, context: Context, objects: LiveObjects) -> None:
        self._context = context
        self._objects = objects
        self._troubles = Troubles(context.layout, context.store)
        self._asked: dict[str, float] = {}
        self._orders: dict[str, _Order] = {}
        self._told: set[tuple[str, str]] = set()
        self._idle_since: dict[str, float] = {}
        self._lock = asyncio.Lock()

    async def reconcile(self) -> None:
        """Grow for pods that find no node, shrink where nothing runs."""
        async with self._lock:
            for order in list(self._orders.values()):
                await self._make(order)
            for pod in self._objects.of("v1", "Pod"):
                uid = str(dig(pod, "metadata", "uid"))
                if is_unschedulable(pod) and self._is_due(uid):
                    await self._grow(pod, uid)
            for node in self._objects.of("v1", "Node"):
                await self._shrink(node)

    def _is_due(self, uid: str) -> bool:
        if any(order.pod_uid == uid for order in self._orders.values()):
            return False
        return time.monotonic() - self._asked.get(uid, -AGAIN_SECONDS) >= AGAIN_SECONDS

    async def _grow(self, pod: Object, uid: str) -> None:
        try:
            pool = pool_of(pod)
            number = self._free_number(pool)
            if (uid in self._asked or number is None) and self._is_one_coming(pool):
                self._asked[uid] = time.monotonic()
                return
            if number is None:
                self._asked[uid] = time.monotonic()
                why = f"the node pool has its most nodes, {self._most}"
                await self._warn(pod, NO_MORE_NODES, why)
                return
            node, status = node_for(pod, pool, number)
            if gpus_of(pod) or claims_devices(pod):
                self._require_capacity()
        except NoSuchMachine as error:
            self._asked[uid] = time.monotonic()
            await self._warn(pod, NO_MORE_NODES, str(error))
            return
        await self._make(_Order(uid, node, status, publishes_devices=claims_devices(pod)))

    async def _make(self, order: _Order) -> None:
        """Carry ``order`` out; it stays while the server is away, which may have done a part of it."""
        name = str(dig(order.node, "metadata", "name"))
        is_again = self._orders.pop(name, None) is not None
        try:
            made = await self._made(order.node, is_again=is_again)
            await self._objects.patch(f"/api/v1/nodes/{name}/status", {"status": order.status})
            if order.publishes_devices:
                await self._publish_devices(made)
        except Refused as error:
            if error.may_pass:
                self._orders[name] = order
            # 409: it was made for another pod a moment ago; the next look sees it and takes another number
            elif error.code != _EXISTS:
                log.warning("node %s cannot be made: %s", name, error)
            return
        self._asked[order.pod_uid] = time.monotonic()

    async def _made(self, node: Object, *, is_again: bool) -> Object:
        try:
            return await self._objects.ask("POST", "/api/v1/nodes", json=node)
        except Refused as error:
            if not is_again or error.code != _EXISTS:
                raise
        return await self._objects.ask("GET", f"/api/v1/nodes/{dig(node, 'metadata', 'name')}")

    def _require_capacity(self) -> None:
        due = self._troubles.due("start", WORKLOAD, "")
        if any(fault.kind is FaultKind.NO_CAPACITY for fault in due):
            raise NoSuchMachine("the cloud has no machine with a GPU to spare in this region")

    async def _publish_devices(self, node: Object) -> None:
        metadata = object_at(node, "metadata")
        owner = {
            "apiVersion": "v1",
            "kind": "Node",
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
        published = slice_for(node)
        published["metadata"]["ownerReferences"] = [owner]
        try:
            await self._objects.ask(
                "POST", "/apis/resource.k8s.io/v1/resourceslices", json=published
            )
        except Refused as error:
            if error.code != _EXISTS:
                raise

    async def _shrink(self, node: Object) -> None:
        name = str(dig(node, "metadata", "name"))
        if POOL not in object_at(node, "metadata", "labels"):
            return
        if self._is_busy(name):
            self._idle_since.pop(name, None)
        elif time.monotonic() - self._idle_since.setdefault(name, time.monotonic()) > IDLE_SECONDS:
            self._idle_since.pop(name)
            try:
                await self._objects.ask("DELETE", f"/api/v1/nodes/{name}")
            except Refused as error:
                log.warning("node %s cannot be removed: %s", name, error)

    @property
    def _most(self) -> int:
        return int(self._context.settings.most_nodes)

    def _is_one_coming(self, pool: str) -> bool:
        """Whether a node of ``pool`` is not ready yet, or free: a pod may run there once the scheduler sees it."""
        return not all(
            _is_ready(node) and self._is_busy(str(dig(node, "metadata", "name")))
            for node in self._nodes_of(pool)
        )

    def _is_busy(self, name: str) -> bool:
        return any(
            dig(pod, "spec", "nodeName") == name and not is_over(pod)
            for pod in self._objects.of("v1", "Pod")
        )

    def _nodes_of(self, pool: str) -> list[Object]:
        return [
            node for node in self._objects.of("v1", "Node")
            if object_at(node, "metadata", "labels").get(POOL) == pool
        ]  # fmt: skip

    def _free_number(self, pool: str) -> int | None:
        names = {str(dig(node, "metadata", "name")) for node in self._nodes_of(pool)}
        taken = names | self._orders.keys()
        free = (n for n in range(self._most) if f"sandbox-{pool}-{n}" not in taken)
        return next(free, None)

    async def _warn(self, pod: Object, reason: str, message: str) -> None:
        told = (str(dig(pod, "metadata", "uid")), message)
        if told in self._told:
            return
        self._told.add(told)
        log.info("pod %s: %s", dig(pod, "metadata", "name"), message)
        namespace = dig(pod, "metadata", "namespace")
        try:
            event = event_of(pod, reason, message)
            await self._objects.ask("POST", f"/api/v1/namespaces/{namespace}/events", json=event)
        except Refused as error:
            log.debug("no event for %s: %s", dig(pod, "metadata", "name"), error)
            if error.may_pass:
                self._told.discard(told)


def _is_ready(node: Object) -> bool:
    conditions = objects_at(node, "status", "conditions")
    return any((one.get("type"), one.get("status")) == ("Ready", "True") for one in conditions)


def pool_of(pod: Object) -> str:
    """The name of the pool whose nodes ``pod`` can use.

    Raises:
        NoSuchMachine: no machine can have what it requires.
    """
    about = [labels_for(pod), sorted(gpus_of(pod)), claims_devices(pod)]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:8]


class Disks:
    """Volumes for the claims that pods wait for; each is a folder that outlives its pods."""

    def __init__(self, objects: LiveObjects) -> None:
        self._objects = objects
        self._made: set[str] = set()

    async def reconcile(self) -> None:
        """Make a volume for each claim that has a node, remove those whose claims are gone."""
        for claim in self._objects.of("v1", "PersistentVolumeClaim"):
            metadata = object_at(claim, "metadata")
            annotations = object_at(metadata, "annotations")
            node = annotations.get("volume.kubernetes.io/selected-node")
            mine = annotations.get("volume.kubernetes.io/storage-provisioner") == PROVISIONER
            if mine and node and not dig(claim, "spec", "volumeName"):
                await self._make(claim, metadata)
        for volume in self._objects.of("v1", "PersistentVolume"):
            mine = dig(volume, "spec", "local", "path")
            if mine and dig(volume, "status", "phase") == "Released":
                await self._remove(volume, str(mine))

    async def _make(self, claim: Object, metadata: Mapping[str, str]) -> None:
        if metadata["uid"] in self._made:
            return
        row = row_of(claim, token_of("v1", "PersistentVolumeClaim"))
        volume = volume_for(claim, str(disk_of(row, self._objects.world()).folder))
        try:
            await self._objects.ask("POST", "/api/v1/persistentvolumes", json=volume)
        except Refused as error:
            log.warning("no volume for %s: %s", metadata["name"], error)
            return
        self._made.add(metadata["uid"])

    async def _remove(self, volume: Object, folder: str) -> None:
        try:
            await self._objects.ask("DELETE", f"/api/v1/persistentvolumes/{dig(volume, 'metadata', 'name')}")  # fmt: skip
        except Refused as error:
            log.warning("a volume cannot be removed: %s", error)
            return
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def volume_for(claim: Object, folder: str) -> Object:
    """The volume of a claim, in ``folder``."""
    metadata, spec = object_at(claim, "metadata"), object_at(claim, "spec")
    reference = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": metadata["name"],
        "namespace": metadata["namespace"], "uid": metadata["uid"],
    }  # fmt: skip
    region = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [region]}]}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{metadata['uid']}"},
        "spec": {
            "capacity": {"storage": dig(spec, "resources", "requests", "storage")},
            "accessModes": spec.get("accessModes"),
            "storageClassName": spec.get("storageClassName"),
            "persistentVolumeReclaimPolicy": "Delete",
            "local": {"path": folder},
            "nodeAffinity": affinity,
            "claimRef": reference,
        },
    }
