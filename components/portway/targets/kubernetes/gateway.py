"""The way in through a Gateway of the cluster, and what spreads requests behind it. Pure."""

from typing import Final

from pydantic import JsonValue

from portway.targets.kubernetes.network import INTERCEPTOR
from portway.targets.kubernetes.runtime_container import RUNTIME_PORT
from portway.targets.kubernetes.service import Service, answering, named
from portway.targets.kubernetes.shapes import Object

POOL_GROUP: Final = "inference.networking.k8s.io"
ROUTE_GROUP: Final = "gateway.networking.k8s.io"
READY_PATH: Final = "/readyz"


def objects(service: Service) -> dict[str, Object]:
    """Route, pool and what they need, by role; none without a Gateway."""
    if service.options.gateway is None:
        return {}
    pool = {"pool": _pool(service)} if service.options.inference_pool is not None else {}
    grant = {"grant": _grant(service)} if service.uses_keda else {}
    # the route leads to what is behind it, which must be there first
    return {**pool, **grant, **_of_gke(service), "http-route": _route(service)}


def _route(service: Service) -> Object:
    gateway = service.options.gateway
    assert gateway is not None
    parent: Object = {"name": gateway.name, "namespace": gateway.namespace}
    rule: Object = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [{**_backend(service), "weight": 1}],
    }
    if service.flavour != "gke":
        # An answer that streams may take as long as the service allows; the runtime ends it.
        rule["timeouts"] = {"request": "0s"}
    return named(
        service,
        f"{ROUTE_GROUP}/v1",
        "HTTPRoute",
        spec={"parentRefs": [parent], "hostnames": [gateway.host], "rules": [rule]},
    )


def _backend(service: Service) -> Object:
    if service.uses_keda:
        there = service.options.keda_namespace
        return {"name": INTERCEPTOR, "namespace": there, "port": RUNTIME_PORT}
    if service.options.inference_pool is not None:
        return {"group": POOL_GROUP, "kind": "InferencePool", "name": service.name}
    return {"name": service.name, "port": RUNTIME_PORT}


def _pool(service: Service) -> Object:
    chosen = service.options.inference_pool
    assert chosen is not None
    mode = "FailOpen" if chosen.when_picker_is_away == "allow" else "FailClose"
    picker: Object = {"name": chosen.picker, "port": {"number": chosen.port}, "failureMode": mode}
    return named(
        service,
        f"{POOL_GROUP}/v1",
        "InferencePool",
        spec={
            "selector": {"matchLabels": answering(service)},
            "targetPorts": [{"number": RUNTIME_PORT}],
            "endpointPickerRef": picker,
        },
    )


def _grant(service: Service) -> Object:
    """KEDA's namespace lets this service's route lead to its interceptor."""
    found = named(
        service,
        f"{ROUTE_GROUP}/v1beta1",
        "ReferenceGrant",
        spec={
            "from": [{"group": ROUTE_GROUP, "kind": "HTTPRoute", "namespace": service.namespace}],
            "to": [{"group": "", "kind": "Service", "name": INTERCEPTOR}],
        },
    )
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    return {**found, "metadata": {**metadata, "namespace": service.options.keda_namespace}}


def _of_gke(service: Service) -> dict[str, Object]:
    """Google's balancers ask ``/`` whether a pod is well, and give an answer 30 s, unless told."""
    if service.flavour != "gke" or service.uses_keda:
        return {}
    behind: Object = {"group": "", "kind": "Service", "name": service.name}
    if service.options.inference_pool is not None:
        behind = {"group": POOL_GROUP, "kind": "InferencePool", "name": service.name}
    probe: Object = {"port": RUNTIME_PORT, "requestPath": READY_PATH}
    check: Object = {
        "checkIntervalSec": 10,
        "timeoutSec": 5,
        "healthyThreshold": 1,
        "unhealthyThreshold": 2,
        "config": {"type": "HTTP", "httpHealthCheck": probe},
    }
    settings: dict[str, JsonValue] = {"timeoutSec": service.spec.timeout_seconds + 10}
    group = "networking.gke.io/v1"
    return {
        "health-check": named(
            service, group, "HealthCheckPolicy", spec={"default": check, "targetRef": behind}
        ),
        "backend-policy": named(
            service, group, "GCPBackendPolicy", spec={"default": settings, "targetRef": behind}
        ),
    }
