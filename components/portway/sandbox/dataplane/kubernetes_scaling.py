"""How many pods a Deployment should have: its own number, an autoscaler's bounds, or a ScaledObject."""

import math
from dataclasses import dataclass

from portway.sandbox.dataplane.kubernetes_objects import name_of, neighbours
from portway.sandbox.dataplane.world import World, child, items, number, text
from portway.sandbox.store import Row

SCALED_OBJECT = "kubernetes:keda.sh/v1alpha1:ScaledObject"
INTERCEPTOR_ROUTE = "kubernetes:http.keda.sh/v1beta1:InterceptorRoute"
AUTOSCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
DEFAULT_COOLDOWN_SECONDS = 300.0


@dataclass(frozen=True)
class Scaler:
    """What scales a Deployment instead of its own ``replicas``.

    Attributes:
        cooldown_seconds: without requests before it goes down to ``least``, as declared.
        concurrency: requests that one replica should have at once.
    """

    least: int
    most: int
    cooldown_seconds: float
    concurrency: int

    def wanted(self, busy: int, idle_seconds: float, cooldown_seconds: float) -> int:
        """How many replicas now: ``busy`` requests wait or are answered, none came for ``idle_seconds``.

        Args:
            busy: requests that are open.
            idle_seconds: since the last one came or ended.
            cooldown_seconds: as long as the declared one lasts here.
        """
        if not busy and idle_seconds >= cooldown_seconds:
            return self.least
        return max(self.least, min(self.most, max(1, math.ceil(busy / self.concurrency))))


def scaler_of(deployment: Row, world: World) -> Scaler | None:
    """The ScaledObject that targets ``deployment``, where there is one."""
    for row in neighbours(world, deployment, SCALED_OBJECT):
        spec = child(row.inputs, "spec")
        target = child(spec, "scaleTargetRef")
        if text(target, "name") == name_of(deployment) and text(target, "kind") in (
            "",
            "Deployment",
            "LeaderWorkerSet",
        ):
            return Scaler(
                least=int(number(spec, "minReplicaCount", 0)),
                most=int(number(spec, "maxReplicaCount", 100)),
                cooldown_seconds=number(spec, "cooldownPeriod", DEFAULT_COOLDOWN_SECONDS),
                concurrency=_concurrency(deployment, world),
            )
    return None


def replicas_of(deployment: Row, world: World) -> int:
    """How many pods are wanted without a ScaledObject: declared, and inside an autoscaler's bounds.

    An autoscaler's metrics are not simulated, so it never goes above its minimum by itself.
    """
    declared = int(number(child(deployment.inputs, "spec"), "replicas", 1))
    for row in neighbours(world, deployment, AUTOSCALER):
        spec = child(row.inputs, "spec")
        if text(child(spec, "scaleTargetRef"), "name") == name_of(deployment):
            least, most = number(spec, "minReplicas", 1), number(spec, "maxReplicas", declared)
            return int(max(least, min(declared, most)))
    return declared


def _concurrency(deployment: Row, world: World) -> int:
    for row in neighbours(world, deployment, INTERCEPTOR_ROUTE):
        metric = child(child(child(row.inputs, "spec"), "scalingMetric"), "concurrency")
        if metric:
            return max(1, int(number(metric, "targetValue", 100)))
    return _of_triggers(deployment, world)


def _of_triggers(deployment: Row, world: World) -> int:
    """The requests in work for each pod at which a ScaledObject's question to Prometheus aims.

    What Prometheus would answer is not asked: the requests that pass the Service are counted instead.
    """
    for row in neighbours(world, deployment, SCALED_OBJECT):
        for trigger in items(child(row.inputs, "spec"), "triggers"):
            asked = child(trigger, "metadata")
            if "num_requests_running" in text(asked, "query"):
                return max(1, int(number(asked, "threshold", 100)))
    return 100
