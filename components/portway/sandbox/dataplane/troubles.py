"""Faults on purpose where services run: instances that do not start, and models that do not answer."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from portway.errors import BadInput
from portway.sandbox.dataplane.containers import Container
from portway.sandbox.dataplane.instance import Instance, StartFailed
from portway.sandbox.faults import Fault, FaultKind, Faults
from portway.sandbox.layout import Layout
from portway.sandbox.store import Store

log = logging.getLogger(__name__)

MODEL = "aws:bedrock/model"
"""What a rule names as its type to strike a model of Bedrock; its name is the model's id."""

HUB = "huggingface:hub"
"""What a rule names as its type to strike the hub of model weights; its name is the path that is asked for."""

NO_CAPACITY = "The request was aborted because there was no available instance."
"""Cloud Run, where its region has no GPU to spare (Cloud Run troubleshooting, "HTTP 429" and "HTTP 500")."""

REFUSALS: Mapping[FaultKind, tuple[int, str, str]] = {
    FaultKind.MODEL_ACCESS: (
        403, "AccessDeniedException",
        "Model access is denied due to IAM user or service role is not authorized to perform the required "
        "AWS Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable "
        "access to this model. Refer to the Amazon Bedrock documentation for further details. Your AWS "
        "Marketplace subscription for this model cannot be completed at this time. If you recently fixed "
        "this issue, try again after 2 minutes.",
    ),
    FaultKind.EXPIRED: (
        403, "ExpiredTokenException", "The security token included in the request is expired",
    ),
    FaultKind.THROTTLED: (
        429, "ThrottlingException", "Too many requests, please wait before trying again.",
    ),
    FaultKind.UNAVAILABLE: (
        503, "ServiceUnavailableException", "Bedrock is unable to process your request.",
    ),
}  # fmt: skip
"""What Bedrock answers: status, code, message."""

NO_NODE = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
"""What the scheduler says of a pod for which no GPU is free (kube-scheduler 1.36)."""

NEVER_READY_PATH = "/-/rehearsed/never-ready"
"""A path that nothing answers: what a pod that never gets ready is probed at."""


class Troubles:
    """The faults that are set now; files that cannot be read are told in the log and strike nothing."""

    def __init__(self, layout: Layout, store: Store) -> None:
        self._layout = layout
        self._store = store

    def due(self, operation: str, type_token: str, name: str) -> list[Fault]:
        """The faults that strike now; each is counted as having struck."""
        try:
            faults = Faults.load(self._layout.faults, self._store, self._layout.rehearsed)
        except BadInput as error:
            log.error("no fault is injected: %s", error)  # noqa: TRY400 - a sentence, no traceback
            return []
        return faults.due(operation, type_token, name)


class Troubled(Instance):
    """An instance whose start fails as ``fault`` says."""

    fault: Fault | None = None

    async def start(self) -> None:
        """Fail.

        Raises:
            StartFailed: always.
        """
        declared = next(
            (each.declared for each in self.containers if each.declared.has_gpu),
            self.containers[-1].declared,
        )
        reason, text = _said(self.fault and self.fault.kind, declared.image)
        raise StartFailed(declared.name, reason, text)


def troubled(
    containers: Sequence[Container], due: Sequence[Fault], *, is_placed: bool = False
) -> list[Container]:
    """The containers of a pod that starts while ``due`` strike; its model server is who they are about.

    ``is_placed``: it has found its node already.

    Raises:
        StartFailed: the pod finds no node, or no image.
    """
    kinds = {fault.kind for fault in due}
    struck = next((each for each in containers if each.has_gpu), containers[-1])
    if FaultKind.NO_CAPACITY in kinds and not is_placed:
        raise StartFailed(struck.name, "capacity", NO_NODE)
    if FaultKind.IMAGE_NOT_FOUND in kinds:
        text = f"Failed to pull image {struck.image!r}: not found"
        raise StartFailed(struck.name, "image", text)
    if FaultKind.NEVER_READY not in kinds or struck.readiness is None:
        return list(containers)
    never = replace(struck, readiness=replace(struck.readiness, kind="http", path=NEVER_READY_PATH))
    return [never if each is struck else each for each in containers]


def _said(kind: FaultKind | None, image: str) -> tuple[str, str]:
    match kind:
        case FaultKind.IMAGE_NOT_FOUND:
            return "image", f"Image '{image}' not found."
        case FaultKind.NO_CAPACITY:
            return "capacity", NO_CAPACITY
        case _:
            return (
                "probe",
                "the startup probe never passed: HTTP probe failed with status code: 503",
            )
