"""What one pod asks of a GPU, and what of a model fits there. Pure.

A pod takes every GPU of its node (tensor parallel), or one slice of one GPU: a MIG partition, whose
memory is its own, or a share of its time, whose memory every sharer must leave alone by itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from functools import cache
from importlib.resources import files
from typing import Final

from portway.models import Model
from portway.models.fit import (
    ENGINE_OVERHEAD_GB,
    GPU_MEMORY_UTILISATION,
    Gpu,
    kv_cache_gb,
    why_too_large,
)
from portway.spec import Frozen
from portway.targets.kubernetes.nodes import shape_of
from portway.targets.kubernetes.options import Flavour, KubernetesOptions

WHOLE: Final = "nvidia.com/gpu"
SHARED: Final = "nvidia.com/gpu.shared"
"""What the device plugin calls a share of a GPU's time when it is told to rename them."""

_TENTH: Final = Decimal("0.1")


class Partition(Frozen):
    """One MIG profile of a GPU: its usable memory in GB of 10^9 bytes, and how many of it fit."""

    memory_gb: Decimal
    per_gpu: int


class GpuModel(Frozen):
    """One GPU model: its memory in GB of 10^9 bytes, and the MIG profiles that it can be cut into."""

    memory_gb: Decimal
    partitions: Mapping[str, Partition]


@dataclass(frozen=True)
class Claim:
    """What one pod asks for.

    Attributes:
        gpu: the GPU's model, as Google names it.
        resource: the extended resource by which the device plugin counts it.
        count: how many of it; the pod's tensor-parallel size.
        memory_gb: of one of them, in GB of 10^9 bytes.
        partition: the MIG profile; None for whole or shared GPUs.
        sharers: pods that take turns on one GPU.
        pods_per_node: how many such pods a node holds.
        pods: pods of one replica, each on a node of its own; the pipeline-parallel size.
    """

    gpu: str
    resource: str
    count: int
    memory_gb: Decimal
    partition: str | None
    sharers: int
    pods_per_node: int
    pods: int

    @property
    def utilisation(self) -> Decimal:
        """What vLLM is told to take of the memory that it sees."""
        share = GPU_MEMORY_UTILISATION / self.sharers
        return share.quantize(Decimal("0.01"), ROUND_DOWN)

    @property
    def device(self) -> Gpu:
        """What one process may use, as a GPU of its own."""
        what = self.gpu
        if self.partition is not None:
            what = f"{self.partition} partition of an {self.gpu}"
        elif self.sharers > 1:
            what = f"{self.gpu} shared by {self.sharers}"
        return Gpu(what, self.memory_gb / self.sharers)

    @property
    def usable_gb(self) -> Decimal:
        """What all GPUs of one replica lend together, in GB of 10^9 bytes."""
        return self.device.usable_gb * self.count * self.pods


@cache
def gpu_models() -> Mapping[str, GpuModel]:
    """Every known GPU by its name."""
    text = files("portway.targets.kubernetes").joinpath("gpus.json").read_text(encoding="utf-8")
    rows = json.loads(text)["gpus"]
    return {name: GpuModel.model_validate_json(json.dumps(row)) for name, row in rows.items()}


def gpu_of(options: KubernetesOptions, node: str | None) -> str:
    """The GPU that pods will meet: the node's, or for nodes that are not known the one declared."""
    return options.gpu if node is None and options.gpu else shape_of(node).gpu


def claim_of(options: KubernetesOptions, flavour: Flavour, node: str | None) -> Claim:
    """What one pod asks for; options must have been judged.

    On GKE slices of a GPU are chosen by labels of the node and counted as ``nvidia.com/gpu``; elsewhere
    the device plugin gives each kind of slice a name of its own.
    """
    gpu = gpu_of(options, node)
    model, there = gpu_models()[gpu], shape_of(node).gpus
    resource, count, memory, per_node = WHOLE, there, model.memory_gb, 1
    if options.mig is not None:
        part = model.partitions[options.mig]
        count, memory, per_node = 1, part.memory_gb, part.per_gpu * there
        resource = WHOLE if flavour == "gke" else f"nvidia.com/mig-{options.mig}"
    elif options.gpu_shares > 1:
        count, per_node = 1, options.gpu_shares * there
        resource = WHOLE if flavour == "gke" else SHARED
    return Claim(
        gpu=gpu,
        resource=resource,
        count=count,
        memory_gb=memory,
        partition=options.mig,
        sharers=options.gpu_shares,
        pods_per_node=per_node,
        pods=options.nodes,
    )


def why_no_room(model: Model, claim: Claim) -> str | None:
    """One sentence on why a replica cannot start ``model`` at the catalogue's context; None if it can.

    Weights and KV cache are cut into as many pieces as there are GPUs; what the engine needs beside
    them is needed on each.
    """
    pieces = claim.count * claim.pods
    if pieces == 1:
        return why_too_large(model, claim.device)
    cache_gb = kv_cache_gb(model, model.context_tokens)
    each = (model.weights_gb + cache_gb) / pieces + ENGINE_OVERHEAD_GB
    if each <= claim.device.usable_gb:
        return None
    return (
        f"{model.id} needs {each.quantize(_TENTH, ROUND_CEILING)} GB on each of {pieces} GPUs "
        f"({model.weights_gb} GB of {model.precision} weights and {model.context_tokens} tokens of KV cache "
        f"between them, {ENGINE_OVERHEAD_GB} GB for the engine on each); one {claim.gpu} lends "
        f"{claim.device.usable_gb.quantize(_TENTH)} GB"
    )


def room_of(claim: Claim, node: str | None) -> tuple[str, str]:
    """CPU request and memory of the model container, in Kubernetes' units.

    A node that holds several such pods is shared out evenly, after what their runtimes need.
    """
    shape = shape_of(node)
    if claim.pods_per_node == 1:
        return shape.engine_cpu, shape.engine_memory
    others, pods = claim.pods_per_node - 1, claim.pods_per_node
    cpu = (int(shape.engine_cpu) * 1000 - RUNTIME_CPU_MILLI * others) // pods
    memory = (
        int(shape.engine_memory.removesuffix("Gi")) * 1024 - RUNTIME_MEMORY_MI * others
    ) // pods
    return f"{cpu}m", f"{memory}Mi"


RUNTIME_CPU_MILLI: Final = 250
RUNTIME_MEMORY_MI: Final = 512
"""What the runtime beside each model container may take."""
