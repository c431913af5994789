"""The dashboard of the service's signals, as CloudWatch takes it. Pure."""

import json
from typing import Any, Final

from portway.naming import Names
from portway.observability import (
    EMF_DIMENSIONS,
    ERRORS,
    OPERATION,
    PANELS,
    READINGS,
    Panel,
    Reading,
    emf_namespace,
    emf_variable,
    provider_name,
)
from portway.targets.lambda_bedrock.options import LambdaBedrockOptions
from portway.targets.lambda_bedrock.shapes import Dashboard

_WIDTH, _HEIGHT, _COLUMNS = 12, 6, 2
PERIOD_SECONDS: Final = 60
_STATISTICS = {"p50": "p50", "p95": "p95"}


def dashboards(
    names: Names, model: str, upstream: str, region: str, options: LambdaBedrockOptions
) -> tuple[Dashboard, ...]:
    """The dashboard, where asked for: a chart for each panel.

    Args:
        names: the stack's.
        model: the served model's id.
        upstream: ``bedrock:<id>``.
        region: where the metrics are.
        options: whether there is one.
    """
    if not options.dashboard:
        return ()
    stack = names.physical()
    values = {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": provider_name(upstream),
        "gen_ai.request.model": model,
    }
    namespace = emf_namespace(stack)
    widgets = [
        {
            "type": "metric",
            "x": _WIDTH * (number % _COLUMNS),
            "y": _HEIGHT * (number // _COLUMNS),
            "width": _WIDTH,
            "height": _HEIGHT,
            "properties": {
                "title": panel.title,
                "region": region,
                "view": "timeSeries",
                "period": PERIOD_SECONDS,
                "yAxis": {"left": {"label": panel.unit, "showUnits": False, "min": 0}},
                "metrics": _lines(panel, namespace, values),
            },
        }
        for number, panel in enumerate(PANELS)
    ]
    body = json.dumps({"widgets": widgets}, separators=(",", ":"))
    return (Dashboard(name=names.physical("signals"), namespace=namespace, body=body),)


def metric_variables(names: Names, options: LambdaBedrockOptions) -> dict[str, str]:
    """What makes the runtime write the metrics that the dashboard shows."""
    return emf_variable(names.physical()) if options.dashboard else {}


def _lines(panel: Panel, namespace: str, values: dict[str, str]) -> list[list[Any]]:
    if panel.signal is ERRORS:
        # Every class there is, also one that nobody thought of: CloudWatch looks them up.
        sets = ",".join((namespace, *(f'"{one}"' for one in (*EMF_DIMENSIONS, "error.type"))))
        name = panel.signal.instrument.name
        search = f'SEARCH(\'{{{sets}}} MetricName="{name}"\', "SampleCount", {PERIOD_SECONDS})'
        return [[{"expression": f"{search}/{PERIOD_SECONDS}", "id": "e1"}]]
    dimensions = [part for one in EMF_DIMENSIONS for part in (one, values[one])]
    readings = [one for one in READINGS if one.instrument is panel.signal.instrument]
    return [
        line
        for number, reading in enumerate(readings)
        for aggregation in panel.aggregations
        for line in _of_reading(reading, aggregation, f"m{number}", [namespace, *dimensions])
    ]


def _of_reading(reading: Reading, aggregation: str, name: str, where: list[str]) -> list[list[Any]]:
    namespace, *dimensions = where
    metric: list[Any] = [namespace, reading.name, *dimensions]
    label = reading.token_type or aggregation
    if aggregation in _STATISTICS:
        return [[*metric, {"stat": _STATISTICS[aggregation], "label": label}]]
    # A count of tokens is their sum; a count of requests is how often their duration was written.
    counted = "Sum" if reading.token_type else "SampleCount"
    rate = {"expression": f"{name}/{PERIOD_SECONDS}", "label": label, "id": f"r{name}"}
    return [[*metric, {"stat": counted, "id": name, "visible": False}], [rate]]
