"""Who says how many pods there are, where that is not the plan. Pure."""

from typing import Final

from portway.targets.kubernetes.network import hosts, proxy
from portway.targets.kubernetes.pod import RUNTIME_PORT
from portway.targets.kubernetes.service import Service, named, target
from portway.targets.kubernetes.shapes import Object

SCALE_DOWN_SECONDS: Final = 600
"""Loading a model again is dearer than ten idle minutes."""

BUSY_CPU_PERCENT: Final = 60


def autoscaler(service: Service) -> Object:
    """Between ``min`` and ``max`` by the CPU of the runtime's container, which every cluster meters."""
    metric: Object = {
        "type": "ContainerResource",
        "containerResource": {
            "name": "cpu",
            "container": "runtime",
            "target": {"type": "Utilization", "averageUtilization": BUSY_CPU_PERCENT},
        },
    }
    behavior: Object = {
        "scaleUp": {
            "stabilizationWindowSeconds": 30,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": SCALE_DOWN_SECONDS,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 300}],
        },
    }
    return named(
        service,
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        spec={
            "scaleTargetRef": target(service),
            "minReplicas": service.spec.scaling.min,
            "maxReplicas": service.spec.scaling.max,
            "metrics": [metric],
            "behavior": behavior,
        },
    )


def keda(service: Service) -> dict[str, Object]:
    """KEDA's two objects, and inside the cluster a name that leads to the interceptor."""
    options, scaling = service.options, service.spec.scaling
    waited: Object = {"pulumi.com/waitFor": "condition=Ready"}
    route = named(
        service,
        "http.keda.sh/v1beta1",
        "InterceptorRoute",
        annotations=waited,
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
    scaler = named(
        service,
        "keda.sh/v1alpha1",
        "ScaledObject",
        annotations=waited,
        spec={
            "scaleTargetRef": target(service),
            "pollingInterval": 15,
            "cooldownPeriod": SCALE_DOWN_SECONDS,
            # without it KEDA counts from 0, whatever was asked
            "minReplicaCount": scaling.min,
            "maxReplicaCount": scaling.max,
            "triggers": [trigger],
        },
    )
    found = {"route": route, "scaler": scaler}
    return found if service.options.hostname else {**found, "proxy": proxy(service)}
