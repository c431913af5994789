"""What can be rehearsed by name: the faults that services meet in real clouds, set and cleared one by one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from portway.errors import BadInput, Problem

_STARTED: Final = ("gcp:cloudrunv2/service:Service", "kubernetes:apps/v1:Deployment")
_CLOUDS: Final = ("gcp", "aws", "kubernetes")
_MODEL: Final = "aws:bedrock/model"
_HUB: Final = "huggingface:hub"
_OUTAGE_SECONDS: Final = 10
_BEFORE_OUTAGE: Final = 3
"""Calls that pass first, so that the outage meets an update in its middle."""


def _start(fault: str) -> tuple[dict[str, Any], ...]:
    return tuple({"type": kind, "operation": "start", "fault": fault} for kind in _STARTED)


def _invoke(fault: str) -> dict[str, Any]:
    return {"type": _MODEL, "operation": "invoke", "fault": fault}


def _outage(fault: str) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "type": f"{cloud}:*", "operation": "*", "fault": fault,
            "seconds": _OUTAGE_SECONDS, "after": _BEFORE_OUTAGE,
        }
        for cloud in _CLOUDS
    )  # fmt: skip


@dataclass(frozen=True)
class Rehearsal:
    """One thing that can go wrong.

    Attributes:
        says: what goes wrong.
        strikes: when it does: in an ``up``, or when a client calls.
        faults: rules as ``faults.yaml`` has them.
        quotas: quotas as ``faults.yaml`` has them.
    """

    says: str
    strikes: str
    faults: tuple[dict[str, Any], ...] = ()
    quotas: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, dict[str, int]])


REHEARSALS: Final[Mapping[str, Rehearsal]] = {
    "gpu-quota": Rehearsal(
        "Google lets the project have one L4 GPU in each region", "up",
        quotas={"NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion": {"default": 1}},
    ),
    "gpu-capacity": Rehearsal(
        "no GPU is free: none in Cloud Run's region, none in the cluster", "up, and each cold start",
        _start("no_capacity"),
    ),
    "image-missing": Rehearsal(
        "the model server's image is not in its registry", "up, and each cold start",
        _start("image_not_found"),
    ),
    "probe-never-passes": Rehearsal(
        "the model never gets ready", "up, and each cold start",
        _start("never_ready"),
    ),
    "hub-away": Rehearsal(
        "the hub of model weights answers 503", "up, while weights are copied from it",
        ({"type": _HUB, "operation": "invoke", "fault": "unavailable"},),
    ),
    "credentials-expired": Rehearsal(
        "the credentials that you deploy with have expired", "up",
        tuple(
            {"type": f"pulumi:providers:{cloud}", "operation": "configure", "fault": "expired"}
            for cloud in _CLOUDS
        ),
    ),
    "api-refused": Rehearsal(
        "the clouds' APIs refuse connections for 10 s", "up, in its middle",
        _outage("connection_refused"),
    ),
    "api-unavailable": Rehearsal(
        "the clouds' APIs answer 503 for 10 s", "up, in its middle",
        _outage("unavailable"),
    ),
    "model-access": Rehearsal(
        "the AWS account has no access to its model", "each call", (_invoke("model_access"),)
    ),
    "bedrock-throttled": Rehearsal(
        "Bedrock has too many requests", "each call", (_invoke("throttled"),)
    ),
    "bedrock-expired": Rehearsal(
        "the credentials that the function signs with have expired", "each call",
        (_invoke("expired"),),
    ),
}  # fmt: skip


def set_rehearsal(
    folder: Path, name: str, times: int | None = None, seconds: float | None = None
) -> Path:
    """Write the file that makes ``name`` happen; set again, it counts anew.

    Args:
        folder: the sandbox's ``faults.d``.
        name: a key of ``REHEARSALS``.
        times: how often it strikes; None for as long as it is set.
        seconds: how long it lasts once it has struck; None for what the rehearsal itself says.

    Raises:
        BadInput: there is no such rehearsal, or it is a quota, which has neither times nor seconds.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - most commands write none

    found = _known(name)
    limits = {"times": times, "seconds": seconds}
    given = {key: value for key, value in limits.items() if value is not None}
    if given and not found.faults:
        text = f"is a quota: it stands until it is cleared, so it takes no --{' or --'.join(given)}"
        raise BadInput([Problem(name, text)])
    document = {
        "since": datetime.now(UTC).isoformat(),
        "faults": [{**rule, **given} for rule in found.faults],
        "quotas": {quota: dict(regions) for quota, regions in found.quotas.items()},
    }
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{name}.yaml"
    writer = cast("Any", YAML(typ="safe", pure=True))  # the library declares no types
    with path.open("w", encoding="utf-8") as file:
        writer.dump(document, file)
    return path


def clear_rehearsals(folder: Path, name: str | None = None) -> tuple[str, ...]:
    """End ``name``, or everything that is set; the names that were.

    Raises:
        BadInput: there is no such rehearsal.
    """
    names = rehearsed(folder) if name is None else (name,)
    if name is not None:
        _known(name)
    ended = tuple(one for one in names if (folder / f"{one}.yaml").is_file())
    for one in ended:
        (folder / f"{one}.yaml").unlink()
    return ended


def rehearsed(folder: Path) -> tuple[str, ...]:
    """The names of what is set, in order."""
    return tuple(sorted(file.stem for file in folder.glob("*.yaml"))) if folder.is_dir() else ()


def _known(name: str) -> Rehearsal:
    if name not in REHEARSALS:
        text = f"is none of what can be rehearsed: {', '.join(REHEARSALS)}"
        raise BadInput([Problem(name, text)])
    return REHEARSALS[name]
