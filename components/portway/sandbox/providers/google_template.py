"""More of what Cloud Run's API refuses of a service: names of secrets and keys, sizes, stages, environments."""

import re
from collections.abc import Iterator

from portway.sandbox.providers.behaviour import nested, object_at, objects_at
from portway.sandbox.providers.google_gpu import quantity
from portway.sandbox.providers.wire import Json

_STAGES = (None, "", "LAUNCH_STAGE_UNSPECIFIED", "ALPHA", "BETA", "GA")
_MOST_VARIABLES = 1000
_LONGEST_VALUE = 32768
_SECRET = re.compile(r"(projects/[^/]+/secrets/)?[A-Za-z0-9_-]{1,255}")
_KEY = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")
_ACCOUNT = re.compile(r"[^@\s]+@[^@\s]+|[a-z][-a-z0-9]{4,28}[a-z0-9]|\d+")


def violations(inputs: Json) -> Iterator[str]:
    """Everything of this page that is wrong with the service, in the API's words."""
    yield from _stage(inputs)
    yield from _identity(inputs)
    yield from _volumes(inputs)
    for path, one in containers(inputs):
        yield from _variables(one, path)


def containers(inputs: Json) -> list[tuple[str, Json]]:
    """The containers of a template, each with its path."""
    found = objects_at(inputs, "template.containers")
    return [(f"template.containers[{index}]", one) for index, one in enumerate(found)]


def mounts(inputs: Json) -> Iterator[str]:
    """What is wrong with where containers see their volumes."""
    volumes = {volume.get("name") for volume in objects_at(inputs, "template.volumes")}
    for path, one in containers(inputs):
        mounts = objects_at(one, "volumeMounts")
        unknown = [str(m.get("name")) for m in mounts if m.get("name") not in volumes]
        if unknown:
            yield f"{path}.volume_mounts: The following volume mounts were not found: {', '.join(unknown)}, which were not found in volumes list."
        for index, mount in enumerate(mounts):
            where = str(mount.get("mountPath") or "")
            if not where.startswith("/") or ":" in where:
                yield f"{path}.volume_mounts[{index}].mount_path: must be a valid unix absolute path: '{where}'"
            elif re.match(r"/(dev|proc|sys)(/|$)", where):
                yield f"{path}.volume_mounts[{index}].mount_path: the following mount paths are in one of disallowed mount points /dev, /proc, /sys: {where}"


def probes(inputs: Json) -> Iterator[str]:
    """What is wrong with the containers' probes."""
    kinds = (("startupProbe", "startup_probe", 240), ("livenessProbe", "liveness_probe", 3600), ("readinessProbe", "readiness_probe", 300))  # fmt: skip
    for path, one in containers(inputs):
        for field, said, limit in kinds:
            probe: Json | None = one.get(field)
            if probe is None:
                continue
            where = f"{path}.{said}"
            actions = [a for a in ("httpGet", "tcpSocket", "grpc") if probe.get(a) is not None]
            if len(actions) != 1:
                yield f"{where}: Exactly one probe action must be set."
            if "tcpSocket" in actions and field != "startupProbe":
                yield f"{where}: Cloud Run does not support TCP socket in {said.replace('_', ' ')}."
            if field == "readinessProbe" and probe.get("initialDelaySeconds"):
                yield f"{where}: Initial delay is not supported for readiness probe."
            for name, snake in (("periodSeconds", "period_seconds"), ("timeoutSeconds", "timeout_seconds"), ("initialDelaySeconds", "initial_delay_seconds")):  # fmt: skip
                if not 0 <= int(probe.get(name) or 0) <= limit:
                    yield f"{where}: {snake} must be a number between 0 and {limit}."


def _stage(inputs: Json) -> Iterator[str]:
    stage = inputs.get("launchStage")
    if stage not in _STAGES:
        yield f"launch_stage: only ALPHA, BETA, GA, or unspecified are supported, got {stage}."
    preview = [
        snake
        for field, snake in (
            ("concurrencyUtilization", "concurrency_utilization"),
            ("cpuUtilization", "cpu_utilization"),
        )
        if nested(inputs, f"template.scaling.{field}") is not None
    ]
    if preview and stage not in ("ALPHA", "BETA"):
        yield f"template.scaling.{preview[0]}: requires launch_stage BETA."


def _identity(inputs: Json) -> Iterator[str]:
    account = str(nested(inputs, "template.serviceAccount") or "")
    if account and not _ACCOUNT.fullmatch(account.removeprefix("serviceAccount:")):
        yield f"template.service_account: Unsupported service account '{account}'."
    key = nested(inputs, "template.encryptionKey")
    if key and not _KEY.fullmatch(str(key)):
        yield "template.encryption_key: must conform to projects/*/locations/*/keyRings/*/cryptoKeys/*."


def _volumes(inputs: Json) -> Iterator[str]:
    for index, volume in enumerate(objects_at(inputs, "template.volumes")):
        where = f"template.volumes[{index}]"
        size = nested(volume, "emptyDir.sizeLimit")
        if size is not None and quantity(str(size)) is None:
            yield f"{where}.empty_dir.size_limit: Could not parse Quantity '{size}'."
        secret = nested(volume, "secret.secret")
        if secret and not _SECRET.fullmatch(str(secret)):
            yield f"{where}.secret.secret: may only be {{secret_name}} or projects/{{project}}/secrets/{{secret_name}}."
        for item in objects_at(volume, "secret.items"):
            if not item.get("version"):
                yield f"{where}.secret.items: version must be set for every item."


def _variables(container: Json, where: str) -> Iterator[str]:
    given = objects_at(container, "envs")
    if len(given) > _MOST_VARIABLES:
        yield f"{where}.env: at most {_MOST_VARIABLES} environment variables are supported, got {len(given)}."
    for variable in given:
        if len(str(variable.get("value") or "")) > _LONGEST_VALUE:
            yield f"{where}.env: the value of {variable.get('name')} is longer than {_LONGEST_VALUE} bytes."
        reference = object_at(variable, "valueSource.secretKeyRef")
        secret = reference.get("secret")
        if reference and not _SECRET.fullmatch(str(secret or "")):
            yield f"{where}.env.value_source.secret_key_ref.secret: may only be {{secret_name}} or projects/{{project}}/secrets/{{secret_name}}."
