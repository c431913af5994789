"""Whether a range of addresses is the network's own, has been placed, or could be anywhere."""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from portway.gate.context import ResidencyContext
from portway.gate.hosts import is_listed
from portway.residency.boundary import Boundary

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_OWN: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.168.0.0/16", "240.0.0.0/4", "fc00::/7", "fe80::/10", "::1/128",
        ),
    )
)  # fmt: skip
"""Ranges that no router of the internet carries (RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291;
class E, which VPCs use too)."""

_PRIVATE_GOOGLE: Final = tuple(
    map(ipaddress.ip_network, ("199.36.153.4/30", "199.36.153.8/30"))
)  # fmt: skip
"""``restricted.googleapis.com`` and ``private.googleapis.com``, reached inside Google's network;
which service of which region is called there is said by the host's name."""

_WHOLE: Final = {4: 8, 6: 16}
"""A shorter prefix is a part of the internet, and no network of anybody's."""


@dataclass(frozen=True)
class AddressFault:
    """Why a range of addresses is refused; ``what`` is safe to show."""

    what: str
    undetermined: bool = False
    is_wide: bool = False


def address_fault(
    cidr: object, exceptions: Sequence[str], boundary: Boundary, context: ResidencyContext
) -> AddressFault | None:
    """Why ``cidr`` without ``exceptions`` may be outside; None for private and for placed ranges."""
    network = _network(cidr)
    if network is None:
        return AddressFault("a text that is no range of addresses", undetermined=True)
    left = list(_without(network, exceptions))
    if all(_is_own(one) for one in left):
        return None
    if any(one.prefixlen < _WHOLE[one.version] for one in (network, *left)):
        return AddressFault("every address of the internet, or a great part of it", is_wide=True)
    place = _place(network, context)
    if place is not None and boundary.contains(place):
        return None
    if place is not None:
        return AddressFault(f"addresses that configuration places outside the boundary {boundary}")
    if network.num_addresses == 1 and is_listed(str(network.network_address), context.hosts):
        return None
    return AddressFault("public addresses, and nobody has said where they are", undetermined=True)


def _place(network: Network, context: ResidencyContext) -> str | None:
    """Where configuration says that a range is: itself, or one that it lies in."""
    for name, place in context.buckets.items():
        placed = _network(name) if "/" in name or name[:1].isdigit() else None
        if placed is not None and _is_in(network, placed):
            return place
    return None


def _without(network: Network, exceptions: Sequence[str]) -> Iterator[Network]:
    left: list[Network] = [network]
    for text in exceptions:
        hole = _network(text)
        if hole is not None:
            left = [part for one in left for part in _minus(one, hole)]
    yield from left


def _minus(network: Network, hole: Network) -> list[Network]:
    if _is_in(network, hole):
        return []
    if not _is_in(hole, network):
        return [network]
    if isinstance(network, ipaddress.IPv4Network) and isinstance(hole, ipaddress.IPv4Network):
        return list(network.address_exclude(hole))
    if isinstance(network, ipaddress.IPv6Network) and isinstance(hole, ipaddress.IPv6Network):
        return list(network.address_exclude(hole))
    return [network]


def _is_own(network: Network) -> bool:
    return any(_is_in(network, own) for own in (*_OWN, *_PRIVATE_GOOGLE))


def _is_in(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False


def _network(cidr: object) -> Network | None:
    return _parsed(cidr.strip()) if isinstance(cidr, str) else None


@cache
def _parsed(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
