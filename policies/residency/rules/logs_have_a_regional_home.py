"""What Google compute logs is kept in a log bucket inside the boundary, not in the global default."""

import re
from collections.abc import Iterator

from portway.gate.absence import absence, named, of_types, text
from portway.gate.context import ResidencyContext
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Unknown
from portway.residency.boundary import Boundary

_ID = "residency-logs-have-a-regional-home"
_LOGS = (
    "gcp:appengine/flexibleAppVersion:FlexibleAppVersion",
    "gcp:appengine/standardAppVersion:StandardAppVersion",
    "gcp:cloudfunctions/function:Function",
    "gcp:cloudfunctionsv2/function:Function",
    "gcp:cloudrun/service:Service",
    "gcp:cloudrunv2/job:Job",
    "gcp:cloudrunv2/service:Service",
    "gcp:cloudrunv2/workerPool:WorkerPool",
    "gcp:compute/instance:Instance",
    "gcp:compute/instanceGroupManager:InstanceGroupManager",
    "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager",
    "gcp:container/cluster:Cluster",
    "gcp:vertex/aiEndpoint:AiEndpoint",
    "gcp:vertex/aiEndpointWithModelGardenDeployment:AiEndpointWithModelGardenDeployment",
    "gcp:vertex/aiReasoningEngine:AiReasoningEngine",
)
_BUCKETS = (
    "gcp:logging/projectBucketConfig:ProjectBucketConfig",
    "gcp:logging/folderBucketConfig:FolderBucketConfig",
    "gcp:logging/organizationBucketConfig:OrganizationBucketConfig",
)
_SINK = "gcp:logging/projectSink:ProjectSink"
_SETTINGS = (
    "gcp:logging/folderSettings:FolderSettings",
    "gcp:logging/organizationSettings:OrganizationSettings",
)
_DEFAULT = "_Default"
_LOCATION = re.compile(r"logging\.googleapis\.com/.+/locations/([a-z0-9-]+)/buckets/.+")


def _lacks(stack: Stack, context: ResidencyContext) -> Iterator[Violation]:
    boundary = context.boundary
    logging = [one for one in of_types(stack, _LOGS) if not _is_silent(one)]
    if boundary is None or not logging or _has_home(stack, boundary):
        return
    message = (
        f"logs of {named(logging)} go to the project's _Default bucket, which is global, and may hold "
        f"prompts; add {_BUCKETS[0]} in a location inside {boundary} and {_SINK} named _Default that "
        f"sends them there, or say under elsewhere which stack does"
    )
    yield Violation(message, logging[0].urn)


def _is_silent(resource: Resource) -> bool:
    """A cluster whose logs are switched off writes none."""
    return text(resource, "loggingService") == "none"


def _has_home(stack: Stack, boundary: Boundary) -> bool:
    if any(boundary.contains(text(one, "storageLocation")) for one in of_types(stack, _SETTINGS)):
        return True
    homes = [one for one in of_types(stack, _BUCKETS) if boundary.contains(text(one, "location"))]
    if any(text(home, "bucketId") == _DEFAULT for home in homes):
        return True
    return any(_leads_home(sink, homes, boundary) for sink in of_types(stack, (_SINK,)))


def _leads_home(sink: Resource, homes: list[Resource], boundary: Boundary) -> bool:
    """Whether the sink that Google makes in every project is switched off, or leads inside."""
    if text(sink, "name") != _DEFAULT:
        return False
    if sink.properties.get("disabled") == Known("disabled", value=True):
        return True
    match sink.properties.get("destination"):
        case Known(_, str() as destination):
            found = _LOCATION.fullmatch(destination)
            return found is not None and boundary.contains(found[1])
        case Unknown():
            sources = (sink.depends_on or {}).get("destination", ())
            return any(home.urn in sources for home in homes)
        case _:
            return False


RULE = Rule(
    id=_ID,
    severity=Severity.HIGH,
    description="What Google compute logs is kept in a log bucket inside the boundary.",
    remediation="Create a regional log bucket and send the _Default sink of the project to it.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.8.15",
        "NIST SP 800-53 r5 AU-4",
        "NIST SP 800-53 r5 SA-9(5)",
    ),
    advises=True,
    judge_stack=absence(_ID, _lacks),
)
