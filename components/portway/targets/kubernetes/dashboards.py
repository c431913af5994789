"""The service's dashboard, as Grafana's sidecar finds it in any cluster. Pure."""

import json
from typing import Final

from pydantic import JsonValue

from portway.observability import (
    ERRORS,
    PANELS,
    TOKEN_USAGE,
    Aggregation,
    Panel,
    label_name,
    prometheus_name,
)
from portway.targets.kubernetes.service import Service, named
from portway.targets.kubernetes.shapes import Object

LABEL: Final[Object] = {"grafana_dashboard": "1"}
"""What the sidecar of Grafana's chart looks for, unless it was told otherwise."""

WINDOW: Final = "5m"
SCHEMA: Final = 39
"""Version of Grafana's dashboard JSON; newer releases read it and bring it up to date."""

_SOURCE: Final[Object] = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}  # fmt: skip
_WIDTH: Final = 12
_HEIGHT: Final = 8
_UNITS: Final = {"requests/s": "reqps", "tokens/s": "cps", "s": "s"}
_QUANTILES: Final[dict[str, str]] = {"p50": "0.5", "p95": "0.95"}


def objects(service: Service) -> dict[str, Object]:
    """A ConfigMap with the dashboard; without Grafana in the cluster nothing reads it."""
    text = json.dumps(_dashboard(service), indent=1, sort_keys=True)
    name = service.names.physical("dashboard")
    held: Object = {f"{name}.json": text}
    return {"dashboard": named(service, "v1", "ConfigMap", name=name, more_labels=LABEL, data=held)}


def _dashboard(service: Service) -> Object:
    whose = f'namespace="{service.namespace}"'
    return {
        "uid": service.names.physical(limit=40),
        "title": f"{service.spec.name} ({service.environment})",
        "tags": ["portway"],
        "schemaVersion": SCHEMA,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [_SOURCE]},
        "panels": [_panel(panel, index, whose) for index, panel in enumerate(PANELS)],
    }


def _panel(panel: Panel, index: int, whose: str) -> JsonValue:
    across, down = index % 2, index // 2
    return {
        "id": index + 1,
        "title": panel.title,
        "type": "timeseries",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"h": _HEIGHT, "w": _WIDTH, "x": across * _WIDTH, "y": down * _HEIGHT},
        "fieldConfig": {"defaults": {"unit": _UNITS[panel.unit]}, "overrides": []},
        "targets": [
            {
                "refId": "AB"[number],
                "expr": query(panel, how, whose),
                "legendFormat": _legend(panel, how),
            }
            for number, how in enumerate(panel.aggregations)
        ],
    }


def query(panel: Panel, how: Aggregation, whose: str) -> str:
    """One line of a panel in PromQL; ``whose`` selects the service's pods."""
    signal = panel.signal
    name = prometheus_name(signal.instrument)
    if how in _QUANTILES:
        rate = f"sum by (le) (rate({name}_bucket{{{whose}}}[{WINDOW}]))"
        return f"histogram_quantile({_QUANTILES[how]}, {rate})"
    by = "" if signal.by is None else f" by ({label_name(signal.by)})"
    only = f',{label_name(signal.by)}!=""' if signal is ERRORS and signal.by else ""
    counted = "sum" if signal is TOKEN_USAGE else "count"
    return f"sum{by} (rate({name}_{counted}{{{whose}{only}}}[{WINDOW}]))"


def _legend(panel: Panel, how: Aggregation) -> str:
    by = panel.signal.by
    return how if by is None else f"{{{{{label_name(by)}}}}}"
