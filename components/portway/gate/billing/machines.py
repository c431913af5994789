"""What is billed of machines: single ones, groups of them, and nodes of clusters."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from portway.gate.billing.cannot import CannotPrice
from portway.gate.billing.limits import most
from portway.gate.billing.rates import find
from portway.gate.billing.values import GIB, known, name, number, region, whole
from portway.gate.counts import Uncounted
from portway.gate.machines import machines_of
from portway.gate.pools import SHAPES, floor, says
from portway.gate.resource import Resource, Stack
from portway.gate.values import Unknown
from portway.pricing.meter import Fixed, Held, Meter, NoCharge, Part
from portway.pricing.money import HOURS_PER_MONTH, SECONDS_PER_MONTH

ON_DEMAND: Final = "on-demand"
SPOT: Final = "spot"
_MONTH: Final = int(SECONDS_PER_MONTH)
_TEMPLATES: Final = ("launchTemplate", "mixedInstancesPolicy", "launchConfiguration")
_GIB: Final = GIB
_EBS: Final = "aws:ebs:"


def ec2_instance(
    resource: Resource, stack: Stack | None, given: Mapping[str, Any]
) -> Iterator[Meter]:
    """One machine of EC2 with its disks."""
    del given
    where = region(resource)
    machine = _machine(resource, stack, where, None)
    yield Fixed(resource.name, "machine", _sku(machine, ON_DEMAND), where, HOURS_PER_MONTH)
    size = number(resource, "rootBlockDevice.volumeSize", Decimal(8))
    kind = name(resource, "rootBlockDevice.volumeType", "gp2")
    said = "" if known(resource, "rootBlockDevice.volumeSize") else "its root disk holds 8 GB"
    yield Fixed(
        resource.name, "root disk", f"{_EBS}{kind}", where, size,
        assumed=f"{resource.name}: {said}" if said else "",
    )  # fmt: skip
    for index, _ in enumerate(resource.properties.every("ebsBlockDevices[]")):
        at = f"ebsBlockDevices[{index}]"
        kind = name(resource, f"{at}.volumeType", "gp2")
        yield Fixed(
            resource.name, "disk", f"{_EBS}{kind}", where, number(resource, f"{at}.volumeSize")
        )
    if str(known(resource, "associatePublicIpAddress")).lower() == "true":
        yield Fixed(resource.name, "public IPv4", "aws:public-ipv4", where, HOURS_PER_MONTH)


def ec2_group(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """An Auto Scaling group or a node group of EKS, at its minimum and at its maximum."""
    where = region(resource)
    machine = _machine(resource, stack, where, given.get("machine"))
    shape = SHAPES[resource.type]
    disk = number(resource, given.get("disk_path", "-"), Decimal(given["disk_gb"]))
    parts = [_node(_sku(machine, ON_DEMAND)), _disk(f"{_EBS}gp2", disk)]
    said = ", counted at the on-demand price, which spot never exceeds"
    yield _pool(
        resource, where, tuple(parts), f"{machine}{said if says(resource, shape.spot) else ''}"
    )


def gce_instance(
    resource: Resource, stack: Stack | None, given: Mapping[str, Any]
) -> Iterator[Meter]:
    """One machine of Compute Engine with its boot disk and address."""
    del stack
    where = region(resource)
    machine = name(resource, "machineType")
    spot = known(resource, "scheduling.provisioningModel") == "SPOT"
    _no_accelerators(resource, "guestAccelerators", machine)
    term = _term(machine, where, spot=spot)
    yield Fixed(resource.name, "machine", _sku(machine, term), where, HOURS_PER_MONTH)
    path = "bootDisk.initializeParams"
    size = number(resource, f"{path}.size", Decimal(given["disk_gib"]))
    sku = _gcp_disk(name(resource, f"{path}.type", "pd-standard"))
    yield Fixed(resource.name, "boot disk", sku, where, size)
    for _ in resource.properties.every("networkInterfaces[].accessConfigs[]"):
        yield Fixed(resource.name, "external IP", "gcp:external-ip", where, HOURS_PER_MONTH)


def gke_pool(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """A node pool of GKE, in all of its zones."""
    del stack
    yield _gke_nodes(resource, "nodeConfig", given)


def gke_cluster(
    resource: Resource, stack: Stack | None, given: Mapping[str, Any]
) -> Iterator[Meter]:
    """The fee of a cluster, and the default pool that is created with it unless it is removed."""
    del stack
    where = region(resource)
    yield Fixed(
        resource.name, "control plane", given["fee"], where, HOURS_PER_MONTH,
        assumed=f"{resource.name}: the credit of an account for one cluster is not counted",
    )  # fmt: skip
    if str(known(resource, "enableAutopilot")).lower() == "true":
        why = "enableAutopilot is set: its pods are billed one by one, and nothing here bounds them"
        raise CannotPrice("enableAutopilot", why)
    if str(known(resource, "removeDefaultNodePool")).lower() == "true":
        why = "removeDefaultNodePool is set: its pools are billed themselves"
        yield NoCharge(resource.name, "nodes", why)
        return
    if next(iter(resource.properties.every("nodePools[]")), None) is not None:
        raise CannotPrice("nodePools", "nodePools are pools within the cluster; use NodePool")
    machine = name(resource, "nodeConfig.machineType", given["machine"])
    _no_accelerators(resource, "nodeConfig.guestAccelerators", machine)
    zones = len(resource.properties.every("nodeLocations[]")) or _zones(resource)
    count = whole(resource, "initialNodeCount", 1) * zones
    disk = number(resource, "nodeConfig.diskSizeGb", Decimal(given["disk_gib"]))
    hours = HOURS_PER_MONTH * count
    yield Fixed(resource.name, "nodes", _sku(machine, ON_DEMAND), where, hours)
    sku = _gcp_disk(name(resource, "nodeConfig.diskType", "pd-balanced"))
    yield Fixed(resource.name, "node disks", sku, where, disk * count)


def _gke_nodes(resource: Resource, body: str, given: Mapping[str, Any]) -> Held:
    where = region(resource)
    machine = name(resource, f"{body}.machineType", given["machine"])
    _no_accelerators(resource, f"{body}.guestAccelerators", machine)
    spot = any(
        str(known(resource, f"{body}.{path}")).lower() == "true" for path in ("spot", "preemptible")
    )
    term = _term(machine, where, spot=spot)
    disk = number(resource, f"{body}.diskSizeGb", Decimal(given["disk_gib"]))
    kind = _gcp_disk(name(resource, f"{body}.diskType", "pd-balanced"))
    parts = (_node(_sku(machine, term)), _disk(kind, disk))
    unread = spot and term == ON_DEMAND
    said = ", counted at the on-demand price: that of spot was not read here" if unread else ""
    return _pool(resource, where, parts, f"{machine}, {term}{said}")


def _pool(resource: Resource, where: str, parts: tuple[Part, ...], machine: str) -> Held:
    least = floor(resource, SHAPES[resource.type])
    if isinstance(least, Uncounted):
        raise CannotPrice(least.path, least.why)
    highest = most(resource)
    fewest = least.machines if highest is None else min(least.machines, highest)
    return held(
        resource.name, where, parts, (fewest, highest), f"{fewest} to {highest} of {machine}"
    )


def held(
    called: str,
    where: str,
    parts: tuple[Part, ...],
    counts: tuple[int, int | None],
    shape: str,
) -> Held:
    """Machines that are billed while they exist; nothing is known of what they answer."""
    least, highest = counts
    return Held(called, where, parts, least, highest, 1, 600, 120, shape=shape)


def _node(sku: str) -> Part:
    return Part("node", sku, Decimal(1), per_seconds=3600)


def _disk(sku: str, size: Decimal) -> Part:
    return Part("node disk", sku, size, per_seconds=_MONTH)


def _sku(machine: str, term: str) -> str:
    return f"node:{machine}:{term}"


def _term(machine: str, where: str, *, spot: bool) -> str:
    """Spot where its price was read; else on demand, which is more."""
    return SPOT if spot and find(_sku(machine, SPOT), where) is not None else ON_DEMAND


def _machine(resource: Resource, stack: Stack | None, where: str, default: str | None) -> str:
    """Its machine type, or the dearest of several; on a template of the stack if not on itself."""
    found = list(_named(machines_of(resource)))
    if not found:
        found = list(_of_template(resource, stack))
    if not found and default is not None:
        found = [default]
    if not found:
        raise CannotPrice("instanceType", "no machine type is named for it in this stack")
    return max(found, key=lambda one: _hourly(one, where))


def _hourly(machine: str, where: str) -> Decimal:
    rate = find(_sku(machine, ON_DEMAND), where)
    return Decimal("Infinity") if rate is None else rate.amount


def _of_template(resource: Resource, stack: Stack | None) -> Iterator[str]:
    for path in _TEMPLATES:
        for urn in (resource.depends_on or {}).get(path, ()):
            if stack is not None and urn in stack.by_urn:
                yield from _named(machines_of(stack.by_urn[urn]))


def _named(seen: Iterable[Any]) -> Iterator[str]:
    for one in seen:
        if isinstance(one, Unknown):
            raise CannotPrice(one.path, f"{one.path} is known only after deployment")
        yield str(one.value).strip().lower().rpartition("/")[2][:60]


def _no_accelerators(resource: Resource, path: str, machine: str) -> None:
    """GPUs that are attached to a machine which brings none have no rate here."""
    attached = resource.properties.every(f"{path}[]")
    if attached and not machine.startswith(("g2-", "g4-", "a2-", "a3-", "a4-")):
        raise CannotPrice(path, f"{path} attaches GPUs, for which no rate is known")


def _gcp_disk(kind: str) -> str:
    """A standard disk is counted as a balanced one, which is dearer."""
    return "gcp:disk:pd-balanced" if kind == "pd-standard" else f"gcp:disk:{kind}"


def _zones(resource: Resource) -> int:
    location = known(resource, "location")
    return 1 if isinstance(location, str) and location.count("-") > 1 else 3
