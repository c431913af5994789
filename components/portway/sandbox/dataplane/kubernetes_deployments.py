"""Deployments as pods: started, replaced, scaled, and reported on."""

import asyncio
import logging
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from portway.sandbox.dataplane.context import Context, Signal, safe, until
from portway.sandbox.dataplane.instance import Instance, StartFailed
from portway.sandbox.dataplane.kubernetes_objects import (
    DEFAULT_DEADLINE_SECONDS,
    PodTemplate,
    name_of,
    namespace_of,
    read_pod_template,
    template_digest,
)
from portway.sandbox.dataplane.kubernetes_scaling import Scaler, replicas_of, scaler_of
from portway.sandbox.dataplane.troubles import Troubles, troubled
from portway.sandbox.dataplane.world import PlatformError, World, child, fingerprint, number, text
from portway.sandbox.store import Row

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
HOLD_SECONDS = 300.0
DRAIN_SECONDS = 30.0


def names_file(context: Context, deployment: Row) -> Path:
    """Where the names that a Deployment's pods can resolve are written."""
    return context.layout.run / f"{safe(str(deployment.key))}.names.json"


class Pod:
    """An instance with the requests it is answering."""

    def __init__(self, instance: Instance, digest: str) -> None:
        self.instance = instance
        self.digest = digest
        self.active = 0


