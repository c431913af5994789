"""A front door on Kubernetes before three ends: its placement and its plan."""

from typing import Any

from portway.models import find
from portway.target import DoorPlacement, End, Placement
from portway.targets.kubernetes import door
from portway.targets.kubernetes.shapes import KubernetesDoorPlan
from support import builders

TARGET = "kubernetes"
WEIGHTS = {"chat.prod.cloud-run": 95, "chat.prod.lambda-bedrock": 5, "chat.prod.kubernetes": 0}
GATEWAY = {"name": "public", "namespace": "gateways", "host": "chat.example.eu"}
SERVED = ("gateway.networking.k8s.io", "networking.gke.io")


def placement(
    weights: dict[str, int] = WEIGHTS,
    *,
    cluster: str | None = "prod-eu",
    region: str = "europe-west4",
    hosts: tuple[str, ...] = (),
    **options: Any,
) -> Placement:
    ends = tuple(
        End(
            stack=name,
            weight=weight,
            target=name.rpartition(".")[2],
            region="europe-west4",
            model_identity="m",
        )
        for name, weight in weights.items()
    )
    return Placement(
        target=TARGET,
        region=region,
        environment="prod",
        cluster=cluster,
        options=options,
        door=DoorPlacement(kind=TARGET, ends=ends, hosts=hosts),
    )


def plan(place: Placement | None = None, **spec: Any) -> KubernetesDoorPlan:
    made = builders.spec(**spec)
    return door.plan(made, find(made.model), place or placement())
