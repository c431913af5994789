"""The signals from Cloud Monitoring (log-based metrics), and the meter's month from Firestore."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from portway.observability import DURATION, FIRST_TOKEN, TOKENS
from portway.status.access import Access
from portway.status.deployed import LogBased, Metered
from portway.status.documents import Json, member, members, values
from portway.status.figures import COUNTED, Figures, quantile
from portway.status.http import ask

NAME = "Cloud Monitoring"
_INSTANCES = "run.googleapis.com/container/instance_count"
_USER_METRIC = "logging.googleapis.com/user/"
_RECENT_SECONDS = 300
_MOST_PAGES = 50


def read_signals(kept: LogBased, since_seconds: int, access: Access) -> Figures:
    """The signals of the last ``since_seconds``.

    Raises:
        Missing: Cloud Monitoring cannot be read.
    """
    token = access.token()
    source = _Source(kept, access.monitoring, token)
    durations = list(source.distributions(DURATION.name, since_seconds))
    by_class = [(labels.get("error_type", ""), int(each["count"])) for labels, each in durations]
    errors: dict[str, int] = {}
    for name, count in by_class:
        if name:
            errors[name] = errors.get(name, 0) + count
    first = [each for _, each in source.distributions(FIRST_TOKEN.name, since_seconds)]
    return Figures(
        requests=sum(count for _, count in by_class),
        errors=dict(sorted(errors.items())),
        first_token_p50_seconds=_percentile(0.5, first),
        first_token_p95_seconds=_percentile(0.95, first),
        input_tokens=_total(source.distributions(f"{TOKENS.name}.input", since_seconds)),
        output_tokens=_total(source.distributions(f"{TOKENS.name}.output", since_seconds)),
        instances=source.instances(),
    )


def read_meter(metered: Metered, month: str, access: Access) -> dict[str, int]:
    """What the meter counted in ``month``.

    Raises:
        Missing: Firestore cannot be read.
    """
    store = metered.store
    place = f"projects/{store['project']}/databases/{store['database']}/documents"
    name = f"{place}/{store['collection']}/{metered.service}.{month}"
    document = ask("Firestore", f"{access.firestore}/v1/{name}", token=access.token())
    return {
        each: int(member(document, "fields", each).get("integerValue") or 0) for each in COUNTED
    }


class _Source:
    def __init__(self, kept: LogBased, address: str, token: str) -> None:
        self._kept = kept
        self._url = f"{address}/v3/projects/{kept.project}/timeSeries"
        self._token = token

    def distributions(self, reading: str, since_seconds: int) -> Iterator[tuple[Json, Json]]:
        """Labels and distribution of every series and period of a log-based metric."""
        name = self._kept.names.get(reading)
        if name is None:
            return
        aligned = {
            "aggregation.alignmentPeriod": f"{since_seconds}s",
            "aggregation.perSeriesAligner": "ALIGN_DELTA",
        }
        for series in self._series(f"{_USER_METRIC}{name}", since_seconds, aligned):
            for point in members(series.get("points")):
                found = member(point, "value", "distributionValue")
                yield member(series, "metric", "labels"), {"count": 0, **found}

    def instances(self) -> int | None:
        """How many run, by the newest point of each series; None where nothing says so."""
        series = list(self._series(_INSTANCES, _RECENT_SECONDS, {}))
        if not series:
            return None
        points = (members(each.get("points"))[:1] for each in series)
        newest = (member(point, "value") for first in points for point in first)
        return sum(int(value.get("int64Value") or 0) for value in newest)

    def _series(self, metric: str, since_seconds: int, more: dict[str, str]) -> Iterator[Json]:
        kept = self._kept
        now = datetime.now(UTC)
        query = {
            "filter": f'metric.type="{metric}" AND resource.type="cloud_run_revision" '
            f'AND resource.labels.service_name="{kept.service}" '
            f'AND resource.labels.location="{kept.location}"',
            "interval.startTime": (now - timedelta(seconds=since_seconds)).isoformat(),
            "interval.endTime": now.isoformat(),
            **more,
        }
        for _ in range(_MOST_PAGES):
            page = member(ask(NAME, self._url, query, self._token))
            yield from members(page.get("timeSeries"))
            if not page.get("nextPageToken"):
                return
            query = {**query, "pageToken": str(page["nextPageToken"])}


def _total(distributions: Iterator[tuple[Json, Json]]) -> int:
    return round(
        sum(int(each["count"]) * float(each.get("mean") or 0) for _, each in distributions)
    )


def _percentile(share: float, distributions: Sequence[Json]) -> float | None:
    """Over all of them together; their bounds are the same, because one metric has one list."""
    bounds: list[Any] = []
    counts: list[int] = []
    for each in distributions:
        bounds = values(member(each, "bucketOptions", "explicitBuckets").get("bounds")) or bounds
        given = [int(count) for count in values(each.get("bucketCounts"))]
        counts += [0] * (len(given) - len(counts))
        for number, count in enumerate(given):
            counts[number] += count
    return quantile(share, [float(bound) for bound in bounds], counts)
