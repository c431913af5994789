"""The embedded Cloud Monitoring: time series of the log-based metrics that are deployed.

``timeSeries.list`` with ``ALIGN_DELTA`` over one alignment period, or without aggregation by minutes. Of
Cloud Run's own metrics there is ``run.googleapis.com/container/instance_count``, as of now. Simulated: points are
there at once, and a metric also counts what was logged before it was made.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from portway.sandbox.dataplane.amazon_cloud import DEPLOYER
from portway.sandbox.dataplane.firestore import Refused
from portway.sandbox.dataplane.front import Exchange
from portway.sandbox.dataplane.google_cloud import PROJECT_MEMBERS, SERVICE, last
from portway.sandbox.dataplane.log_entries import LogEntries
from portway.sandbox.dataplane.log_metrics import (
    METRIC,
    SERIES_RESOURCE,
    BadFilter,
    Comparison,
    Distribution,
    LogMetric,
    entries_of,
    read_filter,
)
from portway.sandbox.dataplane.world import World, text
from portway.sandbox.store import Json, Row

OWNER = "monitoring"
USER_METRIC = "logging.googleapis.com/user/"
INSTANCES = "run.googleapis.com/container/instance_count"
VIEWERS = frozenset({"roles/monitoring.viewer", "roles/monitoring.admin", "roles/viewer"})
MINUTE_SECONDS = 60
_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "UNIMPLEMENTED": 501,
}


class Monitoring:
    """``monitoring.googleapis.com``. ``instances`` gives the running instances of a service by its key."""

    def __init__(
        self,
        world: Callable[[], World],
        logs: LogEntries,
        account_of: Callable[[str], str | None],
        instances: Callable[[], Mapping[str, int]],
    ) -> None:
        self._world = world
        self._logs = logs
        self._account_of = account_of
        self._instances = instances

    async def handle(self, exchange: Exchange) -> None:
        """Answer one API call."""
        try:
            status, body = 200, self._answer(exchange)
        except Refused as error:
            status = _STATUSES[error.status]
            body = {"error": {"code": status, "message": str(error), "status": error.status}}
        except BadFilter as error:
            body = {"error": {"code": 400, "message": str(error), "status": "INVALID_ARGUMENT"}}
            status = 400
        await exchange.reply(status, json.dumps(body))

    def _answer(self, exchange: Exchange) -> Json:
        match exchange.path.strip("/").split("/"):
            case ["v3", "projects", project, "timeSeries"] if exchange.method == "GET":
                self._check(exchange, project)
                return {"timeSeries": self._series(project, _Query(exchange.query)), "unit": ""}
            case _:
                raise Refused("UNIMPLEMENTED", "the sandbox's Monitoring has timeSeries.list only")

    def _check(self, exchange: Exchange, project: str) -> None:
        scheme, _, token = (exchange.header("authorization") or "").partition(" ")
        if scheme.lower() == "bearer" and token == DEPLOYER:
            return
        account = self._account_of(token) if scheme.lower() == "bearer" else None
        if account is None:
            raise Refused(
                "UNAUTHENTICATED", "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential."
            )  # fmt: skip
        held = [
            row for row in self._world().of(*PROJECT_MEMBERS)
            if row.key.scope == project and text(row.inputs, "role") in VIEWERS
            and f"serviceAccount:{account}"
            in (text(row.inputs, "member"), *(row.inputs.get("members") or []))
        ]  # fmt: skip
        if not held:
            raise Refused(
                "PERMISSION_DENIED",
                f"Permission monitoring.timeSeries.list denied (or the resource may not exist). on projects/{project}",
            )

    def _series(self, project: str, query: "_Query") -> list[Json]:
        if query.metric == INSTANCES:
            return self._instance_series(project, query)
        for row in self._world().of(METRIC):
            if row.key.scope == project and query.metric == f"{USER_METRIC}{_name(row)}":
                return self._log_series(project, LogMetric(row), query)
        raise Refused(
            "NOT_FOUND",
            f'Cannot find metric(s) that match type = "{query.metric}". If a metric was created recently, it could take up to 10 minutes to become available. Please try again soon.',
        )

    def _log_series(self, project: str, metric: LogMetric, query: "_Query") -> list[Json]:
        made: dict[tuple[str, Any], dict[int, Distribution]] = {}
        for service, name, location in self._services(project):
            entries = self._logs.of(f"cloud-run-{last(service.key.id)}")
            for at, entry in entries_of(service, entries, name, location):
                value = metric.value_of(entry) if query.start <= at < query.end else None
                labels = metric.labels_of(entry)
                if value is None or not query.takes(name, location, dict(labels)):
                    continue
                period = query.period_of(at)
                points = made.setdefault((f"{name} {location}", labels), {})
                points.setdefault(period, Distribution(metric.bounds)).add(value)
        return [
            {
                "metric": {"type": query.metric, "labels": dict(labels)},
                "resource": _resource(project, *whose.split(" ")),
                "metricKind": "DELTA",
                "valueType": "DISTRIBUTION",
                "unit": metric.unit,
                "points": [
                    query.point(period, {"distributionValue": points[period].as_json()})
                    for period in sorted(points, reverse=True)
                ],
            }
            for (whose, labels), points in made.items()
        ]

    def _instance_series(self, project: str, query: "_Query") -> list[Json]:
        running = self._instances()
        return [
            {
                "metric": {"type": INSTANCES, "labels": {"state": "active"}},
                "resource": _resource(project, name, location),
                "metricKind": "GAUGE",
                "valueType": "INT64",
                "points": [
                    query.point(None, {"int64Value": str(running.get(str(service.key), 0))})
                ],
            }
            for service, name, location in self._services(project)
            if query.takes(name, location, {})
        ]

    def _services(self, project: str) -> list[tuple[Row, str, str]]:
        return [
            (row, text(row.inputs, "name") or last(row.key.id), text(row.inputs, "location"))
            for row in self._world().of(SERVICE)
            if row.key.scope == project
        ]


class _Query:
    """What a request for time series asks."""

    def __init__(self, query: str) -> None:
        given = {name: values[-1] for name, values in parse_qs(query).items()}
        known = {
            "filter", "interval.startTime", "interval.endTime", "aggregation.alignmentPeriod",
            "aggregation.perSeriesAligner", "view", "pageSize",
        }  # fmt: skip
        if unknown := sorted(given.keys() - known):
            raise Refused("UNIMPLEMENTED", f"the sandbox's Monitoring does not know {unknown[0]}")
        self._comparisons = read_filter(given.get("filter", ""))
        types = [c.value for c in self._comparisons if (c.path, c.operator) == ("metric.type", "=")]
        if len(types) != 1:
            message = "The provided filter is missing a metric type restriction."
            raise Refused("INVALID_ARGUMENT", message)
        self.metric = types[0]
        self.end = _time(given.get("interval.endTime"), "interval.endTime")
        start = given.get("interval.startTime")
        self.start = self.end if start is None else _time(start, "interval.startTime")
        if self.start > self.end:
            raise Refused("INVALID_ARGUMENT", "The start time must be before the end time.")
        aligner = given.get("aggregation.perSeriesAligner", "ALIGN_NONE")
        if aligner not in ("ALIGN_NONE", "ALIGN_DELTA"):
            raise Refused("UNIMPLEMENTED", f"the sandbox's Monitoring does not know {aligner}")
        aligned = given.get("aggregation.alignmentPeriod", "60s").removesuffix("s")
        self._period = int(aligned) if aligner == "ALIGN_DELTA" and aligned.isdigit() else 60

    def takes(self, service: str, location: str, labels: Mapping[str, str]) -> bool:
        """Whether a series is asked for."""
        resource = {"service_name": service, "location": location}
        series = {
            "metric": {"type": self.metric, "labels": dict(labels)},
            "resource": {"type": SERIES_RESOURCE, "labels": resource},
        }
        return all(_plural(each).holds(series) for each in self._comparisons)

    def period_of(self, at: float) -> int:
        """The number of a time's alignment period, counted back from the end of the interval."""
        return -int((self.end - at) // self._period)

    def point(self, period: int | None, value: Json) -> Json:
        """A point as the API writes it; ``None`` for one that has no extent."""
        end = self.end if period is None else self.end + period * self._period
        start = end if period is None else max(end - self._period, self.start)
        interval = {"startTime": _written(start), "endTime": _written(end)}
        return {"interval": interval, "value": value}


def _plural(each: Comparison) -> Comparison:
    """``resource.label.x`` means ``resource.labels.x``."""
    path = each.path.replace(".label.", ".labels.")
    return Comparison(path, each.operator, each.value)


def _resource(project: str, service: str, location: str) -> Json:
    labels = {"project_id": project, "service_name": service, "location": location}
    return {"type": SERIES_RESOURCE, "labels": labels}


def _name(row: Row) -> str:
    return text(row.inputs, "name") or text(row.outputs, "name")


def _time(given: str | None, name: str) -> float:
    try:
        found = datetime.fromisoformat(given or "")
    except ValueError:
        raise Refused("INVALID_ARGUMENT", f"Field {name} had an invalid value: {given}") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _written(seconds: float) -> str:
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z")
    )
