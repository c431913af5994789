"""What a cluster's Prometheus tells of the service, where the cluster has one. Pure."""

from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from portway.targets.kubernetes.meter import meter_of
from portway.targets.kubernetes.service import Service, labels, named
from portway.targets.kubernetes.shapes import Object

AT_MAXIMUM: Final = "30m"
UNAVAILABLE: Final = "15m"
"""Long enough for a new node and the load of a model."""

METER_UNAVAILABLE: Final = "5m"


def alerts(service: Service) -> dict[str, Object]:
    """The rules, over the metrics of kube-state-metrics; none where the cluster has no operator."""
    chosen = service.options.prometheus_rules
    if chosen is None:
        return {}
    group: Object = {"name": service.name, "rules": list(_rules(service))}
    found = named(service, "monitoring.coreos.com/v1", "PrometheusRule", spec={"groups": [group]})
    metadata: Object = {
        "name": service.name,
        "namespace": service.namespace,
        "labels": {**labels(service), **chosen},
    }
    return {"alerts": {**found, "metadata": metadata}}


def _rules(service: Service) -> Iterator[JsonValue]:
    wanted, there = _wanted_and_there(service)
    yield _rule(
        "PortwayUnavailable",
        f"{wanted} > 0 and {there} == 0",
        UNAVAILABLE,
        "critical",
        f"no pod of {service.name} serves",
    )
    scaling = service.spec.scaling
    if scaling.max > scaling.min:
        yield _rule(
            "PortwayAtMaximum",
            f"{wanted} >= {scaling.max}",
            AT_MAXIMUM,
            "warning",
            f"{service.name} has run all {scaling.max} pods for half an hour",
        )
    if meter_of(service) is not None:
        yield _rule(
            "PortwayMeterUnavailable",
            f"{_series('status_replicas_available', service, service.meter)} == 0",
            METER_UNAVAILABLE,
            "critical",
            f"nothing counts the requests of {service.name}",
        )


def _rule(name: str, expression: str, lasting: str, severity: str, summary: str) -> Object:
    return {
        "alert": name,
        "expr": expression,
        "for": lasting,
        "labels": {"severity": severity},
        "annotations": {"summary": summary},
    }


def _wanted_and_there(service: Service) -> tuple[str, str]:
    """Replicas asked for and serving; the leaders of groups are one StatefulSet of the group's name."""
    if not service.is_group:
        name = service.name
        return (
            _series("spec_replicas", service, name),
            _series("status_replicas_available", service, name),
        )
    whose = f'{{namespace="{service.namespace}",statefulset="{service.name}"}}'
    return f"kube_statefulset_replicas{whose}", f"kube_statefulset_status_replicas_ready{whose}"


def _series(metric: str, service: Service, deployment: str) -> str:
    return f'kube_deployment_{metric}{{namespace="{service.namespace}",deployment="{deployment}"}}'
