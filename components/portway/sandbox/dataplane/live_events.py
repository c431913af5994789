"""What a kubelet warns of: events about pods whose containers do not run as they should."""

import logging
from collections.abc import Iterator

from portway.sandbox.controlplane.objects import Object, dig, object_at, objects_at
from portway.sandbox.controlplane.obstacles import PULL_FAILED
from portway.sandbox.dataplane.instance import Running
from portway.sandbox.dataplane.live_objects import LiveObjects, Refused, event_of

log = logging.getLogger(__name__)

Warned = tuple[str, str, str]
"""The container, the reason and the message of an event."""


class Warnings:
    """The events about one pod, each told once."""

    def __init__(self, objects: LiveObjects) -> None:
        self._objects = objects
        self._told: set[Warned] = set()

    async def tell(self, pod: Object, status: Object, running: list[Running]) -> None:
        """Tell the cluster what is new; a server that is away is told later."""
        for each in (*_of_status(status), *_of_probes(running)):
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
