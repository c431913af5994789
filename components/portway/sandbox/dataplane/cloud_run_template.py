"""A deployed ``cloudrunv2.Service`` as containers and volumes, and its settings with their defaults."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from portway.sandbox.dataplane.containers import Container, Mount
from portway.sandbox.dataplane.google_cloud import bucket_files, last, secret_value
from portway.sandbox.dataplane.probes import Probe
from portway.sandbox.dataplane.volumes import Files
from portway.sandbox.dataplane.world import PlatformError, World, child, items, number, text
from portway.sandbox.store import Json, Row

DEFAULT_PORT = 8080
STREAMED = "gs"
_BUCKET_URL = re.compile(r"^gs://([^/]+)")
DEFAULT_CONCURRENCY = 80
DEFAULT_MAX_INSTANCES = 100
DEFAULT_TIMEOUT_SECONDS = 300.0
# What Cloud Run does when a container declares no startup probe.
DEFAULT_STARTUP = {"period": 240.0, "timeout": 240.0, "threshold": 1}


@dataclass(frozen=True)
class Template:
    """One revision: everything that does not change while it lives.

    Attributes:
        ingress_container: the one that gets the requests.
        port: where it listens, as declared.
        keeps_clients: a client that sends its cookie back meets the same instance, while it can.
        digest: of what was declared, so that equal templates are one revision.
    """

    containers: tuple[Container, ...]
    volumes: Mapping[str, Files]
    ingress_container: str
    port: int
    concurrency: int
    least: int
    most: int
    timeout_seconds: float
    keeps_clients: bool
    digest: str


def template_digest(row: Row) -> str:
    """Changes when Cloud Run would make a new revision."""
    declared = json.dumps(row.inputs.get("template"), sort_keys=True)
    return hashlib.sha256(declared.encode()).hexdigest()


def account_of(row: Row) -> str:
    """The email of the service account that a service's instances run as."""
    account = text(child(row.inputs, "template"), "serviceAccount")
    return account or "the default compute service account"


def read_template(row: Row, world: World, revision: str) -> Template:
    """What revision ``revision`` of the service runs.

    Raises:
        PlatformError: a secret or bucket may not be read, or the sandbox lacks a kind of volume.
    """
    template = child(row.inputs, "template")
    declared = items(template, "containers")
    ingress = _ingress(declared)
    reader = Reader(row, world, account_of(row))
    name = last(row.key.id)
    platform = {"K_SERVICE": name, "K_REVISION": revision, "K_CONFIGURATION": name}
    containers = [
        read_container(each, index, reader, platform, is_ingress=each is ingress)
        for index, each in enumerate(declared)
    ]
    volumes = read_volumes(template, reader)
    service, own = child(row.inputs, "scaling"), child(template, "scaling")
    default_most = number(own, "maxInstanceCount", 0) or DEFAULT_MAX_INSTANCES
    return Template(
        containers=tuple(containers),
        volumes=volumes,
        ingress_container=_name(ingress, declared.index(ingress)),
        port=_port(ingress),
        concurrency=int(number(template, "maxInstanceRequestConcurrency", 0))
        or DEFAULT_CONCURRENCY,
        least=int(max(number(service, "minInstanceCount", 0), number(own, "minInstanceCount", 0))),
        most=int(number(service, "maxInstanceCount", 0) or default_most),
        timeout_seconds=seconds(text(template, "timeout")) or DEFAULT_TIMEOUT_SECONDS,
        keeps_clients=template.get("sessionAffinity") is True,
        digest=template_digest(row),
    )


class Reader:
    """Values that a revision's service account reads when an instance starts."""

    def __init__(self, row: Row, world: World, account: str) -> None:
        self._scope = row.key.scope
        self._world = world
        self._account = account

    def secret(self, secret: str, version: str) -> bytes:
        """A secret's payload."""
        return secret_value(self._world, self._scope, secret, version, self._account)

    def streamed(self, bucket: str) -> Files:
        """The files of a bucket that a container reads by itself."""
        return bucket_files(self._world, self._scope, bucket, self._account, doing="reading from")

    def volume(self, declared: Json) -> Files:
        """The files of one volume."""
        if "emptyDir" in declared:
            return {}
        if "gcs" in declared:
            bucket = text(child(declared, "gcs"), "bucket")
            return bucket_files(self._world, self._scope, bucket, self._account)
        if "secret" in declared:
            source = child(declared, "secret")
            name = text(source, "secret")
            chosen = items(source, "items") or [{"path": last(name), "version": "latest"}]
            return {text(i, "path"): self.secret(name, text(i, "version")) for i in chosen}
        kind = next((key for key in declared if key != "name"), "none")
        raise PlatformError(
            f"volume {text(declared, 'name')!r} is of kind {kind}: the sandbox has gcs, secret and emptyDir volumes"
        )


