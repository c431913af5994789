"""What may reach the service, and what its instances send through. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from portway.errors import Problem
from portway.spec import InferenceServiceSpec
from portway.target import Placement
from portway.targets.cloud_run.options import CloudRunOptions, Ingress
from portway.targets.cloud_run.shapes import Interface

INGRESS: Final[dict[Ingress, str]] = {
    "all": "INGRESS_TRAFFIC_ALL",
    "internal": "INGRESS_TRAFFIC_INTERNAL_ONLY",
    "load-balancer": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
}
_EGRESS: Final = {"all": "ALL_TRAFFIC", "private-ranges": "PRIVATE_RANGES_ONLY"}
_NAME: Final = r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?"
_NETWORK: Final = re.compile(rf"(projects/[^/]+/global/networks/)?{_NAME}")
_SUBNETWORK: Final = re.compile(rf"(projects/[^/]+/regions/(?P<region>[^/]+)/subnetworks/)?{_NAME}")
_TAG: Final = re.compile(_NAME)
_HOSTNAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+"
)


def refusals(
    spec: InferenceServiceSpec, placement: Placement, options: CloudRunOptions
) -> Iterator[Problem]:
    """What is wrong with the network, the ingress and the host name."""
    yield from _network_refusals(placement, options)
    yield from _ingress_refusals(spec, options)


def _network_refusals(placement: Placement, options: CloudRunOptions) -> Iterator[Problem]:
    where, given = "placement.options.network", options.network
    if given is None:
        return
    found = _SUBNETWORK.fullmatch(given.subnetwork)
    if found is None:
        yield Problem(
            f"{where}.subnetwork",
            f"is {given.subnetwork!r}; write its name, or "
            "projects/<project>/regions/<region>/subnetworks/<name> for a shared one",
        )
    elif found["region"] not in (None, placement.region):
        yield Problem(
            f"{where}.subnetwork",
            f"is in {found['region']} and the service in {placement.region}; Cloud Run sends through a "
            "subnetwork of its own region only, name one there",
        )
    if given.network is not None and not _NETWORK.fullmatch(given.network):
        yield Problem(
            f"{where}.network",
            f"is {given.network!r}; write its name, or projects/<project>/global/networks/<name>",
        )
    for tag in given.tags:
        if not _TAG.fullmatch(tag):
            yield Problem(
                f"{where}.tags",
                f"has {tag!r}; a network tag has lower-case letters, digits and hyphens, 63 at most, and "
                "begins with a letter",
            )


def _ingress_refusals(spec: InferenceServiceSpec, options: CloudRunOptions) -> Iterator[Problem]:
    where, reach, given = "placement.options.ingress", spec.access.reach, options.ingress
    if reach == "private" and given == "all":
        yield Problem(
            where,
            "is 'all', and access.reach is private; remove it, or set access.reach: public",
        )
    if reach == "public" and given == "internal":
        yield Problem(
            where,
            "is 'internal', and access.reach is public; remove it, or set access.reach: private",
        )
    name = "placement.options.hostname"
    if given == "load-balancer" and options.hostname is None:
        yield Problem(
            name,
            "is not set, and with ingress: load-balancer the service's own URL does not answer; name the "
            "host of the load balancer that leads here",
        )
    if options.hostname is not None and given != "load-balancer":
        yield Problem(
            name, "is set without ingress: load-balancer; add that, or remove the host name"
        )
    if options.hostname is not None and not _HOSTNAME.fullmatch(options.hostname):
        yield Problem(name, f"is {options.hostname!r}; write a DNS name such as chat.acme.example")


def ingress(spec: InferenceServiceSpec, options: CloudRunOptions) -> str:
    """What may reach the service, in Cloud Run's words."""
    asked: Ingress = "all" if spec.access.reach == "public" else "internal"
    return INGRESS[options.ingress or asked]


def interfaces(options: CloudRunOptions) -> tuple[Interface, ...]:
    """What the instances send through; none without a network."""
    given = options.network
    if given is None:
        return ()
    return (
        Interface(
            network=given.network,
            subnetwork=given.subnetwork,
            tags=given.tags,
            egress=_EGRESS[given.egress],
        ),
    )


def notes(options: CloudRunOptions) -> Iterator[str]:
    """What the network's owner has to see to, because no plan can."""
    given = options.network
    if given is None:
        return
    yield (
        f"the subnetwork {given.subnetwork} needs a range of /26 or larger with two free addresses for "
        "each instance; Google keeps them for one to two hours after the service is destroyed, and the "
        "subnetwork cannot be deleted meanwhile"
    )
    if given.egress != "all":
        return
    yield (
        f"everything that leaves an instance goes through {given.subnetwork}: switch Private Google "
        "Access on there, or neither secrets nor buckets can be read"
    )
