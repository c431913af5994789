"""How requests get to the pods, and what may get out of them. Pure."""

from typing import Final
from urllib.parse import urlsplit

from pydantic import JsonValue

from portway.targets.kubernetes.meter import reach
from portway.targets.kubernetes.pod import RUNTIME_PORT
from portway.targets.kubernetes.service import Service, named, selector
from portway.targets.kubernetes.shapes import Object

DNS_PORT: Final = 53
HTTP_PORT: Final = 80
HTTPS_PORT: Final = 443

PRIVATE_NETWORKS: Final = (
    "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
)  # fmt: skip
"""What a pod never needs to reach: other workloads, and the cloud's metadata server (RFC 1918,
RFC 6598, RFC 3927)."""

NODE_LOCAL_DNS: Final = "169.254.20.10/32"


def load_balanced(service: Service) -> Object:
    """The Service; a load balancer when clients come from outside and nothing stands in front."""
    public = service.spec.access.reach == "public" and not service.uses_keda
    return named(
        service,
        "v1",
        "Service",
        annotations=_balancer(service) if public else None,
        spec={
            "type": "LoadBalancer" if public else "ClusterIP",
            "selector": selector(service),
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
    dns_ports: list[JsonValue] = [{"protocol": p, "port": DNS_PORT} for p in ("UDP", "TCP")]
    dns: list[JsonValue] = [
        {**_in_namespace("kube-system"), "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}},
        {"ipBlock": {"cidr": NODE_LOCAL_DNS}},
    ]
    return named(
        service,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec={
            "podSelector": {"matchLabels": selector(service)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    **_callers(service),
                    "ports": [{"protocol": "TCP", "port": RUNTIME_PORT}],
                }
            ],
            "egress": [
                {"to": dns, "ports": dns_ports},
                *reach(service),
                _weights(service),
            ],
        },
    )


def _weights(service: Service) -> Object:
    """The mirror's addresses; without a mirror the public internet, where the hub's may change."""
    mirror = service.options.weights_mirror
    if mirror is None:
        hub: Object = {"cidr": "0.0.0.0/0", "except": list(PRIVATE_NETWORKS)}
        peers: list[JsonValue] = [{"ipBlock": hub}]
        port = HTTPS_PORT
    else:
        url = urlsplit(mirror)
        peers = [{"ipBlock": {"cidr": one}} for one in service.options.weights_networks]
        port = url.port or (HTTPS_PORT if url.scheme == "https" else HTTP_PORT)
    return {"to": peers, "ports": [{"protocol": "TCP", "port": port}]}


def _callers(service: Service) -> Object:
    """Who may reach the pods; a load balancer's requests come from its nodes, so from anywhere."""
    if service.uses_keda:
        return {"from": [_in_namespace(service.options.keda_namespace)]}
    if service.spec.access.reach == "private":
        return {"from": [{"namespaceSelector": {}}]}
    return {}


def _in_namespace(name: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def proxy(service: Service) -> Object:
    """A name in the service's own namespace that leads to the interceptor."""
    interceptor = f"keda-add-ons-http-interceptor-proxy.{service.options.keda_namespace}"
    return named(
        service,
        "v1",
        "Service",
        name=f"{service.name}-proxy",
        spec={
            "type": "ExternalName",
            "externalName": f"{interceptor}.svc.cluster.local",
            "ports": [{"name": "http", "port": RUNTIME_PORT, "protocol": "TCP"}],
        },
    )


def hosts(service: Service) -> tuple[str, ...]:
    """The Host headers by which KEDA's interceptor knows the service, the one to use first."""
    if service.options.hostname is not None:
        return (service.options.hostname,)
    proxy = f"{service.name}-proxy"
    inside = f"{proxy}.{service.namespace}"
    return (f"{inside}.svc.cluster.local", f"{inside}.svc", inside, proxy)


def endpoint(service: Service) -> str | None:
    """The URL that clients use, where it does not wait for a load balancer."""
    if service.uses_keda and service.options.hostname:
        return f"https://{service.options.hostname}"
    if service.uses_keda:
        return f"http://{hosts(service)[0]}:{RUNTIME_PORT}"
    if service.spec.access.reach == "private":
        return f"http://{service.name}.{service.namespace}.svc.cluster.local:{RUNTIME_PORT}"
    return None
