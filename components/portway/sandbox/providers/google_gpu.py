"""Cloud Run GPUs: which shapes exist, and how many a project may have in a region."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from portway.sandbox.providers import quotas
from portway.sandbox.providers.behaviour import Deployed, nested, object_at, objects_at
from portway.sandbox.providers.wire import Json

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

_GPU = "nvidia.com/gpu"
_UNSET_MAXIMUM = 100  # what the service takes when no maximum is given
_GIB = 1 << 30
_SUFFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": _GIB, "Ti": 1 << 40}  # fmt: skip
# vCPU → memory in GiB, from and to
_L4_SHAPES = {4: (16, 16), 6: (16, 24), 8: (16, 32)}
_RTX_SHAPES = {20: (80, 80), 22: (80, 88), 24: (80, 96), 26: (80, 104), 28: (80, 112), 30: (80, 120)}  # fmt: skip
_SHAPES = {"nvidia-l4": _L4_SHAPES, "nvidia-rtx-pro-6000": _RTX_SHAPES}
_QUOTAS = {"nvidia-l4": "NvidiaL4GpuAlloc", "nvidia-rtx-pro-6000": "NvidiaRtxPro6000GpuAlloc"}
_REQUEST = "To request quota: g.co/cloudrun/gpu-quota"


def wanted(inputs: Json) -> bool:
    """Whether any container asks for a GPU."""
    return any(_GPU in limits for _, limits in _limits(inputs))


def shape(inputs: Json) -> Iterator[str]:
    """What is wrong with how the service asks for a GPU, in the API's words."""
    accelerator = nested(inputs, "template.nodeSelector.accelerator")
    holders = [(path, limits) for path, limits in _limits(inputs) if _GPU in limits]
    redundancy = nested(inputs, "template.gpuZonalRedundancyDisabled")
    if not holders:
        if redundancy is not None:
            yield "template.gpu_zonal_redundancy_disabled: GPU must be set when GPU redundancy is set."
        if accelerator:
            yield "template.node_selector.accelerator: an accelerator needs a container with the resource limit nvidia.com/gpu."
        return
    if accelerator not in _SHAPES:
        listed = " and ".join(f"'{name}'" for name in _SHAPES)
        yield f"template.node_selector.accelerator: Unsupported accelerator '{accelerator}'; only {listed} are supported."
        return
    if len(holders) > 1:
        yield "template.containers.resources.limits: GPU resources may only be set on one container."
    for path, limits in holders:
        yield from _holder(path, limits, str(accelerator))
    if nested(inputs, "template.executionEnvironment") == "EXECUTION_ENVIRONMENT_GEN1":
        yield "template.execution_environment: Execution environment must be set to gen2 in order to set GPU requirements."
    for index, one in enumerate(objects_at(inputs, "template.containers")):
        if nested(one, "resources.cpuIdle") is True:
            yield f"template.containers[{index}].resources.cpu_idle: CPU throttling must be disabled in order to set GPU requirements."


def over_quota(cloud: "StoredCloud", deployed: Deployed) -> Iterator[str]:
    """What the deploy gate says: maximum instances times what one instance takes, against the quotas.

    Where a GPU is added to a service that had none, the revisions from before count too, each with its
    own maximum, until they are deleted.
    """
    inputs = deployed.inputs
    region = str(inputs.get("location"))
    path, maximum = _maximum(inputs)
    if wanted(inputs):
        yield from _gpu_quota(cloud, inputs, path, maximum + _stale(deployed))
    milli = int(sum(_cpu(limits.get("cpu", "1")) for _, limits in _limits(inputs)) * 1000)
    memory = sum(quantity(limits.get("memory", "512Mi")) or 0 for _, limits in _limits(inputs))
    capped = nested(inputs, f"{path}.maxInstanceCount") is not None
    for said, quota, each in (
        ("CPU", "CpuAllocPerProjectRegion", milli), ("memory", "MemAllocPerProjectRegion", memory),
    ):  # fmt: skip
        allowed = quotas.allowed(cloud, quota, region)
        if capped and each and maximum * each > allowed:
            yield (
                f"{_snake(path)}.max_instance_count: Max instances must be set to {allowed // each} or fewer to set the "
                f"requested total {said}. {_REQUEST} Quota violated: {quota} requested: {maximum * each} allowed: {allowed}"
            )


