"""What a kubelet warns of: events about pods whose containers do not run as they should."""

import logging
import time
from collections.abc import Iterator

from portway.sandbox.controlplane.objects import Object, dig, object_at, objects_at
from portway.sandbox.controlplane.obstacles import LATE, PULL_FAILED
from portway.sandbox.dataplane.instance import Running
from portway.sandbox.dataplane.kubernetes_objects import DEFAULT_DEADLINE_SECONDS
from portway.sandbox.dataplane.live_objects import LiveObjects, Refused, event_of
from portway.sandbox.dataplane.settings import Settings

log = logging.getLogger(__name__)

Warned = tuple[str, str, str]
"""The container, the reason and the message of an event."""


class Warnings:
    """The events about one pod, each told once."""

    def __init__(self, settings: Settings, objects: LiveObjects, workload: str) -> None:
        """``workload`` is the name of the pod's Deployment."""
        self._settings = settings
        self._objects = objects
        self._workload = workload
        self._since = time.monotonic()
        self._told: set[Warned] = set()

    async def tell(self, pod: Object, status: Object, running: list[Running]) -> None:
        """Tell the cluster what is new; a server that is away is told later."""
        for each in (*_of_status(status), *_of_probes(running), *self._late(pod, running)):
            if each in self._told:
                continue
            container, reason, message = each
            event = event_of(pod, reason, message, f"spec.containers{{{container}}}")
            path = f"/api/v1/namespaces/{dig(pod, 'metadata', 'namespace')}/events"
            try:
                await self._objects.ask("POST", path, json=event)
            except Refused as error:
                log.debug("no event for %s: %s", dig(pod, "metadata", "name"), error)
                continue
            self._told.add(each)

    def _late(self, pod: Object, running: list[Running]) -> Iterator[Warned]:
        """What has not become ready in the time of a rollout, as long as that lasts in a sandbox."""
        waited = time.monotonic() - self._since
        behind = [each for each in running if not (each.ready or each.completed)]
        if behind and waited > self._deadline_seconds(pod):
            yield behind[0].declared.name, LATE, "not ready in the time that a rollout is given"

    def _deadline_seconds(self, pod: Object) -> float:
        namespace = dig(pod, "metadata", "namespace")
        declared = next(
            (
                dig(each, "spec", "progressDeadlineSeconds")
                for each in self._objects.of("apps/v1", "Deployment")
                if (dig(each, "metadata", "namespace"), dig(each, "metadata", "name"))
                == (namespace, self._workload)
            ),
            None,
        )
        scaled = self._settings.scaled(float(declared or DEFAULT_DEADLINE_SECONDS))
        return max(scaled, self._settings.startup_floor_seconds)


def _of_status(status: Object) -> Iterator[Warned]:
    for field in ("initContainerStatuses", "containerStatuses"):
        for each in objects_at(status, field):
            waiting = object_at(each, "state", "waiting")
            reason, message = str(waiting.get("reason")), str(waiting.get("message"))
            if reason in PULL_FAILED:
                yield str(each["name"]), "Failed", message
            elif reason == "CrashLoopBackOff":
                yield str(each["name"]), "BackOff", message


def _of_probes(running: list[Running]) -> Iterator[Warned]:
    for each in running:
        if each.started and not each.ready and "probe failed" in each.trouble:
            yield each.declared.name, "Unhealthy", each.trouble
