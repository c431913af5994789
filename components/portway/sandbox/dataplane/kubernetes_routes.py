"""Which backend an HTTPRoute gives a request to: pure, over what is deployed.

Simulated: filters are not carried out (a rule that has some answers 500, as one that a gateway does not
support must), matches are of path, method and exact headers, and nobody asks an InferencePool's picker.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from portway.sandbox.dataplane.kubernetes_objects import SERVICE, name_of, namespace_of
from portway.sandbox.dataplane.world import World, child, items, text
from portway.sandbox.store import Json, Key, Row

ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
GRANT = "kubernetes:gateway.networking.k8s.io/v1beta1:ReferenceGrant"
POOL = "kubernetes:inference.networking.k8s.io/v1:InferencePool"
POOL_GROUP = "inference.networking.k8s.io"


@dataclass(frozen=True)
class GatewayName:
    """One Gateway of a cluster (the kubeconfig context ``scope``)."""

    scope: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """How the store keeps its port."""
        return f"gateway:{self.scope}/{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Asked:
    """What of a request routes look at; ``headers`` by names in lower case."""

    host: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Chosen:
    """The rule that a request falls under, and where to count what it was given; ``route`` has it."""

    route: Row
    rule: Json
    number: int


def parents(world: World) -> dict[GatewayName, list[Row]]:
    """The Gateways that routes name, with their routes."""
    found: dict[GatewayName, list[Row]] = {}
    for route in world.of(ROUTE):
        for parent in items(child(route.inputs, "spec"), "parentRefs"):
            namespace = text(parent, "namespace") or namespace_of(route)
            name = GatewayName(route.key.scope, namespace, text(parent, "name"))
            found.setdefault(name, []).append(route)
    return found


def rule_for(routes: Sequence[Row], asked: Asked) -> Chosen | None:
    """The most specific rule: by host, then path, then method and headers; the oldest of equals."""
    best: tuple[tuple[int, ...], Chosen] | None = None
    for route in routes:
        spec = child(route.inputs, "spec")
        host = max((_host_fits(each, asked.host) for each in _hosts(spec)), default=0)
        if not host:
            continue
        for number, rule in enumerate(items(spec, "rules")):
            for match in items(rule, "matches") or [{}]:
                fit = _fits(match, asked)
                rank = (host, *fit) if fit else None
                if rank and (best is None or rank > best[0]):
                    best = rank, Chosen(route, rule, number)
    return None if best is None else best[1]


def _hosts(spec: Json) -> list[str]:
    named: list[str] = spec.get("hostnames") or []
    return named or [""]


def _host_fits(declared: str, host: str) -> int:
    """How well: 0 not at all, 1 any host, then by length; an exact one above all wildcards."""
    if not declared:
        return 1
    if declared.startswith("*."):
        return 1 + len(declared) if host.endswith(declared[1:]) else 0
    return 1000 + len(declared) if host == declared else 0


def _fits(match: Json, asked: Asked) -> tuple[int, ...] | None:
    path = child(match, "path")
    wanted, kind = text(path, "value") or "/", text(path, "type") or "PathPrefix"
    whole = kind == "Exact"
    under = asked.path == wanted or asked.path.startswith(wanted.rstrip("/") + "/")
    method = text(match, "method")
    headers = {text(each, "name").lower(): text(each, "value") for each in items(match, "headers")}
    fits = (
        (asked.path == wanted if whole else under and kind == "PathPrefix")
        and method in ("", asked.method)
        and all(asked.headers.get(name) == value for name, value in headers.items())
        and not items(match, "queryParams")
    )
    return (int(whole), len(wanted), int(bool(method)), len(headers)) if fits else None


def pick(backends: Sequence[Json], owed: dict[int, int]) -> Json | None:
    """The backend whose turn it is, so that turns are as weights; None where all weights are 0.

    ``owed`` is kept between turns (smooth weighted round-robin).
    """
    weights = [int(each.get("weight", 1)) for each in backends]
    if not sum(weights):
        return None
    for index, weight in enumerate(weights):
        owed[index] = owed.get(index, 0) + weight
    # one that has no weight has no turn, whatever it was owed before
    turn = max((i for i, weight in enumerate(weights) if weight), key=lambda i: owed[i])
    owed[turn] -= sum(weights)
    return backends[turn]


def service_of(world: World, route: Row, backend: Json) -> tuple[Row, Json] | None:
    """The Service and its port that a backend leads to; None where there is none or it may not lead there."""
    namespace = text(backend, "namespace") or namespace_of(route)
    if namespace != namespace_of(route) and not _granted(world, route, namespace):
        return None
    is_pool = text(backend, "group") == POOL_GROUP
    for row in world.of(POOL if is_pool else SERVICE):
        there = (row.key.scope, namespace_of(row), name_of(row))
        if there != (route.key.scope, namespace, text(backend, "name")):
            continue
        service = _as_service(row) if is_pool else row
        for port in items(child(service.inputs, "spec"), "ports"):
            if is_pool or int(port.get("port") or 0) == int(backend.get("port") or 0):
                return service, port
    return None


def _granted(world: World, route: Row, namespace: str) -> bool:
    return any(
        (text(source, "kind"), text(source, "namespace")) == ("HTTPRoute", namespace_of(route))
        for grant in world.of(GRANT)
        if (grant.key.scope, namespace_of(grant)) == (route.key.scope, namespace)
        for source in items(child(grant.inputs, "spec"), "from")
    )


def _as_service(pool: Row) -> Row:
    """An InferencePool as a Service of the same pods."""
    spec = child(pool.inputs, "spec")
    ports = [
        {"port": each["number"], "targetPort": each["number"]}
        for each in items(spec, "targetPorts")
    ]
    selector = child(child(spec, "selector"), "matchLabels")
    seen = {**pool.inputs, "spec": {"selector": selector, "ports": ports[:1]}}
    key = Key(pool.key.cloud, pool.key.scope, SERVICE, pool.key.id)
    return Row(key, pool.urn, seen, seen, pool.generation)


def hosts(routes: Sequence[Row]) -> Iterator[str]:
    """Every name that a Gateway's routes serve."""
    for route in routes:
        yield from (each or "any host" for each in _hosts(child(route.inputs, "spec")))
