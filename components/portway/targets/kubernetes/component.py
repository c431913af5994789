"""A service, and a front door, as Pulumi resources of one cluster. Decide nothing: every object is the plan's."""

from collections.abc import Mapping
from typing import Final

import pulumi
from pulumi_random import RandomPassword

from portway.deployed import route_document
from portway.runtime_env import ROUTES_FILE
from portway.targets.kubernetes.in_cluster import Contents, InCluster
from portway.targets.kubernetes.meter import CONFIG_FILE
from portway.targets.kubernetes.pod import PASSWORD_FILE
from portway.targets.kubernetes.shapes import KubernetesDoorPlan, KubernetesPlan

TYPE: Final = "portway:index:KubernetesService"
DOOR_TYPE: Final = "portway:index:KubernetesDoor"

METER_KEYS: Final = "meter-keys"
METER_KEY_LENGTH: Final = 48


class KubernetesService(InCluster[KubernetesPlan]):
    """An inference service in a cluster: everything in one namespace of its own."""

    def __init__(
        self, name: str, plan: KubernetesPlan, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(TYPE, name, plan, opts)

    def _contents(self) -> Mapping[str, Contents]:
        """The password of the meter's store, for the store and for whom it serves."""
        if METER_KEYS not in self.plan.objects:
            return {}
        password = RandomPassword(
            f"{self._prefix}-{METER_KEYS}",
            length=METER_KEY_LENGTH,
            special=False,
            opts=pulumi.ResourceOptions(parent=self),
        ).result
        config = pulumi.Output.concat("requirepass ", password, "\n")
        return {METER_KEYS: {"stringData": {PASSWORD_FILE: password, CONFIG_FILE: config}}}


class KubernetesDoor(InCluster[KubernetesDoorPlan]):
    """A front door in a cluster: the runtime as a reverse proxy, and the routes that it reads."""

    def __init__(
        self, name: str, plan: KubernetesDoorPlan, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(DOOR_TYPE, name, plan, opts)

    def _contents(self) -> Mapping[str, Contents]:
        child = pulumi.ResourceOptions(parent=self)
        return {"routes": {"stringData": {ROUTES_FILE: route_document(self.plan.ends, child)}}}
