"""What network policies let pods reach, and which pods they are about.

Read are Kubernetes' own NetworkPolicy, and those of Calico, Cilium, GKE and the network policy
working group. Policies add up: what one of them opens, no other one closes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from portway.gate.addresses import address_fault
from portway.gate.context import ResidencyContext
from portway.gate.hosts import host_problem
from portway.gate.policy_pods import ADMIN, CILIUM, OWN, specs
from portway.gate.values import UNKNOWN
from portway.gate.workloads import (
    Block,
    Manifest,
    blocks_in,
    child,
    listed,
    mapping,
    plain,
    unknown_items,
)
from portway.residency.boundary import Boundary

_WORLD: Final = frozenset({"all", "world", "world-ipv4", "world-ipv6"})
_PRIVATE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
_DNS: Final = frozenset({"53", "dns", "dns-tcp", "domain", "5353"})
_CALICO_TO: Final = ("nets", "selector", "namespaceSelector", "services", "domains", "serviceAccounts")  # fmt: skip


@dataclass(frozen=True)
class Opening:
    """A way out of the cluster that names no place inside.

    Attributes:
        what: what it lets pods do, for a message.
        is_wide: it is to everywhere, rather than to something in particular.
        is_web: it is to everywhere public, over TLS only, and to nothing private: as narrow as a
            policy by addresses can be for a host whose addresses change.
    """

    path: str
    what: str
    undetermined: bool = False
    is_wide: bool = False
    is_web: bool = False


@dataclass(frozen=True)
class Judged:
    """What openings are judged with."""

    boundary: Boundary
    context: ResidencyContext


def governs_egress(manifest: Manifest) -> bool:
    """Whether the pods that a policy selects can surely reach no more than policies say."""
    return any(_governs(manifest, spec, if_unknown=False) for spec in specs(manifest))


def openings(manifest: Manifest, judged: Judged) -> Iterator[Opening]:
    """Every way out that a policy opens and that names no place inside the boundary."""
    spec_of = child(manifest.root, "spec")
    if plain(manifest.root.value.get("spec")) is UNKNOWN:
        yield Opening(spec_of.path, _LATER, undetermined=True)
    for spec in specs(manifest):
        if not _governs(manifest, spec, if_unknown=True):
            continue
        if plain(spec.value.get("egress")) is UNKNOWN:
            yield Opening(spec.at("egress"), _LATER, undetermined=True)
        for index, rule in enumerate(listed(spec.value.get("egress"))):
            path = f"{spec.at('egress')}[{index}]"
            if rule is UNKNOWN:
                yield Opening(path, _LATER, undetermined=True)
            else:
                yield from _of_rule(manifest, Block(path, mapping(rule)), judged)


def _of_rule(manifest: Manifest, rule: Block, judged: Judged) -> Iterator[Opening]:
    if manifest.kind in CILIUM:
        yield from _cilium(rule, judged)
    elif manifest.kind == "FQDNNetworkPolicy":
        for match in blocks_in(rule.value.get("matches"), rule.at("matches")):
            for name in ("name", "pattern"):
                yield from _hosts(match, name, judged)
    elif "projectcalico" in manifest.group:
        yield from _calico(rule, judged)
    elif manifest.kind in ADMIN:
        yield from _admin(rule, judged)
    else:
        yield from _kubernetes(rule, judged)


def _kubernetes(rule: Block, judged: Judged) -> Iterator[Opening]:
    to = plain(rule.value.get("to"))
    if _is_dns(rule.value.get("ports"), "port"):
        return
    if to is UNKNOWN:
        yield Opening(rule.at("to"), _LATER, undetermined=True)
    elif not listed(to):
        yield Opening(rule.path, _ANYWHERE, is_wide=True)
    for index, given in enumerate(listed(to) if to is not UNKNOWN else []):
        peer = Block(f"{rule.at('to')}[{index}]", mapping(given))
        block = child(peer, "ipBlock")
        if given is UNKNOWN or plain(peer.value.get("ipBlock")) is UNKNOWN:
            yield Opening(peer.path, _LATER, undetermined=True)
        elif block.value:
            is_web = _is_web(rule.value.get("ports"), block.value.get("except"))
            for one in _range(block, "cidr", block.value.get("except"), judged):
                yield replace(one, is_web=one.is_wide and is_web)
        elif not peer.value:
            yield Opening(peer.path, _ANYWHERE, is_wide=True)


def _cilium(rule: Block, judged: Judged) -> Iterator[Opening]:
    reached = [name for name in rule.value if name.startswith("to") and name != "toPorts"]
    ports = [port for one in blocks_in(rule.value.get("toPorts"), "") for port in listed(one.value.get("ports"))]  # fmt: skip
    if _is_dns(ports, "port"):
        return
    if not reached and "toPorts" in rule.value:
        yield Opening(rule.path, _ANYWHERE, is_wide=True)
    for name in reached:
        if plain(rule.value[name]) is UNKNOWN:
            yield Opening(rule.at(name), _LATER, undetermined=True)
    for index, entity in enumerate(listed(rule.value.get("toEntities"))):
        if entity is UNKNOWN or entity in _WORLD:
            yield Opening(f"{rule.at('toEntities')}[{index}]", _ANYWHERE, is_wide=True)
    yield from _ranges(rule, "toCIDR", judged)
    for block in blocks_in(rule.value.get("toCIDRSet"), rule.at("toCIDRSet")):
        yield from _range(block, "cidr", block.value.get("except"), judged)
    for match in blocks_in(rule.value.get("toFQDNs"), rule.at("toFQDNs")):
        for name in ("matchName", "matchPattern"):
            yield from _hosts(match, name, judged)


def _calico(rule: Block, judged: Judged) -> Iterator[Opening]:
    if plain(rule.value.get("action")) in ("Deny", "Log", "Pass"):
        return
    to = child(rule, "destination")
    if plain(rule.value.get("destination")) is UNKNOWN:
        yield Opening(to.path, _LATER, undetermined=True)
    elif _is_dns(to.value.get("ports"), ""):
        return
    elif not any(name in to.value for name in _CALICO_TO):
        yield Opening(rule.path, _ANYWHERE, is_wide=True)
    yield from _ranges(to, "nets", judged, to.value.get("notNets"))
    yield from _hosts(to, "domains", judged)


def _admin(rule: Block, judged: Judged) -> Iterator[Opening]:
    if plain(rule.value.get("action")) in ("Deny", "Pass"):
        return
    if plain(rule.value.get("to")) is UNKNOWN:
        yield Opening(rule.at("to"), _LATER, undetermined=True)
    for unknown in unknown_items(rule.value.get("to"), rule.at("to")):
        yield Opening(unknown, _LATER, undetermined=True)
    for peer in blocks_in(rule.value.get("to"), rule.at("to")):
        yield from _ranges(peer, "networks", judged)
        yield from _hosts(peer, "domainNames", judged)


def _ranges(holder: Block, name: str, judged: Judged, but: object = None) -> Iterator[Opening]:
    for index, value in enumerate(listed(holder.value.get(name))):
        yield from _of_range(value, but, f"{holder.at(name)}[{index}]", judged)


def _range(block: Block, name: str, but: object, judged: Judged) -> Iterator[Opening]:
    yield from _of_range(plain(block.value.get(name)), but, block.at(name), judged)


def _of_range(value: object, but: object, path: str, judged: Judged) -> Iterator[Opening]:
    if value is UNKNOWN:
        yield Opening(path, _LATER, undetermined=True)
        return
    exceptions = [one for one in listed(but) if isinstance(one, str)]
    fault = address_fault(value, exceptions, judged.boundary, judged.context)
    if fault is not None:
        what = f"lets pods reach {fault.what}"
        yield Opening(path, what, fault.undetermined, is_wide=fault.is_wide)


def _hosts(holder: Block, name: str, judged: Judged) -> Iterator[Opening]:
    """Hosts by name, or by a pattern of names."""
    given = listed(holder.value.get(name))
    for index, value in enumerate(given):
        path = f"{holder.at(name)}[{index}]" if len(given) > 1 else holder.at(name)
        if not isinstance(value, str):
            yield Opening(path, _LATER, undetermined=True)
        elif not value.strip("*."):
            yield Opening(path, _ANYWHERE, is_wide=True)
        else:
            # A pattern is judged by a name that it allows; one that is listed itself is fine.
            hosts = judged.context.hosts
            name_allowed = value.replace("*", "any")
            problem = host_problem(name_allowed, judged.boundary, hosts)
            if problem is not None and value.lower() not in hosts:
                what = f"lets pods reach {problem.given}: {problem.why}"
                yield Opening(path, what, problem.undetermined)


def _is_web(ports: object, but: object) -> bool:
    """Whether a rule is about TLS only, and leaves every private range out."""
    given = [mapping(one) for one in listed(ports)]
    is_tls = [
        str(plain(one.get("port"))) in ("443", "https")
        and plain(one.get("protocol")) in (None, "TCP")
        and "endPort" not in one
        for one in given
    ]
    return bool(given) and all(is_tls) and set(_PRIVATE) <= set(map(str, listed(but)))


def _is_dns(ports: object, name: str) -> bool:
    """Whether a rule is about the port of DNS only: it lets names out, to be answered."""
    given = listed(ports)
    numbers = [plain(mapping(one).get(name)) if name else one for one in given]
    spans = any("endPort" in mapping(one) for one in given)
    return bool(given) and not spans and all(str(number) in _DNS for number in numbers)


def _governs(manifest: Manifest, spec: Block, *, if_unknown: bool) -> bool:
    if manifest.kind in CILIUM:
        denies = mapping(spec.value.get("enableDefaultDeny")).get("egress")
        return denies is not False and ("egress" in spec.value or "egressDeny" in spec.value)
    types = plain(spec.value.get("policyTypes" if manifest.group in OWN else "types"))
    if types is None or manifest.kind in ADMIN or manifest.kind == "FQDNNetworkPolicy":
        return spec.value.get("egress") is not None
    if types is UNKNOWN or UNKNOWN in listed(types):
        return if_unknown or "Egress" in listed(types)
    return "Egress" in listed(types)


_LATER = "lets pods reach what is known only after deployment"
_ANYWHERE = "lets pods reach every address of the internet"
