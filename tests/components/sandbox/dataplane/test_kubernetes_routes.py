"""Which backend a route gives a request to: by host, path and weight, and only where it may lead."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.dataplane.kubernetes_routes import (
    GRANT,
    POOL,
    ROUTE,
    Asked,
    GatewayName,
    parents,
    pick,
    rule_for,
    service_of,
)
from portway.sandbox.dataplane.world import World
from portway.sandbox.store import Key, Row

Json = dict[str, Any]
SERVICE = "kubernetes:core/v1:Service"


def row(kind: str, name: str, spec: Json, namespace: str = "chat", scope: str = "prod") -> Row:
    obj = {"metadata": {"name": name, "namespace": namespace}, "spec": spec}
    return Row(Key("kubernetes", scope, kind, f"{namespace}/{name}"), "", obj, obj)


def route(name: str = "chat", *rules: Json, hosts: tuple[str, ...] = ()) -> Row:
    edge = {"name": "edge", "namespace": "gateways"}
    return row(ROUTE, name, {"parentRefs": [edge], "hostnames": list(hosts), "rules": list(rules)})


def rule(path: str = "/", kind: str = "PathPrefix", **more: Any) -> Json:
    return {"matches": [{"path": {"type": kind, "value": path}, **more}]}


def chosen(routes: list[Row], host: str = "chat.acme.example", path: str = "/", **more: Any) -> Any:
    found = rule_for(routes, Asked(host, path, **more))
    return None if found is None else (found.route.key.id, found.number)


def world(*rows: Row) -> World:
    return World(rows, Path())


def test_a_gateway_has_the_routes_that_name_it() -> None:
    own = row(ROUTE, "own", {"parentRefs": [{"name": "edge"}]})
    assert parents(world(route(), own)) == {
        GatewayName("prod", "gateways", "edge"): [route()],
        GatewayName("prod", "chat", "edge"): [own],
    }


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("chat.acme.example", "chat/exact"),
        ("other.acme.example", "chat/wild"),
        ("a.b.acme.example", "chat/wild"),
        ("acme.example", "chat/any"),
    ],
)
def test_the_most_specific_host_has_the_request(host: str, name: str) -> None:
    routes = [
        route("any", rule()),
        route("wild", rule(), hosts=("*.acme.example",)),
        route("exact", rule(), hosts=("chat.acme.example",)),
    ]
    assert chosen(routes, host) == (name, 0)


def test_a_host_that_nobody_serves_has_no_route() -> None:
    assert chosen([route("chat", rule(), hosts=("chat.acme.example",))], "evil.example") is None


@pytest.mark.parametrize(
    ("path", "number"),
    [("/v1/models", 3), ("/v1/chat", 2), ("/v1", 2), ("/v10", 1), ("/", 1)],
)
def test_the_longest_path_has_the_request_and_an_exact_one_above_all(
    path: str, number: int
) -> None:
    rules = (rule("/none", "Exact"), rule("/"), rule("/v1"), rule("/v1/models", "Exact"))
    assert chosen([route("chat", *rules)], path=path) == ("chat/chat", number)


def test_method_and_headers_narrow_a_rule() -> None:
    canary = rule(headers=[{"name": "X-Canary", "value": "yes"}])
    routes = [route("chat", rule(), rule(method="POST"), canary)]
    assert chosen(routes, headers={"x-canary": "no"}) == ("chat/chat", 0)
    assert chosen(routes, headers={"x-canary": "yes"}) == ("chat/chat", 2)
    assert chosen(routes, method="POST") == ("chat/chat", 1)


def test_a_rule_without_matches_is_for_everything() -> None:
    assert chosen([route("chat", {})], path="/v1/models") == ("chat/chat", 0)


@pytest.mark.parametrize(
    ("weights", "turns"),
    [((1, 3), {0: 25, 1: 75}), ((0, 1), {1: 100}), ((1, 1, 2), {0: 25, 1: 25, 2: 50})],
)
def test_turns_are_as_weights(weights: tuple[int, ...], turns: dict[int, int]) -> None:
    backends = [{"name": str(number), "weight": each} for number, each in enumerate(weights)]
    owed: dict[int, int] = {}
    found = Counter(backends.index(pick(backends, owed) or {}) for _ in range(100))
    assert found == turns


def test_a_backend_without_a_weight_counts_one_and_nobody_has_a_turn_at_zero() -> None:
    assert pick([{"name": "a"}], {}) == {"name": "a"}
    assert pick([{"name": "a", "weight": 0}], {}) is None
    assert pick([], {}) is None


def test_a_backend_is_a_service_of_the_routes_namespace_and_its_port() -> None:
    chat = row(SERVICE, "chat", {"ports": [{"port": 80}, {"port": 8080}]})
    elsewhere = row(SERVICE, "chat", {"ports": [{"port": 8080}]}, scope="other")
    there = world(elsewhere, chat)
    assert service_of(there, route(), {"name": "chat", "port": 8080}) == (chat, {"port": 8080})
    assert service_of(there, route(), {"name": "chat", "port": 9}) is None
    assert service_of(there, route(), {"name": "gone", "port": 8080}) is None


def test_another_namespace_must_let_the_route_in() -> None:
    far = row(SERVICE, "far", {"ports": [{"port": 80}]}, namespace="far")
    source = {"kind": "HTTPRoute", "group": "gateway.networking.k8s.io", "namespace": "chat"}
    grant = row(GRANT, "grant", {"from": [source]}, namespace="far")
    backend = {"name": "far", "namespace": "far", "port": 80}
    assert service_of(world(far), route(), backend) is None
    assert service_of(world(far, grant), route(), backend) == (far, {"port": 80})


def test_a_pool_is_its_pods_at_its_own_port() -> None:
    spec = {"selector": {"matchLabels": {"app": "chat"}}, "targetPorts": [{"number": 8080}]}
    backend = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "pool"}
    found = service_of(world(row(POOL, "pool", spec)), route(), backend)
    assert found is not None
    service, port = found
    assert service.inputs["spec"]["selector"] == {"app": "chat"}
    assert port == {"port": 8080, "targetPort": 8080}
