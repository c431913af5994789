"""What Cloud Run cannot honour, each reason with its way out. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Final

from portway.errors import Problem
from portway.models import Model
from portway.models.fit import L4, why_too_large
from portway.options import invoker_refusals
from portway.spec import InferenceServiceSpec
from portway.target import Placement
from portway.targets.cloud_run.options import CloudRunOptions

MEMORY_GIB: Final[Mapping[int, tuple[int, int]]] = {4: (16, 16), 6: (16, 24), 8: (16, 32)}
"""GiB by vCPU beside an L4: its minimum of 4 vCPU and 16 GiB crossed with Cloud Run's table of CPU
and memory (Configure CPU limits for services; GPU support for services; read 2026-11-21)."""

RUNTIME_VCPU: Final = Decimal(1)
RUNTIME_GIB: Final = Decimal("0.5")
"""Limits of the runtime's container, which every instance has beside the model's."""

_PROJECT: Final = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_MEMBER: Final = re.compile(
    r"((user|serviceAccount|group|domain):[^\s:]+|principal(Set)?://iam\.googleapis\.com/\S+)"
)


@cache
def regions() -> Mapping[str, str]:
    """Regions that sell the L4, each ``open``, ``invitation`` or ``unverified``."""
    text = files("portway.targets.cloud_run").joinpath("regions.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)["regions"]
    return found


def of_placement(model: Model, placement: Placement) -> Iterator[Problem]:
    """Reasons that no option can remove: region, project, model."""
    if placement.region not in regions():
        yield Problem(
            "placement.region",
            f"{placement.region!r} does not sell Cloud Run with L4 GPUs; "
            f"choose one of {', '.join(sorted(regions()))}",
        )
    project = placement.settings.get("gcp:project")
    if project is None:
        yield Problem("gcp:project", "is not set; add gcp:project to the stack")
    elif not _PROJECT.fullmatch(project):
        yield Problem(
            "gcp:project",
            f"is {project!r}, not a project id; use the id (6 to 30 lower-case letters, digits and "
            "hyphens), not the name or the number",
        )
    if placement.cluster is not None:
        yield Problem(
            "placement.cluster",
            f"is {placement.cluster!r}; cloud-run has no cluster, remove it",
        )
    too_large = why_too_large(model, L4)
    if too_large is not None:
        yield Problem(
            "model",
            f"{too_large}; choose a smaller model, or the target kubernetes with a larger GPU",
        )
    elif model.revision is None:
        yield Problem(
            "model",
            f"{model.id} has no pinned revision in the catalogue, so that its weights could change "
            "unseen; choose a model with a revision",
        )


def of_options(spec: InferenceServiceSpec, options: CloudRunOptions) -> Iterator[Problem]:
    """Reasons that lie in the options, alone or together with the spec."""
    if options.cpu not in MEMORY_GIB:
        yield Problem(
            "placement.options.cpu",
            f"is {options.cpu}; beside an L4 Cloud Run sells 4, 6 or 8 vCPU, choose one of them",
        )
    else:
        yield from _memory_refusals(options)
    yield from _quota_refusals(spec, options)
    if not options.invoker_check and spec.access.auth == "iam":
        yield Problem(
            "placement.options.invoker_check",
            "is false, and access.auth is iam, where Google's check is the only one; remove it, or set "
            "access.auth: api-key",
        )
    yield from invoker_refusals(
        spec.access.auth,
        options.invokers,
        _MEMBER,
        nobody="the service; list IAM members such as "
        "serviceAccount:app@my-project.iam.gserviceaccount.com",
        how="user:, group:, serviceAccount:, domain: or principal:// members",
    )


def _quota_refusals(spec: InferenceServiceSpec, options: CloudRunOptions) -> Iterator[Problem]:
    """What the API says at deployment: most instances times what one takes, against the grant."""
    given = options.quota
    if given is None:
        return
    one = what_one_instance_takes(options)
    granted = {"gpus": given.gpus, "vcpu": given.vcpu, "memory_gib": given.memory_gib}
    for name, called in _QUOTAS.items():
        limit, asked = granted[name], spec.scaling.max * one[name]
        if limit is not None and asked > limit:
            yield Problem(
                "scaling.max",
                f"is {spec.scaling.max}, which takes {asked.normalize():f} {called}, and "
                f"placement.options.quota.{name} is {limit}: {int(limit // one[name])} instances at most; "
                "lower it, or ask Google for more (g.co/cloudrun/gpu-quota)",
            )


_QUOTAS: Final = {"gpus": "L4 GPUs", "vcpu": "vCPU", "memory_gib": "GiB of memory"}


def what_one_instance_takes(options: CloudRunOptions) -> Mapping[str, Decimal]:
    """GPUs, vCPU and GiB of one instance: the model's container and the runtime's."""
    return {
        "gpus": Decimal(1),
        "vcpu": options.cpu + RUNTIME_VCPU,
        "memory_gib": options.memory_gib + RUNTIME_GIB,
    }


def _memory_refusals(options: CloudRunOptions) -> Iterator[Problem]:
    low, high = MEMORY_GIB[options.cpu]
    span = f"{low} GiB" if low == high else f"{low} to {high} GiB"
    if not low <= options.memory_gib <= high:
        yield Problem(
            "placement.options.memory_gib",
            f"is {options.memory_gib}; with {options.cpu} vCPU beside an L4 Cloud Run sells {span}, "
            "choose a value in it or another cpu",
        )
