"""The data plane of a real cluster: kubelet, load balancers, node pools, disks and the HTTP scaler.

The control plane decides (admission, scheduling, rollout, endpoints, garbage); this only does what
machines around it would do. ``kubernetes`` is the same for the embedded cluster, and shares the parts.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from portway.sandbox.controlplane.objects import Object, Ref, dig, object_at, objects_at
from portway.sandbox.controlplane.obstacles import of_pods, waiting_pods
from portway.sandbox.dataplane.context import Context, Signal, until
from portway.sandbox.dataplane.front import LOOPBACK, Exchange, Front
from portway.sandbox.dataplane.kubernetes import is_inside, metrics_port
from portway.sandbox.dataplane.kubernetes_deployments import HOLD_SECONDS, Pod
from portway.sandbox.dataplane.kubernetes_gateways import Gateways
from portway.sandbox.dataplane.kubernetes_network import Network, target_port
from portway.sandbox.dataplane.kubernetes_objects import (
    DEPLOYMENT,
    SERVICE,
    namespace_of,
    selected,
)
from portway.sandbox.dataplane.kubernetes_scaling import Scaler, scaler_of
from portway.sandbox.dataplane.live_nodes import Disks, NodePools
from portway.sandbox.dataplane.live_objects import LiveObjects, Refused, path_of
from portway.sandbox.dataplane.live_operators import Operators
from portway.sandbox.dataplane.live_pods import Kubelet, LivePod
from portway.sandbox.dataplane.prometheus import Target
from portway.sandbox.dataplane.proxy import UpstreamFailed, forward
from portway.sandbox.dataplane.world import World, child, items, text
from portway.sandbox.store import Row

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 1.0


class LiveKubernetes:
    """Everything that serves one real cluster."""

    def __init__(self, context: Context, kubeconfig: Path) -> None:
        self._context = context
        self._changed = Signal()
        self._objects = LiveObjects(kubeconfig, self._changed.fire)
        self._kubelet = Kubelet(context, self._objects)
        self._pools = NodePools(context, self._objects)
        self._disks = Disks(self._objects)
        self._operators = Operators(self._objects)
        self._balancers: dict[str, Balancer] = {}
        self._network = Network(context, self._pods_behind)
        self._gateways = Gateways(context, self._pods_behind)
        self._contexts: dict[str, set[str]] = {}
        self._keeper = context.spawn(self._keep())

    async def reconcile(self, world: World) -> None:
        """Learn by which contexts stacks reach a namespace; the cluster itself is watched."""
        self._contexts = {}
        for row in world.of_prefix("kubernetes:"):
            self._contexts.setdefault(namespace_of(row), set()).add(row.key.scope)

    def scraped(self) -> Iterator[Target]:
        """The pods that a Prometheus of their cluster would scrape, by each context that names it."""
        for each in self._kubelet.pods:
            port = metrics_port(each.row)
            for pod in each.ready_pods() if port is not None else []:
                here = pod.instance.port(port or 0)
                for context in sorted(self._contexts.get(each.namespace, ())):
                    yield Target(context, each.namespace, pod.instance.name, here)

    def describe(self) -> list[dict[str, Any]]:
        """What runs, for people."""
        found = [each.describe() for each in self._balancers.values()]
        found += self._gateways.describe()
        for obj in self._objects.of("apps/v1", "Deployment"):
            status = object_at(obj, "status")
            ready = int(status.get("readyReplicas") or 0)
            wanted = int(dig(obj, "spec", "replicas") or 0)
            why = "" if ready >= wanted else _why(obj, self._objects.of("v1", "Pod"))
            found.append(
                {
                    "owner": f"Deployment {Ref.of(obj).id}",
                    "resource": f"Deployment {Ref.of(obj).id}",
                    "endpoint": "",
                    "instances": int(status.get("replicas") or 0),
                    "ready": ready >= wanted,
                    "message": why,
                }
            )
        return found

    async def close(self) -> None:
        """End every process and stop listening; the cluster itself goes on."""
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        await asyncio.gather(*(each.close() for each in self._balancers.values()))
        await self._network.close()
        await self._gateways.close()
        await self._kubelet.close()
        await self._objects.close()

    async def _keep(self) -> None:
        while True:
            if self._objects.is_complete:
                try:
                    await self._step()
                except Exception:
                    log.exception("the data plane of the cluster")
            await self._changed.wait(RECONCILE_SECONDS)

    async def _step(self) -> None:
        self._kubelet.reconcile()
        await self._pools.reconcile()
        await self._disks.reconcile()
        await self._operators.reconcile()
        world = self._objects.world()
        services = world.of(SERVICE)
        await self._balance(
            {str(r.key): r for r in services if text(child(r.inputs, "spec"), "type") == "LoadBalancer"}
        )  # fmt: skip
        inside = [
            row for row in services if is_inside(row) and items(child(row.inputs, "spec"), "ports")
        ]
        rows = [pod.row for pod in self._kubelet.pods]
        await self._network.reconcile(world, inside, rows)
        await self._gateways.reconcile(world)

    async def _balance(self, services: dict[str, Row]) -> None:
        for gone in self._balancers.keys() - services.keys():
            await self._balancers.pop(gone).close()
        for owner, row in services.items():
            if owner not in self._balancers:
                self._balancers[owner] = Balancer(self._context, self._objects, self._kubelet)
            await self._balancers[owner].apply(row)

    def _pods_behind(self, service: Row) -> Sequence[LivePod]:
        return pods_behind(service, self._kubelet)


def pods_behind(service: Row, kubelet: Kubelet) -> list[LivePod]:
    """The pods that a Service selects, ready or not."""
    selector = child(child(service.inputs, "spec"), "selector")
    namespace = namespace_of(service)
    return [
        pod for pod in kubelet.pods
        if pod.namespace == namespace and selected(selector, pod.labels)
    ]  # fmt: skip


def _why(deployment: Object, pods: list[Object]) -> str:
    troubles = of_pods(waiting_pods(deployment, pods))
    if troubles:
        return "; ".join(str(each) for each in troubles)
    conditions = {each.get("type"): each for each in objects_at(deployment, "status", "conditions")}
    failed = conditions.get("ReplicaFailure") or conditions.get("Available") or {}
    return str(failed.get("message") or "its pods are not ready")


class Balancer:
    """The address of one Service of type LoadBalancer, and the scaler that counts its requests."""

    def __init__(self, context: Context, objects: LiveObjects, kubelet: Kubelet) -> None:
        self._context = context
        self._objects = objects
        self._kubelet = kubelet
        self._front = Front(self.handle)
        self._row: Row | None = None
        self._waiting = 0
        self._used_at = time.monotonic()
        self._changed = Signal()
        self._keeper = context.spawn(self._scale())

    async def apply(self, row: Row) -> None:
        """Take the newest state; listen the first time, and tell the cluster the address."""
        self._row = row
        self._changed.fire()
        try:
            if not self._front.port:
                await self._front.listen(self._context.port(str(row.key)))
        except OSError as error:
            log.warning("the sandbox cannot listen for the Service %s: %s", row.key.id, error)
            return
        ports = [{"port": self._front.port, "protocol": "TCP"}]
        ingress = [{"ip": LOOPBACK, "ipMode": "Proxy", "ports": ports}]
        if dig(row.outputs, "status", "loadBalancer", "ingress") == ingress:
            return
        with contextlib.suppress(Refused):
            status = {"status": {"loadBalancer": {"ingress": ingress}}}
            await self._objects.patch(f"{path_of(row.outputs)}/status", status)

    def describe(self) -> dict[str, Any]:
        """What runs, for people."""
        assert self._row is not None
        ready = len(self._ready())
        return {
            "owner": str(self._row.key),
            "resource": f"Service {self._row.key.id}",
            "endpoint": f"http://{LOOPBACK}:{self._front.port}",
            "instances": ready,
            "ready": bool(ready) or self._scaler() is not None,
            "message": "",
        }

    async def close(self) -> None:
        """Stop listening."""
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        await self._front.close()

    async def handle(self, exchange: Exchange) -> None:
        """Pass one request to a ready pod; without one the connection is cut, as a load balancer does."""
        chosen = await self._pod()
        if chosen is None or self._row is None:
            log.warning("service %s has no ready pod", self._row and self._row.key.id)
            exchange.abort()
            return
        owner, pod = chosen
        pod.active += 1
        port = items(child(self._row.inputs, "spec"), "ports")[0]
        try:
            await forward(exchange, pod.instance.port(target_port(port, owner)))
        except (UpstreamFailed, KeyError) as error:
            log.warning("service %s: %s", self._row.key.id, error)
            exchange.abort()
        finally:
            pod.active -= 1
            self._used_at = time.monotonic()
            owner.changed.fire()
            self._changed.fire()

    def _ready(self) -> list[tuple[LivePod, Pod]]:
        assert self._row is not None
        behind = pods_behind(self._row, self._kubelet)
        return [(owner, pod) for owner in behind for pod in owner.ready_pods()]

    async def _pod(self) -> tuple[LivePod, Pod] | None:
        self._waiting += 1
        self._used_at = time.monotonic()
        self._changed.fire()
        try:
            if not self._ready() and self._scaler() is not None:
                await self._until_ready()
            return min(self._ready(), key=lambda each: each[1].active, default=None)
        finally:
            self._waiting -= 1

    async def _until_ready(self) -> None:
        deadline = time.monotonic() + HOLD_SECONDS
        while not self._ready() and time.monotonic() < deadline:
            await until(lambda: bool(self._ready()), self._changed, 0.2)

    def _scaled(self) -> Row | None:
        """The Deployment behind the Service."""
        assert self._row is not None
        selector = child(child(self._row.inputs, "spec"), "selector")
        for row in self._objects.world().of(DEPLOYMENT):
            template = child(child(row.inputs, "spec"), "template")
            labels = child(child(template, "metadata"), "labels")
            if namespace_of(row) == namespace_of(self._row) and selected(selector, labels):
                return row
        return None

    def _scaler(self) -> Scaler | None:
        deployment = self._scaled()
        return None if deployment is None else scaler_of(deployment, self._objects.world())

    async def _scale(self) -> None:
        while True:
            try:
                await self._scale_once()
            except Refused as error:
                log.warning("cannot scale: %s", error)
            except Exception:
                log.exception("the scaler")
            await self._changed.wait(RECONCILE_SECONDS)

    async def _scale_once(self) -> None:
        deployment = None if self._row is None else self._scaled()
        scaler = None if deployment is None else scaler_of(deployment, self._objects.world())
        if deployment is None or scaler is None:
            return
        busy = self._waiting + sum(pod.active for _, pod in self._ready())
        cooldown = self._context.settings.scaled(scaler.cooldown_seconds)
        wanted = scaler.wanted(busy, time.monotonic() - self._used_at, cooldown)
        if wanted != dig(deployment.outputs, "spec", "replicas"):
            path = f"{path_of(deployment.outputs)}/scale"
            await self._objects.patch(path, {"spec": {"replicas": wanted}})
