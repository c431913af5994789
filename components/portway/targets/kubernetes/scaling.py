"""Who says how many pods there are, where that is not the plan. Pure."""

from typing import Final

from pydantic import JsonValue

from portway.targets.kubernetes.choices import AutoscaleOption
from portway.targets.kubernetes.network import hosts, proxy, public_name
from portway.targets.kubernetes.runtime_container import RUNTIME_PORT
from portway.targets.kubernetes.service import Service, named, target
from portway.targets.kubernetes.shapes import Object

SCALE_DOWN_SECONDS: Final = 600
"""Loading a model again is dearer than ten idle minutes."""

BUSY_CPU_PERCENT: Final = 60
RUNNING: Final = "vllm:num_requests_running"
WAITING: Final = "vllm:num_requests_waiting"
CACHE: Final = "vllm:kv_cache_usage_perc"
"""vLLM's own metrics: requests in work, requests without room, and the share of the KV cache in use."""


def objects(service: Service) -> dict[str, Object]:
    """What scales the workload; nothing where ``min`` is ``max``."""
    if service.uses_keda:
        return _woken(service)
    if not service.is_autoscaled:
        return {}
    chosen = service.options.autoscale
    if chosen is not None and chosen.by == "keda":
        return {"scaler": _scaled_object(service, _triggers(service, chosen))}
    return {"autoscaler": autoscaler(service)}


def autoscaler(service: Service) -> Object:
    """By vLLM's metrics where an adapter serves them, else by the CPU that every cluster meters."""
    chosen = service.options.autoscale
    return named(
        service,
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        spec={
            "scaleTargetRef": target(service),
            "minReplicas": service.spec.scaling.min,
            "maxReplicas": service.spec.scaling.max,
            "metrics": _by_cpu() if chosen is None else _by_pods(service, chosen),
            "behavior": _behavior(),
        },
    )


def _behavior() -> Object:
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": 30,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": SCALE_DOWN_SECONDS,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 300}],
        },
    }


def _by_cpu() -> list[JsonValue]:
    aim: Object = {"type": "Utilization", "averageUtilization": BUSY_CPU_PERCENT}
    source: Object = {"name": "cpu", "container": "runtime", "target": aim}
    return [{"type": "ContainerResource", "containerResource": source}]


def _by_pods(service: Service, chosen: AutoscaleOption) -> list[JsonValue]:
    """Averages over the pods; the one that asks for the most pods counts."""
    aims = (
        (RUNNING, str(busy_requests(service, chosen))),
        (WAITING, str(chosen.waiting)),
        (CACHE, f"{chosen.cache_percent * 10}m"),
    )
    return [
        {
            "type": "Pods",
            "pods": {
                "metric": {"name": _adapted(service, name)},
                "target": {"type": "AverageValue", "averageValue": aim},
            },
        }
        for name, aim in aims
    ]


def _adapted(service: Service, metric: str) -> str:
    """What the adapter calls it: Google's keeps the whole name, Prometheus' takes no colon."""
    if service.flavour == "gke":
        return f"prometheus.googleapis.com|{metric}|gauge"
    return metric.replace(":", "_")


def busy_requests(service: Service, chosen: AutoscaleOption) -> int:
    """Requests in work that each pod should have on average, at least one."""
    return max(service.spec.scaling.concurrency * chosen.busy_percent // 100, 1)


def _triggers(service: Service, chosen: AutoscaleOption) -> list[JsonValue]:
    """What KEDA asks Prometheus; the metrics of this service alone."""
    here = f'{{namespace="{service.namespace}",model_name="{service.model.id}"}}'
    asked = (
        ("running", f"sum({RUNNING}{here})", busy_requests(service, chosen), "AverageValue"),
        ("waiting", f"sum({WAITING}{here})", chosen.waiting, "AverageValue"),
        ("cache", f"100*avg({CACHE}{here})", chosen.cache_percent, "Value"),
    )
    return [
        {
            "type": "prometheus",
            "name": name,
            "metricType": how,
            "metadata": {
                "serverAddress": str(chosen.prometheus),
                "query": query,
                "threshold": str(threshold),
            },
        }
        for name, query, threshold, how in asked
    ]


def _scaled_object(service: Service, triggers: list[JsonValue]) -> Object:
    scaling = service.spec.scaling
    return named(
        service,
        "keda.sh/v1alpha1",
        "ScaledObject",
        annotations={"pulumi.com/waitFor": "condition=Ready"},
        spec={
            "scaleTargetRef": target(service),
            "pollingInterval": 15,
            "cooldownPeriod": SCALE_DOWN_SECONDS,
            # without it KEDA counts from 0, whatever was asked
            "minReplicaCount": scaling.min,
            "maxReplicaCount": scaling.max,
            **_advanced(service),
            "triggers": triggers,
        },
    )


def _advanced(service: Service) -> Object:
    """KEDA makes an autoscaler of its own, which would let go of pods sooner."""
    if service.options.autoscale is None:
        return {}
    return {"advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior()}}}


def _woken(service: Service) -> dict[str, Object]:
    """KEDA's two objects, and inside the cluster a name that leads to the interceptor."""
    options, scaling = service.options, service.spec.scaling
    route = named(
        service,
        "http.keda.sh/v1beta1",
        "InterceptorRoute",
        annotations={"pulumi.com/waitFor": "condition=Ready"},
        spec={
            "target": {"service": service.name, "port": RUNTIME_PORT},
            "rules": [{"hosts": list(hosts(service))}],
            "scalingMetric": {"concurrency": {"targetValue": scaling.concurrency}},
            "timeouts": {
                "readiness": f"{service.ready_within_seconds}s",
                "responseHeader": f"{service.spec.timeout_seconds + 10}s",
                "request": "0s",
            },
        },
    )
    trigger: Object = {
        "type": "external-push",
        "metadata": {
            "scalerAddress": f"keda-add-ons-http-external-scaler.{options.keda_namespace}:9090",
            "interceptorRoute": service.name,
        },
    }
    chosen = options.autoscale
    beside = [] if chosen is None else _triggers(service, chosen)
    found = {"route": route, "scaler": _scaled_object(service, [trigger, *beside])}
    return found if public_name(service) else {**found, "proxy": proxy(service)}
