"""How a service on Cloud Run is watched: its signals, a dashboard, an uptime check, its log. Pure."""

import json
import re
from collections.abc import Iterator
from typing import Final

from portway.errors import Problem
from portway.observability import (
    ERRORS,
    OPERATION,
    OPERATION_FIELD,
    PANELS,
    READINGS,
    REQUESTS,
    TOKEN_USAGE,
    Aggregation,
    Panel,
    Reading,
    label_name,
    log_metric_name,
)
from portway.spec import InferenceServiceSpec
from portway.targets.cloud_run.options import CloudRunOptions
from portway.targets.cloud_run.shapes import (
    Alert,
    Chart,
    Dashboard,
    Line,
    LogBucket,
    LogMetric,
    UptimeCheck,
)

UPTIME_PATH: Final = "/v1/models"
UPTIME_PERIOD_SECONDS: Final = 300
UPTIME_TIMEOUT_SECONDS: Final = 10
UNREACHABLE_SECONDS: Final = 600
CHECK: Final = "CHECK_ID"
"""Stands in a query for the id that Google gives to the uptime check."""

COLUMNS: Final = 12
_HEIGHT: Final = 4
_QUANTILES: Final = {"p50": "0.5", "p95": "0.95"}
_RESOURCE: Final = "cloud_run_revision"


def refusals(spec: InferenceServiceSpec, options: CloudRunOptions) -> Iterator[Problem]:
    """What is wrong with the uptime check and the log bucket."""
    where = "placement.options.uptime_check"
    if options.uptime_check and spec.access.reach == "private":
        yield Problem(
            where,
            "is true, and access.reach is private: Google asks from the internet, where the service does "
            "not answer; remove it",
        )
    if options.uptime_check and spec.scaling.min == 0:
        yield Problem(
            where,
            "is true, and scaling.min is 0: a question every "
            f"{UPTIME_PERIOD_SECONDS // 60} minutes keeps an instance from ever going, so that it would run "
            "and be billed all month; set scaling.min: 1, or remove it",
        )


def log_metrics(name: str, region: str) -> tuple[LogMetric, ...]:
    """A metric for each number of the runtime's request line."""
    return tuple(_log_metric(reading, name, region) for reading in READINGS)


def _log_metric(reading: Reading, name: str, region: str) -> LogMetric:
    field = f"jsonPayload.{reading.field}"
    chosen = (
        f'resource.type="{_RESOURCE}"',
        f'resource.labels.service_name="{name}"',
        f'resource.labels.location="{region}"',
        f'jsonPayload.{OPERATION_FIELD}="{OPERATION}"',
        f"{field}>=0",
    )
    return LogMetric(
        role=reading.name.replace(".", "-").replace("_", "-"),
        name=log_metric_name(name, reading),
        description=reading.instrument.description,
        filter=" AND ".join(chosen),
        value=f"EXTRACT({field})",
        unit=reading.instrument.unit,
        bounds=reading.instrument.boundaries,
        labels={
            label_name(attribute): f"EXTRACT(jsonPayload.{of})"
            for attribute, of in reading.attributes
        },
    )


def dashboard(name: str, region: str) -> Dashboard:
    """One chart for each panel, and two of what only this target has: instances and the GPU."""
    own = f'monitored_resource="{_RESOURCE}",service_name="{name}",location="{region}"'
    return Dashboard(
        title=f"{name} ({region})",
        charts=(
            *(_chart(panel, name) for panel in PANELS),
            Chart(
                title="Instances",
                unit="instances",
                lines=(
                    Line(
                        query=f"sum by (state) (run_googleapis_com:container_instance_count{{{own}}})",
                        legend="${metric.labels.state}",
                    ),
                ),
            ),
            Chart(
                title="GPU utilisation",
                unit="share",
                lines=(
                    Line(
                        query=_quantile(
                            "p95", f"run_googleapis_com:container_gpu_utilizations_bucket{{{own}}}"
                        ),
                        legend="p95",
                    ),
                ),
            ),
        ),
    )


def _chart(panel: Panel, name: str) -> Chart:
    readings = [one for one in READINGS if one.instrument is panel.signal.instrument]
    lines = [
        _line(panel, aggregation, reading, name)
        for reading in readings
        for aggregation in panel.aggregations
    ]
    return Chart(title=panel.title, unit=panel.unit, lines=tuple(lines))


