"""The cluster's inside: names and ports of ClusterIP Services as pods see them.

Each port of a Service is a loopback port of this machine. Which one stands for a name is written to a
file for each Deployment, which ``loopback`` reads when a container's program resolves the name. A
connection that a NetworkPolicy forbids is led to a port that accepts it and never answers.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.front import LOOPBACK
from portway.sandbox.dataplane.kubernetes_deployments import Pod, names_file
from portway.sandbox.dataplane.kubernetes_objects import name_of, namespace_of
from portway.sandbox.dataplane.kubernetes_policies import Peer, may_connect
from portway.sandbox.dataplane.world import World, child, items, text
from portway.sandbox.store import Json, Row

log = logging.getLogger(__name__)

READ_BYTES = 65536


class Backend(Protocol):
    """Pods that a Service may lead to, and the template they were made of."""

    @property
    def row(self) -> Row:
        """What declares them: a Deployment, or a pod in the form of one."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """What selectors see."""
        ...

    def ready_pods(self) -> list[Pod]:
        """Those that can take connections."""
        ...


Backends = Callable[[Row], Sequence[Backend]]


class Network:
    """Every ClusterIP Service of every context."""

    def __init__(self, context: Context, backends: Backends) -> None:
        self._context = context
        self._backends = backends
        self._ports: dict[tuple[str, int], _Port] = {}
        self._nowhere: dict[tuple[str, int], _Nowhere] = {}

    async def reconcile(self, world: World, services: Sequence[Row], pods: Sequence[Row]) -> None:
        """Listen for what is deployed now, and tell every Deployment of ``pods`` its names."""
        declared = {
            (str(row.key), int(port["port"])): (row, port)
            for row in services
            for port in items(child(row.inputs, "spec"), "ports")
        }
        for gone in self._ports.keys() - declared.keys():
            await self._ports.pop(gone).close()
            await self._nowhere.pop(gone).close()
        for key, (row, port) in declared.items():
            if key not in self._ports:
                self._ports[key] = _Port(self._backends)
                self._nowhere[key] = _Nowhere(f"Service {row.key.id}, port {key[1]}")
                await self._nowhere[key].listen()
            await self._ports[key].apply(row, port)
        for pod in pods:
            self._tell(world, pod, declared)

    async def close(self) -> None:
        """Stop listening."""
        for port in (*self._ports.values(), *self._nowhere.values()):
            await port.close()

    def _tell(
        self, world: World, pod: Row, declared: Mapping[tuple[str, int], tuple[Row, Json]]
    ) -> None:
        names: dict[str, int] = {}
        for key, (row, port) in declared.items():
            if row.key.scope != pod.key.scope:
                continue
            open_to = self._ports[key].port if self._allowed(world, pod, row, port) else None
            for name in _names(row, pod):
                names[f"{name}:{key[1]}"] = open_to or self._nowhere[key].port
        file = names_file(self._context, pod)
        text_ = json.dumps(names, sort_keys=True)
        if not file.is_file() or file.read_text("utf-8") != text_:
            partial = file.with_suffix(".partial")
            partial.write_text(text_, "utf-8")
            partial.replace(file)

    def _allowed(self, world: World, pod: Row, service: Row, port: Json) -> bool:
        source = Peer(pod.key.scope, namespace_of(pod), _labels(pod))
        return all(
            may_connect(
                world,
                source,
                Peer(service.key.scope, namespace_of(service), backend.labels),
                target_port(port, backend),
                text(port, "targetPort"),
            )
            for backend in self._backends(service)
        )


class _Port:
    """One port of one Service: passes connections to a ready pod."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._server: asyncio.Server | None = None
        self._row: Row | None = None
        self._declared: Json = {}
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0

    async def apply(self, row: Row, declared: Json) -> None:
        self._row, self._declared = row, declared
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
            self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            port = self._pod_port()
            if port is not None:
                with contextlib.suppress(OSError):
                    there = await asyncio.open_connection(LOOPBACK, port)
                    await _both_ways((reader, writer), there)
        except asyncio.CancelledError:
            return
        finally:
            self._open.discard(task)
            writer.close()

    def _pod_port(self) -> int | None:
        assert self._row is not None
        for backend in self._backends(self._row):
            for pod in backend.ready_pods():
                with contextlib.suppress(KeyError):
                    return pod.instance.port(target_port(self._declared, backend))
        log.warning("service %s has no ready pod", name_of(self._row))
        return None


class _Nowhere:
    """Takes connections to ``target`` and never answers, as a packet filter that drops; the log says so."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._hold, LOOPBACK, 0)
            self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        log.warning(
            "a connection to the %s is dropped: no NetworkPolicy of the pod that calls, or of the pods "
            "behind it, lets it through; add a rule for it to one that selects them",
            self._target,
        )
        try:
            with contextlib.suppress(OSError):
                while await reader.read(READ_BYTES):
                    pass
        finally:
            self._open.discard(writer)
            writer.close()


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _both_ways(here: Streams, there: Streams) -> None:
    ways = [
        asyncio.create_task(_pass(here[0], there[1])),
        asyncio.create_task(_pass(there[0], here[1])),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        there[1].close()


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(READ_BYTES):
        sink.write(data)
        await sink.drain()


def target_port(declared: Json, deployment: Backend) -> int:
    """The container port that a Service's port leads to; 0 when it names none of the pod's."""
    target = declared.get("targetPort") or declared.get("port")
    if isinstance(target, int) or str(target).isdigit():
        return int(target or 0)
    pod = child(child(child(deployment.row.inputs, "spec"), "template"), "spec")
    named = {
        text(port, "name"): int(port["containerPort"])
        for container in [*items(pod, "containers"), *items(pod, "initContainers")]
        for port in items(container, "ports")
    }
    return named.get(str(target), 0)


def _labels(deployment: Row) -> Mapping[str, str]:
    template = child(child(deployment.inputs, "spec"), "template")
    return child(child(template, "metadata"), "labels")


def _names(service: Row, pod: Row) -> list[str]:
    name, namespace = name_of(service), namespace_of(service)
    long = [f"{name}.{namespace}{rest}" for rest in ("", ".svc", ".svc.cluster.local")]
    return [*long, name] if namespace == namespace_of(pod) else long
