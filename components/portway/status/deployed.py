"""What a stack's state says of the service in it, and of where its signals and its meter are kept.

Found by resource types and by the runtime's own variables, so that no target is named here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portway.observability import READINGS, VARIABLE
from portway.status.documents import Json, member, members

_NOTHING: Json = {}
_STACK = "pulumi:pulumi:Stack"
_CLOUD_RUN = "gcp:cloudrunv2/service:Service"
_LOG_METRIC = "gcp:logging/metric:Metric"
_FUNCTION = "aws:lambda/function:Function"
_DEPLOYMENT = "kubernetes:apps/v1:Deployment"
_SERVICE, _METER = "PORTWAY_SERVICE", "PORTWAY_METER"
_ARN_PARTS = 6


@dataclass(frozen=True)
class LogBased:
    """Log-based metrics. ``names`` by ``Reading.name``; those that the stack does not make are missing."""

    project: str
    location: str
    service: str
    names: Mapping[str, str]


@dataclass(frozen=True)
class Embedded:
    """Metrics that a function embeds in its log."""

    region: str
    namespace: str
    function: str


@dataclass(frozen=True)
class Logged:
    """The request lines of a function, in a log group, and nothing made of them."""

    region: str
    group: str
    function: str


@dataclass(frozen=True)
class Scraped:
    """Metrics that are scraped off the pods of a Deployment. ``cluster`` is a kubeconfig context."""

    cluster: str
    namespace: str
    deployment: str


Kept = LogBased | Embedded | Logged | Scraped


@dataclass(frozen=True)
class Metered:
    """Where a meter counts: the ``store`` of the runtime's variable, and what it allows."""

    service: str
    store: Mapping[str, str]
    limits: Mapping[str, int]


@dataclass(frozen=True)
class Service:
    """The service of a stack.

    Attributes:
        outputs: of the stack, without secrets.
        last_change: when a resource was last made or changed, as the engine wrote it; "" when unknown.
        kept: where the signals are; None where nothing keeps them.
        metered: where its meter counts; None where nothing is metered.
    """

    outputs: Mapping[str, str]
    last_change: str
    kept: Kept | None
    metered: Metered | None


def service_of(deployment: Json) -> Service | None:
    """The service in a stack's deployment; None where the stack holds none."""
    resources = [each for each in members(deployment.get("resources")) if not each.get("delete")]
    runs = next(_running(resources), None)
    if runs is None:
        return None
    resource, variables = runs
    stack: Json = next((each for each in resources if each.get("type") == _STACK), _NOTHING)
    changes = [str(each.get("modified") or each.get("created") or "") for each in resources]
    return Service(
        outputs=_texts(member(stack, "outputs")),
        last_change=max(changes, default=""),
        kept=_kept(resource, variables, resources),
        metered=_metered(variables),
    )


def _running(resources: Sequence[Json]) -> Iterator[tuple[Json, Mapping[str, str]]]:
    """Everything that runs our runtime, with the variables it is given."""
    for resource in resources:
        for variables in _variables(resource):
            if _SERVICE in variables:
                yield resource, variables


def _variables(resource: Json) -> Iterator[Mapping[str, str]]:
    inputs = member(resource, "inputs")
    if resource.get("type") == _FUNCTION:
        yield _texts(member(inputs, "environment", "variables"))
    elif resource.get("type") == _CLOUD_RUN:
        for container in members(member(inputs, "template").get("containers")):
            yield _pairs(container.get("envs"))
    elif resource.get("type") == _DEPLOYMENT:
        pod = member(inputs, "spec", "template", "spec")
        for group in ("containers", "initContainers"):
            for container in members(pod.get(group)):
                yield _pairs(container.get("env"))


def _kept(resource: Json, variables: Mapping[str, str], resources: Sequence[Json]) -> Kept | None:
    outputs = {**member(resource, "inputs"), **member(resource, "outputs")}
    kind, _, value = variables.get(VARIABLE, "").partition(":")
    if resource.get("type") == _CLOUD_RUN:
        names = _log_metrics(resources)
        project, location = str(outputs.get("project")), str(outputs.get("location"))
        return LogBased(project, location, str(outputs.get("name")), names) if names else None
    if resource.get("type") == _FUNCTION:
        arn = str(outputs.get("arn") or "").split(":")
        region = arn[3] if len(arn) > _ARN_PARTS else str(outputs.get("region") or "")
        name = str(outputs.get("name") or resource.get("id"))
        group = str(member(outputs, "loggingConfig").get("logGroup") or f"/aws/lambda/{name}")
        return Embedded(region, value, name) if kind == "emf" else Logged(region, group, name)
    if kind == "prometheus":
        metadata = member(outputs, "metadata")
        namespace = str(metadata.get("namespace") or "default")
        cluster = _cluster(resource, resources)
        return Scraped(cluster, namespace, str(metadata.get("name")))
    return None


def _log_metrics(resources: Sequence[Json]) -> dict[str, str]:
    """The names of the stack's log-based metrics, by what they read."""
    every = [
        str(member(each, "inputs").get("name") or "")
        for each in resources
        if each.get("type") == _LOG_METRIC
    ]
    return {
        reading.name: name
        for reading in READINGS
        for name in every
        if name.endswith(f"/{reading.name}")
    }


def _cluster(resource: Json, resources: Sequence[Json]) -> str:
    urn = str(resource.get("provider") or "").rpartition("::")[0]
    provider: Json = next((each for each in resources if each.get("urn") == urn), _NOTHING)
    return str(member(provider, "inputs").get("context") or "")


def _metered(variables: Mapping[str, str]) -> Metered | None:
    try:
        document: Any = json.loads(variables.get(_METER) or "null")
    except ValueError:
        return None
    found = member(document)
    if not found:
        return None
    limits = {n: v for n, v in member(found, "limits").items() if isinstance(v, int)}
    store = {name: str(value) for name, value in member(found, "store").items()}
    return Metered(str(found.get("service")), store, limits)


def _pairs(given: object) -> dict[str, str]:
    pairs = ((each.get("name"), each.get("value")) for each in members(given))
    return _texts({str(name): value for name, value in pairs})


def _texts(values: Json) -> dict[str, str]:
    """Those that are text: a secret is an object that only the engine can open."""
    return {name: value for name, value in values.items() if isinstance(value, str)}
