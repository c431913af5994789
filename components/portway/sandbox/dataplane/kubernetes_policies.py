"""Which pods NetworkPolicies let talk to which: pure, over what is deployed.

A pod that no policy selects for a direction is open in it; one that is selected talks only as one of
its policies says. Simulated: addresses (every pod counts as 10.0.0.1 for ``ipBlock``), protocols
other than TCP, and name resolution, which no policy hinders here.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from portway.sandbox.dataplane.kubernetes_objects import name_of, namespace_of
from portway.sandbox.dataplane.world import World, child, items, text
from portway.sandbox.store import Json, Row

POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
NAMESPACE = "kubernetes:core/v1:Namespace"
_POD_ADDRESS = ipaddress.ip_address("10.0.0.1")


@dataclass(frozen=True)
class Peer:
    """Pods with these labels in a namespace of a cluster (the kubeconfig context ``scope``)."""

    scope: str
    namespace: str
    labels: Mapping[str, str]


def may_connect(world: World, source: Peer, target: Peer, port: int, port_name: str = "") -> bool:
    """Whether ``source`` may open a TCP connection to ``port`` of ``target``."""
    ways = (
        ("Egress", "egress", "to", source, target),
        ("Ingress", "ingress", "from", target, source),
    )
    for kind, rules, peers, held, other in ways:
        policies = [p for p in _policies(world, held) if kind in _types(p)]
        allowed = any(
            _port_fits(rule, port, port_name) and _peer_fits(world, rule, peers, held, other)
            for policy in policies
            for rule in items(child(policy.inputs, "spec"), rules)
        )
        if policies and not allowed:
            return False
    return True


def _policies(world: World, peer: Peer) -> list[Row]:
    return [
        row for row in world.of(POLICY)
        if row.key.scope == peer.scope
        and namespace_of(row) == peer.namespace
        and selects(child(child(row.inputs, "spec"), "podSelector"), peer.labels)
    ]  # fmt: skip


def _types(policy: Row) -> list[str]:
    spec = child(policy.inputs, "spec")
    declared: list[str] = spec.get("policyTypes") or []
    return declared or ["Ingress", *(["Egress"] if "egress" in spec else [])]


def _port_fits(rule: Json, port: int, name: str) -> bool:
    ports = items(rule, "ports")
    return not ports or any(
        text(each, "protocol") in ("", "TCP")
        and (each.get("port") is None or _within(each, port) or text(each, "port") == name != "")
        for each in ports
    )


def _within(declared: Json, port: int) -> bool:
    least = text(declared, "port")
    most = text(declared, "endPort") or least
    return least.isdigit() and int(least) <= port <= int(most)


def _peer_fits(world: World, rule: Json, field: str, held: Peer, other: Peer) -> bool:
    peers = items(rule, field)
    return not peers or any(_fits(world, each, held, other) for each in peers)


def _fits(world: World, declared: Json, held: Peer, other: Peer) -> bool:
    if "ipBlock" in declared:
        return _in_block(child(declared, "ipBlock"))
    if declared.get("namespaceSelector") is None:
        in_namespace = other.namespace == held.namespace
    else:
        labels = _namespace_labels(world, other)
        in_namespace = selects(child(declared, "namespaceSelector"), labels)
    return in_namespace and selects(child(declared, "podSelector"), other.labels)


def _in_block(block: Json) -> bool:
    excepted: list[str] = block.get("except") or []
    return _covers(text(block, "cidr")) and not any(_covers(each) for each in excepted)


def _covers(cidr: str) -> bool:
    try:
        return _POD_ADDRESS in ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False


def _namespace_labels(world: World, peer: Peer) -> Mapping[str, str]:
    own = {"kubernetes.io/metadata.name": peer.namespace}
    for row in world.of(NAMESPACE):
        if row.key.scope == peer.scope and name_of(row) == peer.namespace:
            return {**child(child(row.inputs, "metadata"), "labels"), **own}
    return own


def selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""
    wanted = child(selector, "matchLabels")
    if not wanted.items() <= dict(labels).items():
        return False
    for each in items(selector, "matchExpressions"):
        value, values = labels.get(text(each, "key")), list[str](each.get("values") or [])
        holds = {
            "In": value is not None and value in values,
            "NotIn": value is None or value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not holds.get(text(each, "operator"), False):
            return False
    return True
