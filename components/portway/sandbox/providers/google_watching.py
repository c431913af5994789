"""Log buckets, sinks, log-based metrics, dashboards and uptime checks in the embedded Google Cloud."""

import json
import re
import secrets
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from portway.sandbox.providers import type_facts
from portway.sandbox.providers.behaviour import Behaviour, Deployed, nested, object_at, objects_at
from portway.sandbox.providers.cloud import CloudError, Code, Failure
from portway.sandbox.providers.wire import UNKNOWN, Json, is_list, is_object
from portway.sandbox.store import Key

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

BUCKET = "gcp:logging/projectBucketConfig:ProjectBucketConfig"
SINK = "gcp:logging/projectSink:ProjectSink"
EXCLUSION = "gcp:logging/projectExclusion:ProjectExclusion"
METRIC = "gcp:logging/metric:Metric"
DASHBOARD = "gcp:monitoring/dashboard:Dashboard"
UPTIME = "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig"
_LOCATIONS = {"global", "eu", "us"}
_LONGEST_RETENTION_DAYS = 3650
_MOST_EXCLUSIONS = 10
_LONGEST_METRIC = 100
_METRIC = re.compile(r"[A-Za-z0-9_.,+!*'()%-][A-Za-z0-9_.,+!*'()%/-]*")
_EXTRACTOR = re.compile(r"(REGEXP_)?EXTRACT\(.+\)")
_PERIODS = {"60s", "300s", "600s", "900s"}
_LONGEST_TIMEOUT_SECONDS = 60
_PLACES = {"EUROPE": 1, "SOUTH_AMERICA": 1, "ASIA_PACIFIC": 1, "USA": 3, "USA_OREGON": 1, "USA_IOWA": 1, "USA_VIRGINIA": 1}  # fmt: skip
_FEWEST_PLACES = 3
_LAYOUTS = ("mosaicLayout", "gridLayout", "rowLayout", "columnLayout")


def _bucket_flaws(cloud: "StoredCloud", deployed: Deployed) -> Iterator[str]:
    del cloud
    inputs = deployed.inputs
    place, days = str(inputs.get("location")), inputs.get("retentionDays")
    if place not in type_facts.regions("google") | _LOCATIONS:
        yield f"Invalid location: {place}"
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}|_Default|_Required", str(inputs.get("bucketId"))):
        yield f"Invalid bucket ID: {inputs.get('bucketId')}"
    if days is not None and not 0 <= int(days) <= _LONGEST_RETENTION_DAYS:
        yield f"retention_days must be between 1 and {_LONGEST_RETENTION_DAYS}"


def _sink_flaws(cloud: "StoredCloud", deployed: Deployed) -> Iterator[str]:
    destination = str(deployed.inputs.get("destination"))
    service, _, full = destination.partition("/")
    if not re.fullmatch(r"(logging|storage|bigquery|pubsub)\.googleapis\.com", service):
        yield f"Invalid destination: {destination}"
    elif "/buckets/" in full and service.startswith("logging") and not _is_held(cloud, full):
        yield f"Log bucket {full} does not exist"


def _is_held(cloud: "StoredCloud", full: str) -> bool:
    """Google makes _Default and _Required itself; a bucket of another project is not looked for."""
    if full.endswith(("/buckets/_Default", "/buckets/_Required")):
        return True
    owner = full.split("/")[1]
    return cloud.store.get(Key("gcp", owner, BUCKET, full)) is not None


def _exclusion_flaws(cloud: "StoredCloud", deployed: Deployed) -> Iterator[str]:
    others = [row for row in cloud.rows(EXCLUSION, deployed.key.scope) if row.key != deployed.key]
    if len(others) >= _MOST_EXCLUSIONS:
        yield f"The number of exclusions on the _Default sink may not exceed {_MOST_EXCLUSIONS}"


def _metric_flaws(cloud: "StoredCloud", deployed: Deployed) -> Iterator[str]:
    del cloud
    inputs = deployed.inputs
    name, value = str(inputs.get("name")), inputs.get("valueExtractor")
    if not _METRIC.fullmatch(name) or len(name) > _LONGEST_METRIC:
        yield f"Invalid metric name '{name}': at most {_LONGEST_METRIC} of A-Z, a-z, 0-9 and _-.,+!*',()%/"
    is_distribution = nested(inputs, "metricDescriptor.valueType") == "DISTRIBUTION"
    if is_distribution != bool(value):
        yield "value_extractor is required for a DISTRIBUTION value type, and only allowed for it"
    if inputs.get("bucketOptions") and not is_distribution:
        yield "bucket_options are only allowed for a DISTRIBUTION value type"
    bounds = nested(inputs, "bucketOptions.explicitBuckets.bounds")
    if is_list(bounds) and list(bounds) != sorted(set(bounds)):
        yield "bucket_options.explicit_buckets.bounds must increase"
    labels = {str(one.get("key")) for one in objects_at(inputs, "metricDescriptor.labels")}
    extractors = object_at(inputs, "labelExtractors")
    if labels != set(extractors):
        yield "every label of metric_descriptor needs an entry in label_extractors, and the other way round"
    for text in filter(None, (value, *extractors.values())):
        if not _EXTRACTOR.fullmatch(str(text)):
            yield f"Invalid extractor '{text}': EXTRACT(field) or REGEXP_EXTRACT(field, regex)"


