"""The stack's own bucket of weights, and the job that fills it from the hub at deployment. Pure."""

import hashlib
import json
from collections.abc import Mapping
from decimal import ROUND_CEILING
from typing import Final

from portway.images import image
from portway.models import Model
from portway.naming import Names
from portway.targets.cloud_run import weights
from portway.targets.cloud_run.containers import CODE_MOUNT
from portway.targets.cloud_run.options import CloudRunOptions
from portway.targets.cloud_run.shapes import RuntimeCode, WeightsCopy

COPY_SECONDS: Final = 600
COPY_SECONDS_PER_GB: Final = 40
"""A generous attempt: ten minutes for its start and until a new permission holds, and the hub at
200 Mbit/s."""

RETRIES: Final = 2
"""An execution that failed is not begun again under its name: better that it does not fail."""

LIMITS: Final[Mapping[str, str]] = {"cpu": "2", "memory": "1Gi"}
_TOKEN_DIGITS: Final = 8
_MIB: Final = 2**20


def bucket(names: Names, project: str, options: CloudRunOptions) -> str:
    """The bucket that the weights are read from: the one that is named, else the stack's own."""
    return options.weights.bucket or names.in_project("weights", project)


def copies(
    model: Model,
    names: Names,
    project: str,
    registry: str,
    code: RuntimeCode,
    options: CloudRunOptions,
) -> tuple[WeightsCopy, ...]:
    """The bucket to make and how to fill it; none where another bucket is named."""
    if options.weights.bucket is not None:
        return ()
    held_in = bucket(names, project, options)
    told = {
        "repository": model.weights,
        "revision": str(model.revision),
        "bucket": held_in,
        "folder": weights.folder(model),
        "format": weights.weights_format(model),
        "vocabularies": weights.vocabularies(model),
    }
    copy = WeightsCopy(
        bucket=held_in,
        stored_mib=int((model.weights_gb * 10**9 / _MIB).to_integral_value(ROUND_CEILING)),
        job=names.physical("weights", limit=49),
        token="",
        account_id=names.physical("copy", limit=30),
        image=image("python").reference(registry),
        command=("python",),
        args=(f"{CODE_MOUNT}/{code.object_name}",),
        env={"PORTWAY_COPY_WEIGHTS": json.dumps(told, sort_keys=True), "PYTHONUNBUFFERED": "1"},
        limits=LIMITS,
        mounts={"code": CODE_MOUNT},
        timeout_seconds=_timeout_seconds(model),
        retries=RETRIES,
    )
    return (copy.model_copy(update={"token": _token(copy, names.labels(model.id))}),)


def _token(copy: WeightsCopy, labels: Mapping[str, str]) -> str:
    """Another one for whatever changes of the job: Google refuses to begin an execution twice.

    A run that finds everything there copies nothing.
    """
    said = copy.model_dump_json() + json.dumps(dict(labels), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:_TOKEN_DIGITS]


def _timeout_seconds(model: Model) -> int:
    """In whole minutes."""
    seconds = COPY_SECONDS + COPY_SECONDS_PER_GB * float(model.weights_gb)
    return -int(-seconds // 60) * 60
