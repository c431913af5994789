"""Cloud Run as it admits a service: Google's rules for shapes, probes, traffic and GPUs, in its own words."""

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from portway.sandbox.providers import (
    google_admission,
    google_gpu,
    google_network,
    google_secrets,
    google_template,
)
from portway.sandbox.providers.behaviour import Behaviour, Deployed, nested, object_at, objects_at
from portway.sandbox.providers.cloud import CloudError, Code, Request
from portway.sandbox.providers.wire import Json
from portway.sandbox.store import Row

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

SERVICE = "gcp:cloudrunv2/service:Service"
_CREATE_SECONDS = 20 * 60  # the provider's own limit for creates and updates
_RESERVED = {"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"}
_STARTUP_LIMIT_SECONDS = 600
_GPU_STARTUP_LIMIT_SECONDS = 1800
_MAX_TIMEOUT_SECONDS = 3600
_MAX_CONCURRENCY = 1000
_MAX_NAME = 49


def admit(cloud: "StoredCloud", deployed: Deployed) -> None:
    """What the service's API refuses before it makes a revision, all of it at once.

    Raises:
        CloudError: INVALID_ARGUMENT with one line per violation, or PERMISSION_DENIED for a service
            account that is not there.
    """

    def problems() -> list[str]:
        return violations(deployed.inputs) or list(google_gpu.over_quota(cloud, deployed))

    google_admission.admit(cloud, deployed, "Service", problems, _account(deployed))


def flaw(cloud: "StoredCloud", deployed: Deployed) -> str | None:
    """Why the revision could never serve: it exists, and its condition says this."""
    account = _account(deployed) or (
        f"{cloud.values(SERVICE, deployed.inputs)['number']}-compute@developer.gserviceaccount.com"
    )
    return (
        google_network.flaw(cloud, deployed)
        or google_secrets.flaw(cloud, deployed, account)
        or probe_budget(deployed.inputs)
    )


def outputs(cloud: "StoredCloud", deployed: Deployed, known: Json) -> Json:
    """Address, revisions and conditions."""
    inputs = deployed.inputs
    values = cloud.values(SERVICE, inputs)
    full = f"{deployed.key.id}/revisions/{revision(deployed)}"
    uri = cloud.endpoint(deployed.key)
    generation = str(_generation(deployed))
    return {
        "uri": uri,
        "urls": [
            uri,
            f"https://{inputs.get('name')}-{values['number']}.{inputs.get('location')}.run.app",
        ],
        "latestReadyRevision": full,
        "latestCreatedRevision": full,
        "generation": generation,
        "observedGeneration": generation,
        "effectiveAnnotations": inputs.get("annotations") or {},
        "traffics": inputs.get("traffics")
        or [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
        "trafficStatuses": [
            {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100, "uri": uri}
        ],
        "terminalConditions": [
            {
                "type": "Ready",
                "state": "CONDITION_SUCCEEDED",
                "lastTransitionTime": known["updateTime"],
            }
        ],
    }


def revision(deployed: Deployed) -> str:
    """The revision's short name: service, generation, three letters."""
    generation = _generation(deployed)
    letters = hashlib.sha256(f"{deployed.key}{generation}".encode()).hexdigest()[:3]
    return f"{deployed.inputs.get('name')}-{generation:05d}-{letters}"


def release(cloud: "StoredCloud", row: Row, request: Request) -> None:
    """Refuse to delete what is protected: the provider's own guard, on unless switched off.

    Raises:
        CloudError: FAILED_PRECONDITION.
    """
    del cloud, row
    if request.old_outputs.get("deletionProtection", True) is not False:
        raise CloudError(
            Code.FAILED_PRECONDITION,
            "cannot destroy service without setting deletion_protection=false and running `pulumi up`",
        )


BEHAVIOURS = {
    SERVICE: Behaviour(
        admit=admit, outputs=outputs, flaw=flaw, served_seconds=_CREATE_SECONDS, release=release
    )
}


def _generation(deployed: Deployed) -> int:
    return deployed.before.generation + 1 if deployed.before else 1


def _account(deployed: Deployed) -> str:
    return str(nested(deployed.inputs, "template.serviceAccount") or "").removeprefix(
        "serviceAccount:"
    )


def _names(inputs: Json) -> Iterator[str]:
    name = str(inputs.get("name") or "")
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) or len(name) > _MAX_NAME:
        yield (
            f"Violation in CREATE Service.name: must begin with a letter, and cannot end with hyphen; must "
            f"contain fewer than 50 characters (got '{name}')."
        )
    for field in ("labels", "annotations"):
        for path in (field, f"template.{field}"):
            for key in object_at(inputs, path):
                if re.match(r"(run\.googleapis\.com|autoscaling\.knative\.dev)/", key):
                    yield f"{path}: system annotations are not supported: {key}"


