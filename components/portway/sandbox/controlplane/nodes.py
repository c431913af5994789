"""Nodes that the sandbox's cluster can have: which machine a pod asks for, and what it offers. Pure.

A pod asks by labels (node selector, required node affinity) and by resources. Which labels a machine may
carry is up to who runs a cluster, so any is granted, except those that say what the machine is.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from portway.sandbox.controlplane.objects import Object, dig, object_at, objects_at

REGION = "topology.kubernetes.io/region"
ZONE = "topology.kubernetes.io/zone"
MACHINE = "node.kubernetes.io/instance-type"
ACCELERATOR = "cloud.google.com/gke-accelerator"
PRODUCT = "nvidia.com/gpu.product"
GPU = "nvidia.com/gpu"
DRIVER = "gpu.nvidia.com"
POOL = "sandbox.portway.dev/pool"
NOBODY_KNOWS = "no machine of the sandbox"
_GENERAL = "general"


@dataclass(frozen=True)
class Machine:
    """A kind of machine: CPUs, memory, and GPUs of one kind.

    Attributes:
        region: a pattern of the regions that have it.
        home: where it is when nobody says.
    """

    name: str
    region: str
    home: str
    cpu: int
    memory: str
    gpu: str
    gpus: int


class NoSuchMachine(Exception):
    """No node can have the labels that a pod requires."""


@cache
def table() -> dict[str, Any]:
    """Machines, GPUs, shares and storage classes, from ``machines.json``."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("machines.json").read_text("utf-8"))
    return found


@cache
def machine(name: str) -> Machine:
    """The machine type called ``name``.

    Raises:
        NoSuchMachine: there is none.
    """
    found = table()["machines"].get(name)
    if found is None:
        raise NoSuchMachine(f"{NOBODY_KNOWS} is of type {name} ({MACHINE})")
    return Machine(name, **found)


def labels_for(pod: Object) -> dict[str, str]:
    """Labels of a node on which ``pod`` may run.

    Raises:
        NoSuchMachine: no machine can have what it requires.
    """
    selector = object_at(pod, "spec", "nodeSelector")
    required = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    terms = objects_at(pod, "spec", *required, "nodeSelectorTerms") or [{}]
    refusal: NoSuchMachine | None = None
    for term in terms:
        try:
            return _checked(pod, {**selector, **dict(_labels(term))})
        except NoSuchMachine as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def _labels(term: Object) -> Iterator[tuple[str, str]]:
    for each in objects_at(term, "matchExpressions"):
        key, values = str(each.get("key")), list[str](each.get("values") or [])
        if each.get("operator") == "In" and values:
            yield key, str(values[0])
        elif each.get("operator") == "Exists":
            yield key, "true"
        elif each.get("operator") in ("Gt", "Lt") and values:
            step = 1 if each["operator"] == "Gt" else -1
            yield key, str(int(values[0]) + step)


def _checked(pod: Object, wanted: Mapping[str, str]) -> dict[str, str]:
    kind = machine(wanted.get(MACHINE, _GENERAL))
    zoned = re.sub("-?[a-z]$", "", wanted.get(ZONE, ""))  # europe-west4-a, eu-central-1a
    region = wanted.get(REGION) or zoned or kind.home
    if not re.fullmatch(kind.region, region):
        raise NoSuchMachine(f"{NOBODY_KNOWS} of type {kind.name} is in {region} ({REGION})")
    own = {ACCELERATOR: kind.gpu, PRODUCT: table()["gpus"][kind.gpu]["product"]}
    for key, value in own.items():
        if key in wanted and wanted[key] != value:
            raise NoSuchMachine(f"{NOBODY_KNOWS} has {key}={wanted[key]}")
    asked = gpus_of(pod)
    if any(count > capacity(kind, pod)[name] for name, count in asked.items()):
        raise NoSuchMachine(f"{NOBODY_KNOWS} of type {kind.name} has {asked}")
    named = {} if kind.name == _GENERAL else {MACHINE: kind.name}
    gpu = {PRODUCT: own[PRODUCT]} if asked or claims_devices(pod) else {}
    return {REGION: region, ZONE: f"{region}-a", **gpu, **named, **wanted}


def gpus_of(pod: Object) -> dict[str, int]:
    """Extended GPU resources that the containers of ``pod`` ask for together."""
    asked: dict[str, int] = {}
    for container in objects_at(pod, "spec", "containers"):
        for name, count in object_at(container, "resources", "limits").items():
            if name.startswith("nvidia.com/"):
                asked[name] = asked.get(name, 0) + int(count)
    return asked


def claims_devices(pod: Object) -> bool:
    """Whether ``pod`` asks for devices by resource claims (DRA)."""
    return bool(objects_at(pod, "spec", "resourceClaims"))


def capacity(kind: Machine, pod: Object) -> dict[str, int]:
    """Extended resources of a machine as its device plugin is set up for pods like ``pod``."""
    offered: dict[str, int] = {GPU: kind.gpus}
    for name in gpus_of(pod):
        for share, count in table()["shares"].items():
            if name.startswith(share):
                offered = {name: count * kind.gpus}
    return {**dict.fromkeys(gpus_of(pod), 0), **offered}


def node_for(pod: Object, pool: str, number: int) -> tuple[Object, Object]:
    """A node on which ``pod`` can run, and its status; ``pool`` and ``number`` name it.

    A cluster hands GPUs out by a device plugin or by claims, never the same GPU by both.

    Raises:
        NoSuchMachine: no machine can have what it requires.
    """
    labels = labels_for(pod)
    kind = machine(labels.get(MACHINE, _GENERAL))
    name = f"sandbox-{pool}-{number}"
    extended = {} if claims_devices(pod) else capacity(kind, pod)
    offers = {
        "cpu": str(kind.cpu),
        "memory": kind.memory,
        "pods": "110",
        "ephemeral-storage": "100Gi",
        **{key: str(count) for key, count in extended.items() if count},
    }
    system = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        POOL: pool,
    }
    taints = [{"key": GPU, "value": "present", "effect": "NoSchedule"}] if gpus_of(pod) else []
    node: Object = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**system, **labels},
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {"taints": taints},
    }
    info = dict.fromkeys(
        ("machineID", "systemUUID", "bootID", "kernelVersion", "osImage"), "sandbox"
    )
    info |= {"containerRuntimeVersion": "sandbox://1", "kubeletVersion": "v1.36.4-sandbox"}
    info |= {"kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64"}
    return node, {"capacity": offers, "allocatable": offers, "nodeInfo": info}


def slice_for(node: Object) -> Object:
    """The devices of ``node`` as the GPU vendor's driver would publish them."""
    name = str(dig(node, "metadata", "name"))
    kind = machine(object_at(node, "metadata", "labels").get(MACHINE, _GENERAL))
    about = table()["gpus"][kind.gpu]
    devices = [
        {
            "name": f"gpu-{index}",
            "attributes": {
                "productName": {"string": about["product"]},
                "type": {"string": "gpu"},
                "uuid": {"string": f"GPU-{name}-{index}"},
            },
            "capacity": {"memory": {"value": about["memory"]}},
        }
        for index in range(kind.gpus)
    ]
    pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"{name}-gpus"},
        "spec": {"driver": DRIVER, "nodeName": name, "pool": pool, "devices": devices},
    }
