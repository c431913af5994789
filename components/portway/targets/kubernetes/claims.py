"""How a container asks for GPUs: by an extended resource, or by a claim of devices (DRA). Pure."""

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from pydantic import JsonValue

from portway.targets.kubernetes.service import Service, named
from portway.targets.kubernetes.shapes import Object

DRIVER: Final = "gpu.nvidia.com"
MIG_CLASS: Final = "mig.nvidia.com"
CLAIM: Final = "gpu"
_GIB: Final = Decimal(2**30)


@dataclass(frozen=True)
class Resources:
    """What stands in a container's ``resources`` for its GPUs: limits, and references to claims."""

    limits: Object
    claims: Object


def resources(service: Service) -> Resources:
    """Extended resources are named in limits only: a request that differs is refused."""
    if service.options.gpu_claim == "dra":
        return Resources({}, {"claims": [{"name": CLAIM}]})
    claim = service.claim
    return Resources({claim.resource: str(claim.count)}, {})


def of_pod(service: Service) -> Object:
    """The pod's own part of a claim; nothing for extended resources."""
    if service.options.gpu_claim != "dra":
        return {}
    reference: Object = {"name": CLAIM, "resourceClaimTemplateName": template_name(service)}
    return {"resourceClaims": [reference]}


def objects(service: Service) -> dict[str, Object]:
    """The template that every pod's claim is made from; none for extended resources."""
    if service.options.gpu_claim != "dra":
        return {}
    name = template_name(service)
    made = named(
        service,
        "resource.k8s.io/v1",
        "ResourceClaimTemplate",
        name=name,
        spec={"spec": _devices(service)},
    )
    return {"gpu-claim": made}


def template_name(service: Service) -> str:
    """A template never changes, so that another request is another template."""
    text = json.dumps(_devices(service), sort_keys=True)
    return service.names.physical(f"gpu-{hashlib.sha256(text.encode()).hexdigest()[:8]}")


def _devices(service: Service) -> Object:
    claim = service.claim
    request: Object = {
        "deviceClassName": DRIVER if claim.partition is None else MIG_CLASS,
        "allocationMode": "ExactCount",
        "count": claim.count,
        "selectors": [{"cel": {"expression": _wanted(service)}}],
    }
    requests: list[JsonValue] = [{"name": CLAIM, "exactly": request}]
    return {"devices": {"requests": requests}}


def _wanted(service: Service) -> str:
    """Which devices count. Asking for what a device does not have ends the allocation, so ask first."""
    claim = service.claim
    if claim.partition is not None:
        found, name = f"device.attributes['{DRIVER}']", "profile"
        wanted = f"{found}.{name} == '{claim.partition}'"
    else:
        found, name = f"device.capacity['{DRIVER}']", "memory"
        least = int(claim.memory_gb * 10**9 / _GIB)
        wanted = f"{found}.{name}.compareTo(quantity('{least}Gi')) >= 0"
    return f"device.driver == '{DRIVER}' && '{name}' in {found} && {wanted}"
