"""A small kubelet and its controllers: Deployments as pods, LoadBalancer Services as addresses.

Simulated: there is one node with room for everything; a rollout starts all new pods before it stops the
old ones, whatever ``strategy`` says except ``Recreate``; ClusterIP Services are known by name inside
their cluster only; a ScaledObject scales on the requests that arrive at the Service, as the HTTP
interceptor would, and holds them while a pod starts; of Jobs only downloads of weights are
carried out, and of the pods of a group
(LeaderWorkerSet) only the one that answers.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.front import LOOPBACK, Exchange, Front
from portway.sandbox.dataplane.kubernetes_deployments import Deployment
from portway.sandbox.dataplane.kubernetes_gateways import Gateways
from portway.sandbox.dataplane.kubernetes_jobs import download
from portway.sandbox.dataplane.kubernetes_network import Network, target_port
from portway.sandbox.dataplane.kubernetes_objects import (
    SERVICE,
    name_of,
    namespace_of,
    selected,
    workloads,
)
from portway.sandbox.dataplane.prometheus import PORT_NAME, Target
from portway.sandbox.dataplane.proxy import UpstreamFailed, forward
from portway.sandbox.dataplane.world import World, child, items, text
from portway.sandbox.store import Row

log = logging.getLogger(__name__)


class Kubernetes:
    """Every Deployment and Service of every context."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._deployments: dict[str, Deployment] = {}
        self._services: dict[str, Service] = {}
        self._network = Network(context, self._backends)
        self._gateways = Gateways(context, self._backends)

    async def reconcile(self, world: World) -> None:
        """Run what is deployed now, and nothing else."""
        download(world)
        deployments = {str(row.key): row for row in workloads(world)}
        services = {
            str(row.key): row for row in world.of(SERVICE)
            if text(child(row.inputs, "spec"), "type") == "LoadBalancer"
        }  # fmt: skip
        for owner in self._services.keys() - services.keys():
            self._context.spawn(self._services.pop(owner).close())
        for owner in self._deployments.keys() - deployments.keys():
            self._context.spawn(self._deployments.pop(owner).close())
        for owner, row in deployments.items():
            if owner not in self._deployments:
                self._deployments[owner] = Deployment(self._context, row, world)
            self._deployments[owner].apply(row, world)
        for owner, row in services.items():
            if owner not in self._services:
                self._services[owner] = Service(self._context, self._backends)
            await self._services[owner].apply(row)
        inside = [row for row in world.of(SERVICE) if is_inside(row)]
        await self._network.reconcile(world, inside, list(deployments.values()))
        await self._gateways.reconcile(world)

    def describe(self) -> list[dict[str, Any]]:
        """What runs, for people."""
        every = [*self._services.values(), *self._deployments.values()]
        return [*(each.describe() for each in every), *self._gateways.describe()]

    def scraped(self) -> Iterator[Target]:
        """The pods that a Prometheus of their cluster would scrape."""
        for each in self._deployments.values():
            port = metrics_port(each.row)
            for pod in each.ready_pods() if port is not None else []:
                here = pod.instance.port(port or 0)
                yield Target(each.row.key.scope, namespace_of(each.row), pod.instance.name, here)

    async def close(self) -> None:
        """End every pod."""
        await asyncio.gather(*(service.close() for service in self._services.values()))
        await self._network.close()
        await self._gateways.close()
        await asyncio.gather(*(each.close() for each in self._deployments.values()))

    def _backends(self, service: Row) -> "list[Deployment]":
        selector = child(child(service.inputs, "spec"), "selector")
        return [
            each for each in self._deployments.values()
            if each.row.key.scope == service.key.scope
            and namespace_of(each.row) == namespace_of(service)
            and selected(selector, each.labels)
        ]  # fmt: skip


class Service:
    """The address of a Service of type LoadBalancer."""

    def __init__(self, context: Context, backends: Callable[[Row], list[Deployment]]) -> None:
        self._context = context
        self._backends = backends
        self._front = Front(self.handle)
        self._row: Row | None = None

    async def apply(self, row: Row) -> None:
        """Take a new snapshot; listen the first time."""
        self._row = row
        try:
            if not self._front.port:
                await self._front.listen(self._context.port(str(row.key)))
        except OSError as error:
            message = f"the sandbox cannot listen for the Service: {error}"
            self._context.report(row, ready=False, message=message)
        else:
            self._context.report(row, ready=True)

    def describe(self) -> dict[str, Any]:
        """What runs, for people."""
        assert self._row is not None
        ready = sum(len(each.ready_pods()) for each in self._backends(self._row))
        return {
            "owner": str(self._row.key),
            "resource": f"Service {namespace_of(self._row)}/{name_of(self._row)}",
            "endpoint": f"http://{LOOPBACK}:{self._front.port}",
            "instances": ready,
        }

    async def close(self) -> None:
        """Stop listening."""
        await self._front.close()

    async def handle(self, exchange: Exchange) -> None:
        """Pass one request to a ready pod; without one the connection is cut, as a load balancer does."""
        assert self._row is not None
        for deployment in self._backends(self._row):
            pod = await deployment.pod()
            if pod is None:
                continue
            pod.active += 1
            try:
                await forward(exchange, pod.instance.port(self._target_port(deployment)))
            except (UpstreamFailed, KeyError) as error:
                log.warning("service %s: %s", name_of(self._row), error)
                exchange.abort()
            finally:
                deployment.used(pod)
            return
        log.warning("service %s has no ready pod", name_of(self._row))
        exchange.abort()

    def _target_port(self, deployment: Deployment) -> int:
        assert self._row is not None
        return target_port(items(child(self._row.inputs, "spec"), "ports")[0], deployment)


def is_inside(service: Row) -> bool:
    """Whether a Service has an address inside its cluster only."""
    spec = child(service.inputs, "spec")
    return text(spec, "type") in ("", "ClusterIP") and text(spec, "clusterIP") != "None"


def metrics_port(deployment: Row) -> int | None:
    """The port of a Deployment's pods that is named for scrapes; None where there is none."""
    pod = child(child(child(deployment.inputs, "spec"), "template"), "spec")
    containers = [*items(pod, "initContainers"), *items(pod, "containers")]
    ports = (port for container in containers for port in items(container, "ports"))
    return next((int(p["containerPort"]) for p in ports if text(p, "name") == PORT_NAME), None)
