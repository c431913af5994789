"""What the cluster's Prometheus reads of the pods, where it has an operator. Pure."""

from typing import Final

from pydantic import JsonValue

from portway.targets.kubernetes.abilities import POD_MONITORS, is_served
from portway.targets.kubernetes.engine import ENGINE_PORT
from portway.targets.kubernetes.pod import METRICS_PORT
from portway.targets.kubernetes.service import Service, answering, named
from portway.targets.kubernetes.shapes import Object

_HOW: Final = {"path": "/metrics", "interval": "15s"}
_PORTS: Final = (("metrics", METRICS_PORT), ("engine", ENGINE_PORT))


def objects(service: Service) -> dict[str, Object]:
    """A PodMonitor, which sees pods that no Service leads to; a ServiceMonitor where only that is there."""
    chosen = service.options.monitor
    if chosen is None:
        return {}
    by_pod = is_served(service.options, POD_MONITORS)
    kind, field = (
        ("PodMonitor", "podMetricsEndpoints") if by_pod else ("ServiceMonitor", "endpoints")
    )
    # the Service leads to the runtime only, so that a ServiceMonitor must name the pod's own port
    ports: list[JsonValue] = [
        {**({"port": name} if by_pod else {"targetPort": number}), **_HOW}
        for name, number in _PORTS
    ]
    monitor = named(
        service,
        "monitoring.coreos.com/v1",
        kind,
        more_labels=dict(chosen.labels),
        spec={"selector": {"matchLabels": answering(service)}, field: ports},
    )
    return {"monitor": monitor}