def _line(panel: Panel, aggregation: Aggregation, reading: Reading, name: str) -> Line:
    metric = "logging_googleapis_com:user_" + re.sub(
        r"[^A-Za-z0-9]", "_", log_metric_name(name, reading)
    )
    chosen = f'monitored_resource="{_RESOURCE}"'
    if aggregation in _QUANTILES:
        return Line(
            query=_quantile(aggregation, f"{metric}_bucket{{{chosen}}}"), legend=aggregation
        )
    if panel.signal is TOKEN_USAGE:
        return Line(
            query=f"sum(rate({metric}_sum{{{chosen}}}[5m]))", legend=str(reading.token_type)
        )
    if panel.signal is ERRORS:
        by = label_name(str(ERRORS.by))
        query = f'sum by ({by}) (rate({metric}_count{{{chosen},{by}!=""}}[5m]))'
        return Line(query=query, legend=f"${{metric.labels.{by}}}")
    return Line(query=f"sum(rate({metric}_count{{{chosen}}}[5m]))", legend=REQUESTS.key)


def _quantile(which: str, buckets: str) -> str:
    return f"histogram_quantile({_QUANTILES[which]}, sum by (le) (rate({buckets}[5m])))"


def dashboard_json(made: Dashboard) -> str:
    """The dashboard as Cloud Monitoring takes it: two charts in a row."""
    width = COLUMNS // 2
    tiles = [
        {
            "xPos": (number % 2) * width,
            "yPos": (number // 2) * _HEIGHT,
            "width": width,
            "height": _HEIGHT,
            "widget": {
                "title": chart.title,
                "xyChart": {
                    "dataSets": [
                        {
                            "plotType": "LINE",
                            "targetAxis": "Y1",
                            "legendTemplate": line.legend,
                            "timeSeriesQuery": {"prometheusQuery": line.query},
                        }
                        for line in chart.lines
                    ],
                    "yAxis": {"label": chart.unit, "scale": "LINEAR"},
                },
            },
        }
        for number, chart in enumerate(made.charts)
    ]
    layout = {"columns": COLUMNS, "tiles": tiles}
    return json.dumps({"displayName": made.title, "mosaicLayout": layout}, sort_keys=True)


def uptime_checks(
    spec: InferenceServiceSpec, options: CloudRunOptions, name: str
) -> tuple[UptimeCheck, ...]:
    """A question from outside that needs no key: that the runtime refuses it is the answer."""
    if not options.uptime_check:
        return ()
    asks_as_google = spec.access.auth == "iam"
    told = spec.budget is not None and bool(spec.budget.alert_emails)
    passed = f'monitoring_googleapis_com:uptime_check_check_passed{{check_id="{CHECK}"}}'
    alert = Alert(
        name="unreachable",
        display_name=f"{name} is not reached from outside",
        query=f"avg(avg_over_time({passed}[10m])) < 0.5",
        seconds=UNREACHABLE_SECONDS,
        severity="CRITICAL",
    )
    return (
        UptimeCheck(
            display_name=name,
            path=UPTIME_PATH,
            period_seconds=UPTIME_PERIOD_SECONDS,
            timeout_seconds=UPTIME_TIMEOUT_SECONDS,
            accepted_status=200 if asks_as_google else 401,
            identity_token=asks_as_google,
            alerts=(alert,) if told else (),
        ),
    )


def log_buckets(options: CloudRunOptions, name: str, region: str) -> tuple[LogBucket, ...]:
    """A log bucket in the region, and what leads the service's lines there and nowhere else."""
    if options.log_bucket is None:
        return ()
    chosen = (
        f'resource.type="{_RESOURCE}"',
        f'resource.labels.service_name="{name}"',
        f'resource.labels.location="{region}"',
    )
    return (
        LogBucket(
            name=name,
            location=region,
            retention_days=options.log_bucket.retention_days,
            filter=" AND ".join(chosen),
        ),
    )


def notes(spec: InferenceServiceSpec, options: CloudRunOptions) -> Iterator[str]:
    """What is watched by nobody, and what a log bucket leaves behind."""
    if options.log_bucket is not None:
        yield (
            "a log bucket that is deleted stays for seven days, and its name with it: a stack that was "
            "destroyed cannot be deployed again before. A project has room for ten exclusions of its "
            "_Default sink, and this stack takes one"
        )
    elif spec.residency is not None:
        yield (
            "request lines (never prompts or answers) go to the project's _Default log bucket, which is "
            "global unless somebody moved it; name placement.options.log_bucket to keep them in the region"
        )