def _timing(inputs: Json) -> Iterator[str]:
    timeout = nested(inputs, "template.timeout")
    if timeout is not None:
        if not re.fullmatch(r"[0-9]+(\.[0-9]{1,9})?s", str(timeout)):
            yield f"template.timeout: Illegal duration format; duration must end with 's': {timeout}"
        elif float(str(timeout)[:-1]) > _MAX_TIMEOUT_SECONDS:
            yield "template.timeout: must be a number between 1 and 3600; the maximum allowed time is one hour."
    concurrency = nested(inputs, "template.maxInstanceRequestConcurrency")
    if concurrency is not None and not 0 <= int(concurrency) <= _MAX_CONCURRENCY:
        yield "template.max_instance_request_concurrency: Must be a number between 0 and 1000."


def _scaling(inputs: Json) -> Iterator[str]:
    for path in ("scaling", "template.scaling"):
        scaling = object_at(inputs, path)
        low, high = scaling.get("minInstanceCount"), scaling.get("maxInstanceCount")
        for said, value in (("min_instance_count", low), ("max_instance_count", high)):
            if value is not None and int(value) < 0:
                yield f"{path}.{said}: must not be negative."
        if low is not None and high is not None and int(high) < int(low):
            yield (
                f"{path}.max_instance_count: must be greater than or equal to min_instance_count."
            )
        if (
            scaling.get("manualInstanceCount") is not None
            and scaling.get("scalingMode") != "MANUAL"
        ):
            yield f"{path}.scaling_mode: scaling mode must be set to MANUAL to use manual_instance_count."


def _traffic(inputs: Json) -> Iterator[str]:
    traffics = objects_at(inputs, "traffics")
    if not traffics:
        return
    total = sum(int(target.get("percent") or 0) for target in traffics)
    if total != 100:  # noqa: PLR2004 - per cent
        yield f"traffic: The sum of the traffic percentages should be 100, but is {total}."
    for index, target in enumerate(traffics):
        by_revision = str(target.get("type") or "").endswith("_REVISION")
        if bool(target.get("revision")) != by_revision:
            yield (
                f"traffic[{index}].revision: must be specified if and only if traffic type is "
                "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION."
            )
    tags = [target["tag"] for target in traffics if target.get("tag")]
    if len(tags) != len(set(tags)):
        yield "traffic: may not contain a duplicate tag."


def _ports_and_env(inputs: Json) -> Iterator[str]:
    containers = google_template.containers(inputs)
    exposed = [one for _, one in containers if one.get("ports")]
    if len(exposed) > 1 or (len(containers) > 1 and len(exposed) != 1):
        yield "template.containers: Revision template should contain exactly one container with an exposed port."
    for path, one in containers:
        names = [str(env.get("name")) for env in objects_at(one, "envs")]
        taken = [name for name in names if name in _RESERVED or name.startswith("X_GOOGLE_")]
        if taken:
            yield f"{path}.env: The following reserved env names were provided: {', '.join(taken)}. These values are automatically set by the system."


def violations(inputs: Json) -> list[str]:
    """Everything that the API refuses of a service before it looks at anything else."""
    return [text for rule in _RULES for text in rule(inputs)]


def probe_budget(inputs: Json) -> str | None:
    """Why no start could ever end in time; the API takes it, and the revision fails."""
    gpu = google_gpu.wanted(inputs)
    limit = _GPU_STARTUP_LIMIT_SECONDS if gpu else _STARTUP_LIMIT_SECONDS
    for path, one in google_template.containers(inputs):
        probe = object_at(one, "startupProbe")
        budget = int(probe.get("failureThreshold") or 3) * int(probe.get("periodSeconds") or 10)
        if probe and budget > limit:
            return (
                f"The user-provided container failed the configured startup probe checks. "
                f"{path}.startup_probe: failure_threshold * period_seconds is {budget} s, the limit is {limit} s"
                f"{' with a GPU' if gpu else ''}."
            )
    return None


_RULES: tuple[Callable[[Json], Iterator[str]], ...] = (
    _names, _timing, _scaling, _traffic, _ports_and_env, google_template.mounts, google_template.probes,
    google_gpu.shape,
    google_network.shape, google_template.violations,
)  # fmt: skip
