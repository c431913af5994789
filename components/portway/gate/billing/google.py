"""What Google bills of things that are kept in others, or have no region: secrets, keys, rules."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from portway.gate.billing.cannot import CannotPrice
from portway.gate.billing.values import count, in_region, region
from portway.gate.resource import Resource, Stack
from portway.gate.values import Known, Unknown, View, document
from portway.pricing.meter import Fixed, Meter, NoCharge
from portway.pricing.money import HOURS_PER_MONTH, SECONDS_PER_MONTH

ANYWHERE: Final = "global"
_SERVICE: Final = "gcp:cloudrunv2/service:Service"
_REPLICAS: Final = "replication.userManaged.replicas[].location"


def secret_version(
    resource: Resource, stack: Stack | None, given: Mapping[str, Any]
) -> Iterator[Meter]:
    """A version of a secret, in each place that the secret is kept in."""
    holder = _holder(resource, stack, "secret")
    places = [ANYWHERE] if holder is None else list(_kept_in(holder))
    for where in places or [ANYWHERE]:
        yield Fixed(resource.name, "secret version", given["sku"], where, Decimal(1))


def key(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """A key with the versions that a yearly or a quarterly rotation leaves behind."""
    ring = _holder(resource, stack, "keyRing")
    where = ANYWHERE if ring is None else region(ring)
    said = f"{resource.name}: four versions of it exist, and it is used 100,000 times a month"
    yield Fixed(resource.name, "key versions", given["sku"], where, Decimal(4), assumed=said)
    yield Fixed(resource.name, "requests", given["requests"], where, Decimal(10))


def global_rule(
    resource: Resource, stack: Stack | None, given: Mapping[str, Any]
) -> Iterator[Meter]:
    """A forwarding rule of a load balancer that is everywhere."""
    del stack
    if "free" in given:
        yield NoCharge(resource.name, "address", given["free"])
        return
    gib = Decimal(given["gib"])
    yield Fixed(resource.name, "forwarding rule", given["sku"], ANYWHERE, HOURS_PER_MONTH)
    said = f"{resource.name}: {gib} GiB a month pass it"
    yield Fixed(resource.name, "bytes", given["bytes"], ANYWHERE, gib, assumed=said)


def firestore(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """A database: what a meter of ours keeps in it is small; of another use it is assumed."""
    where = region(resource)
    if stack is not None and any(_counts_in(one, resource) for one in stack.resources):
        yield Fixed(resource.name, "storage", given["storage"], where, Decimal("0.001"))
        return
    said = f"{resource.name}: 10 GiB are kept in it, and a million documents written a month"
    yield Fixed(resource.name, "storage", given["storage"], where, Decimal(10), assumed=said)
    yield Fixed(resource.name, "writes", given["writes"], where, Decimal(10))


def alert(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """An alert: each of its conditions, and the series that each reads every minute."""
    del stack
    conditions = Decimal(count(resource, "conditions") or 1)
    yield Fixed(resource.name, "alert condition", given["condition"], ANYWHERE, conditions)
    series = conditions * SECONDS_PER_MONTH / 60 / 1_000_000
    said = "an alert reads one time series every 60 s"
    yield Fixed(resource.name, "alert series", given["series"], ANYWHERE, series, assumed=said)


def _counts_in(service: Resource, database: Resource) -> bool:
    """Whether the runtime of ``service`` counts what it lets through in ``database``."""
    if service.type != _SERVICE:
        return False
    name = database.properties.get("name")
    told = (
        document(one.value)
        for one in service.properties.every("template.containers[].envs[].value")
        if isinstance(one, Known)
    )
    stores = (View(one).get("store.database") for one in told if isinstance(one, Mapping))
    return any(
        isinstance(one, Known) and isinstance(name, Known) and one.value == name.value
        for one in stores
    )


def _kept_in(secret: Resource) -> Iterator[str]:
    for seen in secret.properties.every(_REPLICAS):
        if isinstance(seen, Unknown):
            raise CannotPrice(seen.path, f"{seen.path} is known only after deployment")
        yield in_region(str(seen.value))


def _holder(resource: Resource, stack: Stack | None, path: str) -> Resource | None:
    """What it is kept in, where the stack holds that: by dependency, or by its literal name."""
    if stack is None:
        return None
    for urn in (resource.depends_on or {}).get(path, ()):
        if urn in stack.by_urn:
            return stack.by_urn[urn]
    seen = resource.properties.get(path)
    text = seen.value if isinstance(seen, Known) else None
    wanted = text.rpartition("/")[2] if isinstance(text, str) else ""
    for one in stack.resources if wanted else ():
        for name in ("secretId", "name"):
            own = one.properties.get(name)
            if one.package == "gcp" and isinstance(own, Known) and own.value == wanted:
                return one
    return None