def quantity(text: object) -> int | None:
    """Bytes in a Kubernetes quantity such as ``32Gi``; None when it is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]i|[kMGT])?", str(text))
    return int(float(found.group(1)) * _SUFFIXES[found.group(2) or ""]) if found else None


def _holder(path: str, limits: Json, accelerator: str) -> Iterator[str]:
    where = f"{path}.resources.limits"
    if str(limits[_GPU]) != "1":
        yield f"{where}: GPU can only be set to 1."
    shapes = _SHAPES[accelerator]
    cpu, memory = _cpu(limits.get("cpu", "1")), quantity(limits.get("memory", "512Mi"))
    least = min(shapes)
    floor = shapes[least][0]
    if memory is None:
        yield f"{where}.memory: Could not parse Quantity '{limits.get('memory')}'."
    elif cpu < least or memory < floor * _GIB:
        yield f"{where}: To use GPU {accelerator}: CPU must be at least {least}; memory must be at least {floor}Gi."
    elif cpu not in shapes:
        listed = "[.08-1], 1.0, 2.0, 4.0, 6.0, 8.0" if accelerator == "nvidia-l4" else ", ".join(f"{n}.0" for n in shapes)  # fmt: skip
        yield f"{where}.cpu: Invalid value specified for cpu: {limits.get('cpu')}. Must be equal to one of {listed}."
    elif not floor * _GIB <= memory <= shapes[int(cpu)][1] * _GIB:
        top = shapes[int(cpu)][1]
        yield f"{where}.memory: Invalid value specified for container memory. For {cpu:g} CPU, memory must be between {floor}Gi and {top}Gi inclusive."


def _gpu_quota(cloud: "StoredCloud", inputs: Json, path: str, maximum: int) -> Iterator[str]:
    without = nested(inputs, "template.gpuZonalRedundancyDisabled") is True
    accelerator = str(nested(inputs, "template.nodeSelector.accelerator"))
    kind = "NoZonalRedundancy" if without else ""
    quota = f"{_QUOTAS[accelerator]}{kind}PerProjectRegion"
    allowed = quotas.allowed(cloud, quota, str(inputs.get("location")))
    if allowed == 0:
        manner = "without" if without else "with"
        yield f"template.gpu_zonal_redundancy_disabled: You do not have quota for using GPUs {manner} zonal redundancy. {_REQUEST}"
    elif maximum > allowed:
        yield (
            f"{_snake(path)}.max_instance_count: Max instances must be set to {allowed} or fewer in order to set GPU "
            f"requirements. {_REQUEST} Quota violated: {quota} requested: {maximum} allowed: {allowed}"
        )


def _stale(deployed: Deployed) -> int:
    """Instances that revisions without a GPU could still ask for."""
    before = deployed.before
    if before is None or wanted(before.inputs):
        return 0
    return _maximum(before.inputs)[1]


def _maximum(inputs: Json) -> tuple[str, int]:
    """Where the maximum is set and what it is; the service's own default when it is nowhere."""
    found = [
        (path, int(value))
        for path in ("scaling", "template.scaling")
        if (value := nested(inputs, f"{path}.maxInstanceCount"))
    ]
    return min(found, key=lambda pair: pair[1]) if found else ("scaling", _UNSET_MAXIMUM)


def _limits(inputs: Json) -> list[tuple[str, Json]]:
    containers = objects_at(inputs, "template.containers")
    return [
        (f"template.containers[{index}]", object_at(one, "resources.limits"))
        for index, one in enumerate(containers)
    ]


def _cpu(text: object) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(m?)", str(text))
    if not found:
        return 0.0
    return float(found.group(1)) / (1000 if found.group(2) else 1)


def _snake(path: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", path).lower()