class Deployment:
    """Keeps as many ready pods of the newest template as are wanted."""

    def __init__(self, context: Context, row: Row, world: World) -> None:
        self._context = context
        self._world = world
        self._pods: list[Pod] = []
        self._pending = 0
        self._last_used = time.monotonic()
        self._since = time.monotonic()
        self._trouble = ""
        self._hopeless = False
        self._verified = False
        self.row = row
        self.changed = Signal()
        self._troubles = Troubles(context.layout, context.store)
        self._keeper = context.spawn(self._keep())

    @property
    def labels(self) -> dict[str, str]:
        """What its pods are labelled with."""
        template = child(child(self.row.inputs, "spec"), "template")
        return child(child(template, "metadata"), "labels")

    @property
    def scaler(self) -> Scaler | None:
        """What scales it instead of its replicas."""
        return scaler_of(self.row, self._world)

    def ready_pods(self) -> list[Pod]:
        """Pods that can take requests."""
        return [pod for pod in self._pods if pod.instance.ready]

    def apply(self, row: Row, world: World) -> None:
        """Take a new snapshot."""
        if fingerprint(row) != fingerprint(self.row):
            self._since = time.monotonic()
            self._verified = self._hopeless = False
        self.row, self._world = row, world
        self.changed.fire()

    def describe(self) -> dict[str, Any]:
        """What runs, for people."""
        return {
            "owner": str(self.row.key),
            "resource": f"Deployment {namespace_of(self.row)}/{name_of(self.row)}",
            "endpoint": "",
            "instances": len(self._pods),
        }

    async def close(self) -> None:
        """End every pod."""
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        await asyncio.gather(*(pod.instance.stop() for pod in self._pods))

    async def pod(self) -> Pod | None:
        """The least busy ready pod; with a scaler, waits for one to start. None when there is none."""
        self._pending += 1
        self._last_used = time.monotonic()
        self.changed.fire()
        try:
            if not self.ready_pods() and self.scaler is not None:
                await until(lambda: bool(self.ready_pods()), self.changed, HOLD_SECONDS)
            pods = self.ready_pods()
            return min(pods, key=lambda pod: pod.active, default=None)
        finally:
            self._pending -= 1

    def used(self, pod: Pod) -> None:
        """``pod`` answered a request."""
        pod.active -= 1
        self._last_used = time.monotonic()
        self.changed.fire()

    def _wanted(self) -> int:
        scaler = self.scaler
        if scaler is None:
            return replicas_of(self.row, self._world)
        busy = self._pending + sum(pod.active for pod in self._pods)
        idle = time.monotonic() - self._last_used
        cooldown = self._context.settings.scaled(scaler.cooldown_seconds)
        return scaler.wanted(busy, idle, cooldown)

    async def _keep(self) -> None:
        while True:
            try:
                await self._step()
                self._trouble = ""
            except (PlatformError, StartFailed) as error:
                self._trouble = str(error)
                self._hopeless = isinstance(error, StartFailed)
            except Exception as error:
                log.exception("Deployment %s", name_of(self.row))
                self._trouble, self._hopeless = f"the sandbox failed: {error!r}", True
            self._say()
            await self.changed.wait(RETRY_SECONDS)

    async def _step(self) -> None:
        digest, wanted = template_digest(self.row), self._wanted()
        current = [pod for pod in self._pods if pod.digest == digest]
        old = [pod for pod in self._pods if pod.digest != digest]
        strategy = text(child(child(self.row.inputs, "spec"), "strategy"), "type")
        if old and strategy == "Recreate":
            await self._retire(old)
        if len(current) < wanted or current:
            template = read_pod_template(self.row, self._world)
            for pod in current:
                pod.instance.refresh(template.volumes)
            for _ in range(wanted - len(current)):
                await self._start(template)
        ready = [pod for pod in current if pod.instance.ready]
        if len(ready) >= wanted:
            surplus = sorted(current, key=lambda pod: (pod.instance.ready, pod.active))
            await self._retire([*old, *surplus[: len(current) - wanted]])

    async def _start(self, template: PodTemplate) -> None:
        name = f"{name_of(self.row)}-{template.digest}-{uuid.uuid4().hex[:5]}"
        log_name = f"kubernetes-{namespace_of(self.row)}-{name_of(self.row)}"
        names = str(names_file(self._context, self.row))
        due = self._troubles.due("start", self.row.key.type, name_of(self.row))
        containers = [
            replace(each, names_file=names) for each in troubled(template.containers, due)
        ]
        instance = Instance(
            self._context, name, containers, template.volumes,
            restarts=True, log_name=log_name,
        )  # fmt: skip
        try:
            instance.begin()
        except StartFailed:
            await instance.stop()
            raise
        self._pods.append(Pod(instance, template.digest))
        self._context.spawn(self._follow(instance))

    async def _follow(self, instance: Instance) -> None:
        while instance.alive:
            await instance.changed.wait()
            self.changed.fire()

    async def _retire(self, pods: list[Pod]) -> None:
        for pod in pods:
            self._pods.remove(pod)
            self._context.spawn(self._drain(pod))

    async def _drain(self, pod: Pod) -> None:
        await until(lambda: pod.active == 0, self.changed, DRAIN_SECONDS)
        await pod.instance.stop()

    def _say(self) -> None:
        digest, wanted = template_digest(self.row), self._wanted()
        current = [pod for pod in self._pods if pod.digest == digest]
        ready = len([pod for pod in current if pod.instance.ready])
        detail = {
            "replicas": len(self._pods), "updatedReplicas": len(current), "readyReplicas": ready,
            "availableReplicas": ready, "unavailableReplicas": max(0, wanted - ready),
            "observedGeneration": self.row.generation,
        }  # fmt: skip
        if ready >= wanted and len(self._pods) == len(current):
            self._verified = True
            self._context.report(self.row, ready=True, detail=detail)
        elif self._hopeless or self._degraded():
            self._context.report(self.row, ready=False, message=self._why(), detail=detail)

    def _degraded(self) -> bool:
        """Whether pods are missing that nobody scaled down and that have had their time to start."""
        if self._verified:
            return self.scaler is None
        return time.monotonic() - self._since > self._deadline()

    def _deadline(self) -> float:
        declared = number(
            child(self.row.inputs, "spec"), "progressDeadlineSeconds", DEFAULT_DEADLINE_SECONDS
        )
        settings = self._context.settings
        return max(settings.scaled(declared), settings.startup_floor_seconds)

    def _why(self) -> str:
        name = name_of(self.row)
        troubles = [self._trouble] + [
            f"pod {pod.instance.name}, container {running.declared.name}: {running.trouble}"
            + (f" (restarted {running.restarts} times)" if running.restarts else "")
            for pod in self._pods
            for running in pod.instance.containers
            if running.trouble
        ]
        why = "; ".join(dict.fromkeys(filter(None, troubles)))
        return (
            f'Deployment "{name}" exceeded its progress deadline: {why or "its pods are not ready"}'
        )