def read_volumes(template: Json, reader: Reader) -> dict[str, Files]:
    """The volumes of a template by name, and the buckets that its containers read by themselves.

    Raises:
        PlatformError: a secret or bucket may not be read, or the sandbox lacks a kind of volume.
    """
    volumes = {text(v, "name"): reader.volume(v) for v in items(template, "volumes")}
    streamed = _streamed(items(template, "containers"))
    return volumes | {f"{STREAMED}-{bucket}": reader.streamed(bucket) for bucket in streamed}


def read_container(
    declared: Json, index: int, reader: Reader, platform: Mapping[str, str], *, is_ingress: bool
) -> Container:
    """One container of a template; ``platform`` is what Cloud Run adds to its environment.

    Raises:
        PlatformError: a secret may not be read.
    """
    ports = _ports(declared)
    if is_ingress:
        ports = [_port(declared)]
        platform = {**platform, "PORT": str(ports[0])}
    startup = child(declared, "startupProbe")
    limits = child(child(declared, "resources"), "limits")
    return Container(
        name=_name(declared, index),
        image=text(declared, "image"),
        command=tuple(map(str, items(declared, "commands"))),
        arguments=tuple(
            _BUCKET_URL.sub(rf"/{STREAMED}/\1", str(word)) for word in items(declared, "args")
        ),
        environment={**_environment(declared, reader), **platform},
        mounts=(
            *(
                Mount(text(m, "mountPath"), text(m, "name"), text(m, "subPath"))
                for m in items(declared, "volumeMounts")
            ),
            *(Mount(f"/{STREAMED}/{b}", f"{STREAMED}-{b}") for b in _streamed([declared])),
        ),
        ports=tuple(ports),
        startup=_probe(startup, ports, _startup_default(ports) if is_ingress else None),
        liveness=_probe(child(declared, "livenessProbe"), ports, None),
        readiness=_probe(child(declared, "readinessProbe"), ports, None),
        after=tuple(map(str, items(declared, "dependsOns"))),
        has_gpu=text(limits, "nvidia.com/gpu") not in ("", "0"),
    )


def _streamed(declared: Any) -> list[str]:  # noqa: ANN401 - a list of objects
    """Buckets that a container is told to read weights from by itself; here they are folders."""
    words = [str(word) for each in declared for word in items(each, "args")]
    return sorted({found[1] for word in words if (found := _BUCKET_URL.match(word))})


def _environment(declared: Json, reader: Reader) -> dict[str, str]:
    environment: dict[str, str] = {}
    for variable in items(declared, "envs"):
        reference = child(child(variable, "valueSource"), "secretKeyRef")
        if reference:
            value = reader.secret(text(reference, "secret"), text(reference, "version")).decode()
        else:
            value = text(variable, "value")
        environment[text(variable, "name")] = value
    return environment


def _ingress(declared: Any) -> Json:  # noqa: ANN401 - a list of objects
    with_ports = [each for each in declared if _ports(each)]
    if len(with_ports) == 1:
        return with_ports[0]
    if len(declared) == 1:
        return declared[0]
    raise PlatformError(
        "template.containers: Revision template should contain exactly one container with an exposed port."
    )


def _ports(declared: Json) -> list[int]:
    """The port a container declares: one object, or a list of one."""
    given: Any = declared.get("ports") or []
    listed = cast("list[Json]", given if isinstance(given, list) else [given])
    return [int(port["containerPort"]) for port in listed if port.get("containerPort")]


def _port(declared: Json) -> int:
    return next(iter(_ports(declared)), DEFAULT_PORT)


def _name(declared: Json, index: int) -> str:
    return text(declared, "name") or f"container-{index + 1}"


def _startup_default(ports: list[int]) -> Probe:
    return Probe(
        "tcp",
        ports[0],
        period_seconds=DEFAULT_STARTUP["period"],
        timeout_seconds=DEFAULT_STARTUP["timeout"],
        failure_threshold=int(DEFAULT_STARTUP["threshold"]),
    )


def _probe(declared: Json, ports: list[int], default: Probe | None) -> Probe | None:
    if not declared:
        return default
    http, tcp = declared.get("httpGet"), declared.get("tcpSocket")
    action: Json = http or tcp or {}
    fallback = ports[0] if ports else DEFAULT_PORT
    return Probe(
        kind="http" if http is not None else "tcp",
        port=int(number(action, "port", 0)) or fallback,
        path=text(action, "path") or "/",
        headers={text(h, "name"): text(h, "value") for h in items(action, "httpHeaders")},
        initial_delay_seconds=number(declared, "initialDelaySeconds", 0),
        period_seconds=number(declared, "periodSeconds", 10),
        timeout_seconds=number(declared, "timeoutSeconds", 1),
        failure_threshold=int(number(declared, "failureThreshold", 3)),
    )


def seconds(duration: str) -> float:
    """A duration such as ``300s``; 0 where there is none."""
    return float(duration.removesuffix("s") or 0)
