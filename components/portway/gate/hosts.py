"""Where a host is, by its name: a cloud's endpoint names its region, and nobody else's does."""

import ipaddress
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from portway.residency.boundary import Boundary
from portway.residency.tables import table

_HOST = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:[^@/\s]*@)?(?P<host>\[[0-9a-f:.]+\]|[^/:?#\s]+)", re.I
)
_REGION = r"[a-z]{2,}(?:-[a-z]+)+-?\d{1,2}"
_CLOUD = re.compile(
    rf"(?:[\w-]+\.)*?(?:"
    rf"(?P<dotted>{_REGION})\.(?:[\w-]+\.)*(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws|on\.aws|rep\.googleapis\.com|run\.app)"
    rf"|(?P<dashed>{_REGION})-[a-z]+\.(?:googleapis\.com|pkg\.dev)"
    rf"|(?P<function>{_REGION})-[a-z][a-z0-9-]*\.cloudfunctions\.net"
    rf"|(?:[\w-]+\.)+(?P<short>[a-z]{{2,4}}\d)\.cache\.amazonaws\.com"
    rf"|[\w-]+\.s3-(?P<old>{_REGION})\.amazonaws\.com)"
)
_GOOGLE = re.compile(r"[a-z]+\.googleapis\.com")
_IN_PATH = re.compile(r"/(?:locations|regions|zones)/(?P<place>[A-Za-z0-9-]+)")
_WITHIN = re.compile(
    r"localhost|(?:[\w-]+\.)+(?:svc(?:\.cluster\.local)?|cluster\.local|local|internal|localhost)|[\w-]+"
)
"""Names that only the machine, the cluster or the network itself resolves."""


@dataclass(frozen=True)
class HostProblem:
    """Why a host may be outside; ``given`` is safe to show."""

    given: str
    why: str
    do: str
    undetermined: bool = False


def host_of(text: str) -> str | None:
    """The host name in a URL, or in a bare ``host:port``, lower case; None where there is none."""
    match = _HOST.match(text.strip())
    return match["host"].lower().strip("[]").rstrip(".") if match else None


def region_of_host(host: str) -> str | None:
    """The region that a cloud's host name says; None for every other name."""
    match = _CLOUD.fullmatch(host)
    if match is None:
        return None
    if match["short"]:
        short: dict[str, str] = table("places.json")["zone_ids"]
        return short.get(match["short"])
    return match["dotted"] or match["dashed"] or match["function"] or match["old"]


def region_of_call(host: str, text: str) -> str | None:
    """The region in which what ``text`` calls at ``host`` is: Google's hosts may leave it to the path."""
    region = region_of_host(host)
    if region is None and _GOOGLE.fullmatch(host):
        path = _IN_PATH.search(text)
        region = path["place"].lower() if path else None
    return region


def host_problem(text: str, boundary: Boundary, hosts: tuple[str, ...]) -> HostProblem | None:
    """Why the host in ``text`` is refused; None for one that is inside, listed, or not outside at all."""
    host = host_of(text)
    if host is None:
        return HostProblem("a text", "it names no host", "write a URL", undetermined=True)
    if is_listed(host, hosts) or is_within(host):
        return None
    region = region_of_call(host, text)
    if region is None:
        do = "list it under hosts in the configuration if data may go there"
        return HostProblem(
            "a host", "its name says no region, and nobody has listed it", do, undetermined=True
        )
    if boundary.contains(region):
        return None
    why = f"outside the boundary {boundary}"
    return HostProblem(f"a host in {region}", why, "call one inside it")


def is_listed(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether configuration lets services call ``host``."""
    return any(fnmatchcase(host, pattern.lower()) for pattern in hosts)


def is_within(host: str) -> bool:
    """Whether ``host`` is the machine itself, a name of the cluster, or a private address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _WITHIN.fullmatch(host) is not None
    return address.is_private or address.is_loopback or address.is_link_local
