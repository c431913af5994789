"""How requests get to the pods, and what may get out of them. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from pydantic import JsonValue

from portway.targets.kubernetes import weights
from portway.targets.kubernetes.engine import ENGINE_PORT
from portway.targets.kubernetes.meter import reach
from portway.targets.kubernetes.pod import METRICS_PORT
from portway.targets.kubernetes.runtime_container import RUNTIME_PORT
from portway.targets.kubernetes.service import Service, answering, named, selector
from portway.targets.kubernetes.shapes import Object

DNS_PORT: Final = 53
NODE_LOCAL_DNS: Final = "169.254.20.10/32"
INTERCEPTOR: Final = "keda-add-ons-http-interceptor-proxy"
"""The Service of KEDA's HTTP add-on that requests must pass."""


def is_balanced(service: Service) -> bool:
    """Whether a load balancer is made: clients come from outside and nothing stands in front."""
    in_front = service.uses_keda or service.options.gateway is not None
    return service.spec.access.reach == "public" and not in_front


def load_balanced(service: Service) -> Object:
    """The Service, with a load balancer where it needs one."""
    public = is_balanced(service)
    return named(
        service,
        "v1",
        "Service",
        annotations=_balancer(service) if public else None,
        spec={
            "type": "LoadBalancer" if public else "ClusterIP",
            "selector": answering(service),
            "ports": [
                {
                    "name": "http",
                    "port": RUNTIME_PORT,
                    "targetPort": "http",
                    "protocol": "TCP",
                    "appProtocol": "http",
                }
            ],
        },
    )


def _balancer(service: Service) -> Object:
    """What the cloud's load balancer needs to know; every value is text."""
    if service.flavour == "gke":
        return {"cloud.google.com/l4-rbs": "enabled"}
    if service.flavour == "eks":
        prefix = "service.beta.kubernetes.io/aws-load-balancer"
        idle = service.spec.timeout_seconds + 60
        return {
            f"{prefix}-type": "nlb",
            f"{prefix}-scheme": "internet-facing",
            # An answer that does not stream is silent until it is whole; 350 s without this.
            f"{prefix}-listener-attributes.TCP-{RUNTIME_PORT}": f"tcp.idle_timeout.seconds={idle}",
        }
    return {}


def default_deny(service: Service) -> Object:
    """Nothing in the namespace talks to anybody unless another policy says so."""
    name = service.names.physical("default-deny")
    rule: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return named(service, "networking.k8s.io/v1", "NetworkPolicy", name=name, spec=rule)


def traffic(service: Service) -> Object:
    """In: requests. Out: names, the meter, and weights from where they are; nothing else."""
    out: list[JsonValue] = [
        names(),
        *reach(service),
        *weights.egress(service),
        *_collector(service),
        *_group(service, "to"),
    ]
    return policy(service, list(_ingress(service)), out)


def policy(service: Service, ingress: list[JsonValue], egress: list[JsonValue]) -> Object:
    """Lets the pods of ``service`` talk by these rules and by no others."""
    return named(
        service,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec={
            "podSelector": {"matchLabels": selector(service)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    )


def loader_traffic(service: Service) -> dict[str, Object]:
    """What the Job that fills the disk with weights may reach; nothing where there is none."""
    if service.options.weights_volume is None:
        return {}
    policy = named(
        service,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        name=service.weights,
        spec={
            "podSelector": {"matchLabels": weights.loader_labels(service)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": [names(), weights.source(service)],
        },
    )
    return {"weights-traffic": policy}


def names() -> Object:
    """The rule that lets a pod resolve names."""
    ports: list[JsonValue] = [{"protocol": p, "port": DNS_PORT} for p in ("UDP", "TCP")]
    dns: list[JsonValue] = [
        {**in_namespace("kube-system"), "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}},
        {"ipBlock": {"cidr": NODE_LOCAL_DNS}},
    ]
    return {"to": dns, "ports": ports}


def _ingress(service: Service) -> Iterator[JsonValue]:
    options = service.options
    yield {**callers(service), "ports": tcp(RUNTIME_PORT)}
    if options.inference_pool is not None:
        picker: Object = {"podSelector": {"matchLabels": {"app": options.inference_pool.picker}}}
        yield {"from": [picker], "ports": tcp(RUNTIME_PORT, ENGINE_PORT)}
    if options.monitor is not None:
        reader = in_namespace(options.monitor.namespace)
        yield {"from": [reader], "ports": tcp(METRICS_PORT, ENGINE_PORT)}
    yield from _group(service, "from")


def _group(service: Service, side: str) -> list[JsonValue]:
    """The nodes of one replica talk on ports that they choose themselves."""
    peer: Object = {"podSelector": {"matchLabels": selector(service)}}
    return [{side: [peer]}] if service.is_group else []


def _collector(service: Service) -> list[JsonValue]:
    """The collector's namespace, where traces are sent."""
    if service.options.otlp is None:
        return []
    url = urlsplit(service.options.otlp)
    namespace = (url.hostname or "").split(".")[1]
    return [{"to": [in_namespace(namespace)], "ports": tcp(url.port or 4317)}]


def callers(service: Service) -> Mapping[str, JsonValue]:
    """Who may reach the pods; a load balancer's requests come from its nodes, so from anywhere."""
    gateway = service.options.gateway
    if service.uses_keda:
        return {"from": [in_namespace(service.options.keda_namespace)]}
    if gateway is not None:
        # GKE's gateways are outside the cluster, and speak to pods from addresses of the network
        if service.flavour == "gke":
            return {}
        return {"from": [in_namespace(gateway.proxies_in or gateway.namespace)]}
    if service.spec.access.reach == "private":
        return {"from": [{"namespaceSelector": {}}]}
    return {}


def in_namespace(name: str) -> Object:
    """The pods of one namespace, as a policy selects them."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def tcp(*numbers: int) -> list[JsonValue]:
    """Ports as a policy lists them."""
    return [{"protocol": "TCP", "port": number} for number in numbers]


def proxy(service: Service) -> Object:
    """A name in the service's own namespace that leads to the interceptor."""
    there = f"{INTERCEPTOR}.{service.options.keda_namespace}"
    return named(
        service,
        "v1",
        "Service",
        name=f"{service.name}-proxy",
        spec={
            "type": "ExternalName",
            "externalName": f"{there}.svc.cluster.local",
            "ports": [{"name": "http", "port": RUNTIME_PORT, "protocol": "TCP"}],
        },
    )


def public_name(service: Service) -> str | None:
    """The name that clients from outside call by https; None where there is none."""
    gateway = service.options.gateway
    return service.options.hostname if gateway is None else gateway.host


def hosts(service: Service) -> tuple[str, ...]:
    """The Host headers by which KEDA's interceptor knows the service, the one to use first."""
    public = public_name(service)
    if public is not None:
        return (public,)
    proxy = f"{service.name}-proxy"
    inside = f"{proxy}.{service.namespace}"
    return (f"{inside}.svc.cluster.local", f"{inside}.svc", inside, proxy)


def endpoint(service: Service) -> str | None:
    """The URL that clients use, where it does not wait for a load balancer."""
    public = public_name(service)
    if public is not None:
        return f"https://{public}"
    if service.uses_keda:
        return f"http://{hosts(service)[0]}:{RUNTIME_PORT}"
    if service.spec.access.reach == "private":
        return f"http://{service.name}.{service.namespace}.svc.cluster.local:{RUNTIME_PORT}"
    return None
