"""The kubelet of a real cluster's nodes: pods that the scheduler bound run as processes of this machine.

It does for pods what a node would: starts their containers in order, probes them, restarts them, reports
their status to the API server, and ends them when they are deleted. It never decides where pods run, nor
how many.
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from portway.sandbox.controlplane.objects import Object, Ref, dig, object_at, objects_at
from portway.sandbox.dataplane.context import Context, Signal, until
from portway.sandbox.dataplane.instance import Instance, Running, StartFailed
from portway.sandbox.dataplane.kubernetes_deployments import DRAIN_SECONDS, Pod, names_file
from portway.sandbox.dataplane.kubernetes_objects import read_pod_template
from portway.sandbox.dataplane.live_events import Warnings
from portway.sandbox.dataplane.live_objects import STRATEGIC, LiveObjects, Refused, path_of, row_of
from portway.sandbox.dataplane.troubles import Troubles, troubled
from portway.sandbox.dataplane.world import PlatformError, World, child
from portway.sandbox.store import Row

log = logging.getLogger(__name__)

WORKLOAD = "kubernetes:apps/v1:Deployment"
TOKEN = "kubernetes:core/v1:Pod"  # noqa: S105 - a type token
RETRY_SECONDS = 1.0
_GONE = 404


def is_ours(pod: Object) -> bool:
    """Whether a pod is bound to a node and not one that kwok plays."""
    played = object_at(pod, "metadata", "annotations").get("kwok.x-k8s.io/pod") == "fake"
    return bool(dig(pod, "spec", "nodeName")) and not played


def is_over(pod: Object) -> bool:
    """Whether all containers of a pod have ended for good."""
    return dig(pod, "status", "phase") in ("Succeeded", "Failed")


class LivePod:
    """One pod of the cluster, from its binding to its end."""

    def __init__(self, context: Context, objects: LiveObjects, obj: Object) -> None:
        self._context = context
        self._objects = objects
        self._obj = obj
        self._instance: Instance | None = None
        self._trouble: tuple[str, str] | None = None
        self._since = _now()
        self._said: Object = {}
        self._warnings = Warnings(context.settings, objects, self._workload())
        self._troubles = Troubles(context.layout, context.store)
        self._closing = False
        self.pod: Pod | None = None
        self.changed = Signal()
        self._keeper = context.spawn(self._keep())

    @property
    def row(self) -> Row:
        """The pod in the form of a Deployment of one, as the rest of the data plane reads it."""
        template = {"metadata": child(self._obj, "metadata"), "spec": child(self._obj, "spec")}
        shown = {"metadata": child(self._obj, "metadata"), "spec": {"template": template}}
        return row_of({**self._obj, **shown}, TOKEN)

    @property
    def namespace(self) -> str:
        """Where it is."""
        return str(dig(self._obj, "metadata", "namespace"))

    @property
    def labels(self) -> Mapping[str, str]:
        """What selectors see."""
        return object_at(self._obj, "metadata", "labels")

    def ready_pods(self) -> list[Pod]:
        """Itself, when it can take requests."""
        ready = self.pod is not None and self.pod.instance.ready and not self._is_ending
        return [self.pod] if ready and self.pod is not None else []

    def apply(self, obj: Object) -> None:
        """Take its newest state."""
        self._obj = obj
        self.changed.fire()

    async def close(self) -> None:
        """End its processes; the API server is not told."""
        self._closing = True
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        if self._instance is not None:
            await self._instance.stop()

    @property
    def _is_ending(self) -> bool:
        return dig(self._obj, "metadata", "deletionTimestamp") is not None

    async def _keep(self) -> None:
        while not self._is_ending:
            try:
                await self._step()
            except Exception as error:
                log.exception("pod %s", Ref.of(self._obj).id)
                self._trouble = ("RunContainerError", f"the sandbox failed: {error!r}")
            await self._say()
            if self._over() is not None:
                await until(lambda: self._is_ending, self.changed, float("inf"))
                break
            await self.changed.wait(RETRY_SECONDS)
        await self._end()

    async def _step(self) -> None:
        world = self._objects.world()
        try:
            await self._run(world)
            self._trouble = None
        except PlatformError as error:
            self._trouble = ("CreateContainerConfigError", str(error))
        except StartFailed as error:
            self._trouble = ("ErrImagePull", str(error))

    async def _run(self, world: World) -> None:
        template = read_pod_template(self.row, world)
        if self._instance is not None:
            self._instance.refresh(template.volumes)
            return
        always = dig(self._obj, "spec", "restartPolicy") in (None, "Always")
        names = str(names_file(self._context, self.row))
        containers = [
            replace(
                each, names_file=names, runs_to_completion=each.runs_to_completion or not always
            )
            for each in template.containers
        ]
        due = self._troubles.due("start", WORKLOAD, self._workload())
        instance = Instance(
            self._context, str(dig(self._obj, "metadata", "name")), troubled(containers, due, is_placed=True),
            template.volumes, restarts=dig(self._obj, "spec", "restartPolicy") != "Never", log_name=self._log_name(),
        )  # fmt: skip
        try:
            instance.begin()
        except StartFailed:
            await instance.stop()
            raise
        self._instance, self.pod = instance, Pod(instance, template.digest)
        self._context.spawn(self._follow(instance))

    def _log_name(self) -> str:
        """One log for all pods of a Deployment, as in the embedded cluster."""
        return f"kubernetes-{self.namespace}-{self._workload()}"

    def _workload(self) -> str:
        """The name of its Deployment; its own where it has none."""
        name = str(dig(self._obj, "metadata", "name"))
        digest = self.labels.get("pod-template-hash")
        return name.partition(f"-{digest}-")[0] if digest else name

    async def _follow(self, instance: Instance) -> None:
        while instance.alive:
            await instance.changed.wait()
            self.changed.fire()

    async def _say(self) -> None:
        status = self._status()
        await self._warnings.tell(
            self._obj, status, self._instance.containers if self._instance else []
        )
        if status == self._said:
            return
        try:
            await self._objects.patch(f"{path_of(self._obj)}/status", {"status": status}, STRATEGIC)
            self._said = status
        except Refused as error:
            if error.code != _GONE:
                log.warning("pod %s: %s", Ref.of(self._obj).id, error)

    async def _end(self) -> None:
        if self.pod is not None and self._instance is not None:
            pod = self.pod
            await until(lambda: pod.active == 0, self.changed, DRAIN_SECONDS)
            await self._instance.stop()
        uid = dig(self._obj, "metadata", "uid")
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        while not self._closing:
            try:
                await self._objects.ask("DELETE", path_of(self._obj), json=body)
            except Refused as error:
                if error.code in (_GONE, 409):
                    return  # it is gone, or another one has its name
                log.warning("pod %s cannot be removed: %s", Ref.of(self._obj).id, error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def _over(self) -> str | None:
        """The phase in which it has ended for good; None while it has not."""
        instance = self._instance
        if instance is None:
            return None
        if instance.failure is not None:
            return "Failed"
        serving = [each for each in instance.containers if not _is_first(self._obj, each)]
        over = bool(serving) and all(each.completed for each in serving)
        return "Succeeded" if over else None

    def _status(self) -> Object:
        instance = self._instance
        running = instance.containers if instance else []
        ready = bool(instance and instance.ready)
        started = [each for each in running if each.done or each.process is not None]
        main = [each for each in started if not _is_first(self._obj, each)]
        states = {each.declared.name: each for each in running}
        address = self._address()
        return {
            "phase": self._over() or ("Running" if main else "Pending"),
            "startTime": self._since,
            "hostIP": "10.0.0.1",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [
                _condition("Initialized", is_true=bool(main), since=self._since),
                _condition("ContainersReady", is_true=ready, since=self._since),
                _condition("Ready", is_true=ready, since=self._since),
            ],
            **{
                field: [self._container(each, states) for each in objects_at(self._obj, "spec", declared)]
                for field, declared in (
                    ("containerStatuses", "containers"), ("initContainerStatuses", "initContainers"),
                )
            },
        }  # fmt: skip

    def _container(self, declared: Object, states: Mapping[str, Running]) -> Object:
        name, image = str(declared.get("name")), str(declared.get("image"))
        one = states.get(name)
        about: Object = {"name": name, "image": image, "imageID": image}
        if one is None:
            reason, message = self._trouble or ("ContainerCreating", "")
            waiting = {"reason": reason, **({"message": message} if message else {})}
            return {**about, "ready": False, "restartCount": 0, "started": False, "state": {"waiting": waiting}}  # fmt: skip
        return {
            **about,
            "ready": one.ready or one.completed,
            "started": one.started,
            "restartCount": one.restarts,
            "state": self._state(one),
        }

    def _state(self, one: Running) -> Object:
        if one.completed:
            return {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": self._since}}
        if one.process is not None and one.process.alive:
            return {"running": {"startedAt": self._since}}
        if self._instance is not None and self._instance.failure is not None:
            ended = {"exitCode": 1, "reason": "Error", "message": one.trouble[:1000]}
            return {"terminated": {**ended, "startedAt": self._since}}
        if one.trouble:
            return {"waiting": {"reason": "CrashLoopBackOff", "message": one.trouble[:1000]}}
        return {"waiting": {"reason": "PodInitializing"}}

    def _address(self) -> str:
        """An address that no other pod is likely to have; processes are reached by their ports."""
        digest = hashlib.sha256(str(dig(self._obj, "metadata", "uid")).encode()).digest()
        return f"10.244.{digest[0]}.{1 + digest[1] % 254}"


def _is_first(pod: Object, one: Running) -> bool:
    first = objects_at(pod, "spec", "initContainers")
    return any(each.get("name") == one.declared.name for each in first)


def _condition(kind: str, *, is_true: bool, since: str) -> Object:
    return {"type": kind, "status": "True" if is_true else "False", "lastTransitionTime": since}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Kubelet:
    """Every pod of every node."""

    def __init__(self, context: Context, objects: LiveObjects) -> None:
        self._context = context
        self._objects = objects
        self._pods: dict[str, LivePod] = {}

    def reconcile(self) -> None:
        """Run the pods that are bound now, and no others."""
        wanted = {
            str(dig(pod, "metadata", "uid")): pod
            for pod in self._objects.of("v1", "Pod")
            if is_ours(pod) and (not is_over(pod) or dig(pod, "metadata", "deletionTimestamp"))
        }
        over = {
            str(dig(pod, "metadata", "uid")) for pod in self._objects.of("v1", "Pod") if is_over(pod)
        }  # fmt: skip
        for uid in self._pods.keys() - wanted.keys() - over:
            self._context.spawn(self._pods.pop(uid).close())
        for uid, pod in wanted.items():
            if uid in self._pods:
                self._pods[uid].apply(pod)
            else:
                self._pods[uid] = LivePod(self._context, self._objects, pod)

    @property
    def pods(self) -> list[LivePod]:
        """Those that it runs."""
        return list(self._pods.values())

    async def close(self) -> None:
        """End every process."""
        await asyncio.gather(*(pod.close() for pod in self._pods.values()))
