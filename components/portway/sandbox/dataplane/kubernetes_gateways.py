"""The Gateways that HTTPRoutes name: a loopback port each, where requests find their pods by host and path.

A Gateway is somebody else's object; that a route names it is enough here. It speaks plain HTTP: a client
says by its ``Host`` which name it means.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from portway.sandbox.dataplane.context import Context, Signal
from portway.sandbox.dataplane.front import LOOPBACK, Exchange, Front
from portway.sandbox.dataplane.kubernetes_deployments import Pod
from portway.sandbox.dataplane.kubernetes_network import Backend, target_port
from portway.sandbox.dataplane.kubernetes_routes import (
    Asked,
    Chosen,
    GatewayName,
    hosts,
    parents,
    pick,
    rule_for,
    service_of,
)
from portway.sandbox.dataplane.proxy import UpstreamFailed, forward
from portway.sandbox.dataplane.world import World, items
from portway.sandbox.store import Row

log = logging.getLogger(__name__)

PLAIN = "text/plain"


class Backing(Backend, Protocol):
    """A backend whose requests are counted, so that it is not ended while one runs."""

    changed: Signal


Backings = Callable[[Row], Sequence[Backing]]


class Gateways:
    """Every Gateway that some route names."""

    def __init__(self, context: Context, backends: Backings) -> None:
        self._context = context
        self._backends = backends
        self._gateways: dict[GatewayName, _Gateway] = {}

    async def reconcile(self, world: World) -> None:
        """Listen for the Gateways that are named now."""
        named = parents(world)
        for gone in self._gateways.keys() - named.keys():
            await self._gateways.pop(gone).close()
        for name, routes in named.items():
            if name not in self._gateways:
                self._gateways[name] = _Gateway(name, self._backends)
            try:
                await self._gateways[name].apply(world, routes, self._context.port(str(name)))
            except OSError as error:
                log.warning("the sandbox cannot listen for the %s: %s", name, error)

    def describe(self) -> list[dict[str, Any]]:
        """What runs, for people."""
        return [each.describe() for each in self._gateways.values()]

    async def close(self) -> None:
        """Stop listening."""
        for each in self._gateways.values():
            await each.close()


class _Gateway:
    def __init__(self, name: GatewayName, backends: Backings) -> None:
        self._name = name
        self._backends = backends
        self._front = Front(self.handle)
        self._routes: list[Row] = []
        self._world: World | None = None
        self._owed: dict[tuple[str, int, str], dict[int, int]] = {}

    async def apply(self, world: World, routes: list[Row], port: int) -> None:
        self._world, self._routes = world, routes
        if not self._front.port:
            await self._front.listen(port)

    def describe(self) -> dict[str, Any]:
        served = ", ".join(dict.fromkeys(hosts(self._routes)))
        return {
            "owner": str(self._name),
            "resource": f"Gateway {self._name.namespace}/{self._name.name} for {served}",
            "endpoint": f"http://{LOOPBACK}:{self._front.port}",
            "instances": len(self._routes),
            "ready": True,
            "message": "",
        }

    async def close(self) -> None:
        await self._front.close()

    async def handle(self, exchange: Exchange) -> None:
        """Answer as a gateway does: 404 without a route, 500 without a backend, 503 without a pod."""
        host = (exchange.header("host") or "").rpartition(":")[0] or exchange.header("host") or ""
        asked = Asked(host.lower(), exchange.path, exchange.method, dict(exchange.headers))
        chosen = rule_for(self._routes, asked)
        if chosen is None:
            await exchange.reply(404, f"no route of {self._name} is for {host}", PLAIN)
            return
        found = self._service(chosen)
        if found is None:
            why = f"HTTPRoute {chosen.route.key.id} leads to no Service that it may lead to"
            log.warning(why)
            await exchange.reply(500, why, PLAIN)
            return
        await self._forward(exchange, *found)

    def _service(self, chosen: Chosen) -> tuple[Row, Any] | None:
        backends = items(chosen.rule, "backendRefs")
        # changed weights begin anew: what was owed under the old ones is nobody's
        weights = ",".join(str(each.get("weight", 1)) for each in backends)
        owed = self._owed.setdefault((chosen.route.key.id, chosen.number, weights), {})
        backend = None if items(chosen.rule, "filters") else pick(backends, owed)
        if backend is None or self._world is None:
            return None
        return service_of(self._world, chosen.route, backend)

    async def _forward(self, exchange: Exchange, service: Row, port: Any) -> None:  # noqa: ANN401 - JSON
        ready: list[tuple[Backing, Pod]] = [
            (owner, pod) for owner in self._backends(service) for pod in owner.ready_pods()
        ]
        if not ready:
            why = f"no pod of the Service {service.key.id} is ready"
            await exchange.reply(503, why, PLAIN)
            return
        owner, pod = min(ready, key=lambda each: each[1].active)
        pod.active += 1
        try:
            await forward(exchange, pod.instance.port(target_port(port, owner)))
        except (UpstreamFailed, KeyError) as error:
            log.warning("%s: %s", self._name, error)
            exchange.abort()
        finally:
            pod.active -= 1
            owner.changed.fire()
