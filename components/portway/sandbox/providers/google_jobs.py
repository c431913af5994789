"""Cloud Run as it admits a job: Google's rules for names, tokens, tasks and containers, in its own words.

The rules are those of the API's reference and of Google's provider (`google_cloud_run_v2_job`, whose
example starts an execution at the stage GA). Not verified against the API: the words for limits of
tasks and for an execution that failed.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from portway.sandbox.providers import (
    google_admission,
    google_gpu,
    google_network,
    google_secrets,
    google_template,
)
from portway.sandbox.providers.behaviour import Behaviour, Deployed, nested, object_at, objects_at
from portway.sandbox.providers.cloud import CloudError, Code, Failure, Request
from portway.sandbox.providers.wire import UNKNOWN, Json, is_object
from portway.sandbox.store import Row

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

JOB = "gcp:cloudrunv2/job:Job"
_CREATE_SECONDS = 20 * 60  # the provider's own limit for creates and updates
_RESERVED = {
    "CLOUD_RUN_JOB", "CLOUD_RUN_EXECUTION", "CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_ATTEMPT",
    "CLOUD_RUN_TASK_COUNT",
}  # fmt: skip
_TOKENS = {"runExecutionToken": "run_execution_token", "startExecutionToken": "start_execution_token"}  # fmt: skip
_LONGEST_NAME = 63
_LONGEST_TASK_SECONDS = 7 * 24 * 3600
_LONGEST_GPU_TASK_SECONDS = 3600
_MOST_RETRIES = 10
_MOST_TASKS = 10_000


def validate(inputs: Json) -> list[Failure]:
    """What the provider refuses before it calls anybody: both tokens at once."""
    if all(inputs.get(field) for field in _TOKENS):
        return [
            Failure(field, f'"{snake}": conflicts with {other}')
            for (field, snake), other in zip(_TOKENS.items(), reversed(_TOKENS.values()), strict=True)
        ]  # fmt: skip
    return []


def admit(cloud: "StoredCloud", deployed: Deployed) -> None:
    """What the API refuses of a job, all of it at once.

    Raises:
        CloudError: INVALID_ARGUMENT with one line per violation, or PERMISSION_DENIED for a place or a
            service account that is not there.
    """

    def problems() -> list[str]:
        return violations(deployed.inputs)

    google_admission.admit(cloud, deployed, "Job", problems, _account(deployed.inputs))


def flaw(cloud: "StoredCloud", deployed: Deployed) -> str | None:
    """Why an execution could never start: the job is there, and its condition says this."""
    if not token(deployed.inputs):
        return None
    account = _account(deployed.inputs) or (
        f"{cloud.values(JOB, deployed.inputs)['number']}-compute@developer.gserviceaccount.com"
    )
    inner = Deployed(
        replace(deployed.request, inputs=_task(deployed.inputs)), deployed.key, deployed.before
    )
    return google_network.flaw(cloud, inner) or google_secrets.flaw(cloud, inner, account)


def outputs(cloud: "StoredCloud", deployed: Deployed, known: Json) -> Json:
    """Executions and conditions; an execution is counted when its token is new."""
    del cloud
    generation = str(deployed.before.generation + 1 if deployed.before else 1)
    wanted, before = token(deployed.inputs), deployed.before
    is_new = bool(wanted) and (before is None or token(before.inputs) != wanted)
    count = int(before.outputs.get("executionCount") or 0) if before else 0
    latest: list[Json] = objects_at(before.outputs, "latestCreatedExecutions") if before else []
    if is_new:
        name = f"{deployed.inputs.get('name')}-{wanted}"
        latest = [{"name": name, "createTime": known["updateTime"], "completionTime": ""}]
    ready = {
        "type": "Ready",
        "state": "CONDITION_SUCCEEDED",
        "lastTransitionTime": known["updateTime"],
    }
    return {
        "generation": generation,
        "observedGeneration": generation,
        "effectiveAnnotations": deployed.inputs.get("annotations") or {},
        "executionCount": count + is_new,
        "latestCreatedExecutions": latest,
        "conditions": [],
        "terminalConditions": [ready],
        "etag": f'"{hashlib.sha256(f"{deployed.key}{generation}".encode()).hexdigest()[:12]}"',
    }


def release(cloud: "StoredCloud", row: Row, request: Request) -> None:
    """Refuse to delete what is protected: the provider's own guard, on unless switched off.

    Raises:
        CloudError: FAILED_PRECONDITION.
    """
    del cloud, row
    if request.old_outputs.get("deletionProtection", True) is not False:
        raise CloudError(
            Code.FAILED_PRECONDITION,
            "cannot destroy job without setting deletion_protection=false and running `pulumi up`",
        )


def violations(inputs: Json) -> list[str]:
    """Everything that the API refuses of a job before it looks at anything else."""
    task = _task(inputs)
    own = [text for rule in _RULES for text in rule(inputs)]
    shared = [text for rule in _TASK_RULES for text in rule(task)]
    return [*own, *(re.sub(r"^template\.", "template.template.", text) for text in shared)]


def token(inputs: Json) -> str:
    """What names the execution that a job asks for; "" for none."""
    found = next((inputs[field] for field in _TOKENS if inputs.get(field)), "")
    return "" if found == UNKNOWN else str(found)


BEHAVIOURS = {
    JOB: Behaviour(
        validate=validate, admit=admit, outputs=outputs, flaw=flaw, served_seconds=_CREATE_SECONDS,
        release=release,
    )
}  # fmt: skip


def _task(inputs: Json) -> Json:
    """The job's task as if it were a service's revision, for the rules that both have."""
    return {**inputs, "template": object_at(inputs, "template.template")}


def _account(inputs: Json) -> str:
    account = nested(inputs, "template.template.serviceAccount")
    return str(account or "").removeprefix("serviceAccount:")


def _names(inputs: Json) -> Iterator[str]:
    name = str(inputs.get("name") or "")
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) or len(name) > _LONGEST_NAME:
        yield (
            f"Violation in CREATE Job.name: must begin with a letter, and cannot end with hyphen; must "
            f"contain at most {_LONGEST_NAME} characters (got '{name}')."
        )
    for field, said in _TOKENS.items():
        given = inputs.get(field)
        if not given:
            continue
        if len(name) + len(str(given)) >= _LONGEST_NAME:
            yield f"{said}: the sum of job name and token length must be fewer than {_LONGEST_NAME} characters."


def _counts(inputs: Json) -> Iterator[str]:
    outer = object_at(inputs, "template")
    tasks, at_once = outer.get("taskCount"), outer.get("parallelism")
    if tasks is not None and not 1 <= int(tasks) <= _MOST_TASKS:
        yield f"template.task_count: must be a number between 1 and {_MOST_TASKS}."
    if at_once is not None and int(at_once) > int(tasks or 1):
        yield "template.parallelism: must be less than or equal to task_count."
    retries = nested(outer, "template.maxRetries")
    if retries is not None and not 0 <= int(retries) <= _MOST_RETRIES:
        yield f"template.template.max_retries: must be a number between 0 and {_MOST_RETRIES}."


def _timeout(task: Json) -> Iterator[str]:
    given = nested(task, "template.timeout")
    if given is None:
        return
    longest = _LONGEST_GPU_TASK_SECONDS if google_gpu.wanted(task) else _LONGEST_TASK_SECONDS
    if not re.fullmatch(r"[0-9]+(\.[0-9]{1,9})?s", str(given)):
        yield f"template.timeout: Illegal duration format; duration must end with 's': {given}"
    elif not 0 < float(str(given)[:-1]) <= longest:
        yield f"template.timeout: must be between 1 and {longest} seconds{' with a GPU' if google_gpu.wanted(task) else ''}."


def _containers(task: Json) -> Iterator[str]:
    found = google_template.containers(task)
    if not found:
        yield "template.containers: must contain at least one container."
    for path, one in found:
        if one.get("ports"):
            yield f"{path}.ports: ports are not supported for jobs."
        if is_object(one.get("livenessProbe")):
            yield f"{path}.liveness_probe: liveness probes are not supported for jobs."
        names = [str(env.get("name")) for env in objects_at(one, "envs")]
        taken = [name for name in names if name in _RESERVED or name.startswith("X_GOOGLE_")]
        if taken:
            yield f"{path}.env: The following reserved env names were provided: {', '.join(taken)}. These values are automatically set by the system."
    if google_gpu.wanted(task) and not nested(task, "template.gpuZonalRedundancyDisabled"):
        yield "template.gpu_zonal_redundancy_disabled: GPU zonal redundancy is not supported for jobs; it must be disabled."


_RULES: tuple[Callable[[Json], Iterator[str]], ...] = (_names, _counts)
_TASK_RULES: tuple[Callable[[Json], Iterator[str]], ...] = (
    _timeout, _containers, google_template.mounts, google_template.probes, google_gpu.shape,
    google_network.shape, google_template.violations,
)  # fmt: skip