def _dashboard_flaws(cloud: "StoredCloud", deployed: Deployed) -> Iterator[str]:
    del cloud
    made = _parsed(deployed.inputs)
    if not made.get("displayName"):
        yield "Field displayName is required"
    if sum(layout in made for layout in _LAYOUTS) != 1:
        yield "Exactly one layout of the dashboard must be set"
    for tile in objects_at(made, "mosaicLayout.tiles"):
        columns = int(nested(made, "mosaicLayout.columns") or 0)
        if int(tile.get("xPos") or 0) + int(tile.get("width") or 0) > columns:
            yield f"Tile {object_at(tile, 'widget').get('title')!r} does not fit in {columns} columns"


def check_dashboard(inputs: Json) -> list[Failure]:
    """What the provider itself refuses: text that is no JSON object."""
    text = inputs.get("dashboardJson")
    if text == UNKNOWN or _parsed(inputs):
        return []
    return [Failure("dashboardJson", '"dashboard_json" contains an invalid JSON')]


def _parsed(inputs: Json) -> Json:
    try:
        made = json.loads(str(inputs.get("dashboardJson")))
    except ValueError:
        return {}
    return made if is_object(made) else {}


def _uptime_flaws(cloud: "StoredCloud", deployed: Deployed) -> Iterator[str]:
    del cloud
    inputs = deployed.inputs
    found = re.fullmatch(r"(\d+)s", str(inputs.get("timeout")))
    if not found or not 1 <= int(found[1]) <= _LONGEST_TIMEOUT_SECONDS:
        yield "timeout must be between 1 and 60 seconds"
    if str(inputs.get("period") or "300s") not in _PERIODS:
        yield "period must be one of 60s, 300s, 600s and 900s"
    asked = inputs.get("selectedRegions")
    if is_list(asked) and asked and sum(_PLACES.get(str(one), 0) for one in asked) < _FEWEST_PLACES:
        yield f"selected_regions must include a minimum of {_FEWEST_PLACES} locations"
    if nested(inputs, "monitoredResource.type") == "uptime_url" and not nested(
        inputs, "monitoredResource.labels.host"
    ):
        yield "monitored_resource.labels must have host"


_Flaws = Callable[["StoredCloud", Deployed], Iterator[str]]


def _admit(kind: str, flaws: _Flaws) -> Callable[["StoredCloud", Deployed], None]:
    def admit(cloud: "StoredCloud", deployed: Deployed) -> None:
        verb = "updating" if deployed.before else "creating"
        for text in flaws(cloud, deployed):
            message = f"Error {verb} {kind}: googleapi: Error 400: {text}., badRequest"
            raise CloudError(Code.INVALID_ARGUMENT, message)

    return admit


def _dashboard_id(cloud: "StoredCloud", inputs: Json) -> str:
    return f"projects/{cloud.values(DASHBOARD, inputs)['number']}/dashboards/{uuid.uuid4()}"


def _uptime_id(cloud: "StoredCloud", inputs: Json) -> str:
    project = cloud.values(UPTIME, inputs)["project"]
    called = re.sub(r"[^a-z0-9]+", "-", str(inputs.get("displayName")).lower())
    return f"projects/{project}/uptimeCheckConfigs/{called}-{secrets.token_urlsafe(8)}"


def _uptime_outputs(cloud: "StoredCloud", deployed: Deployed, known: Json) -> Json:
    del cloud, known
    return {"uptimeCheckId": deployed.key.id.rsplit("/", 1)[-1], "name": deployed.key.id}


BEHAVIOURS = {
    BUCKET: Behaviour(admit=_admit("ProjectBucketConfig", _bucket_flaws)),
    SINK: Behaviour(admit=_admit("Sink", _sink_flaws)),
    EXCLUSION: Behaviour(admit=_admit("Exclusion", _exclusion_flaws)),
    METRIC: Behaviour(admit=_admit("Metric", _metric_flaws)),
    DASHBOARD: Behaviour(
        identify=_dashboard_id,
        validate=check_dashboard,
        admit=_admit("Dashboard", _dashboard_flaws),
    ),
    UPTIME: Behaviour(
        identify=_uptime_id,
        admit=_admit("UptimeCheckConfig", _uptime_flaws),
        outputs=_uptime_outputs,
    ),
}
