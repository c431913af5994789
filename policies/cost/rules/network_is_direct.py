"""Nothing is paid for on the way that nothing needs: idle addresses, spare gateways, detours."""

from collections.abc import Iterator
from typing import Final

from portway.gate.absence import cost_absence
from portway.gate.billing import amount
from portway.gate.context import CostContext
from portway.gate.environments import Trial, trial
from portway.gate.judged_cost import judge_family
from portway.gate.links import meant, of_types
from portway.gate.resource import Resource, Stack
from portway.gate.rows import is_refused
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.usage import is_used
from portway.gate.values import Known, Missing, Unknown

_ID: Final = "cost-network-is-direct"
_NAT: Final = "aws:ec2/natGateway:NatGateway"
_EIP: Final = "aws:ec2/eip:Eip"
_SUBNET: Final = ("aws:ec2/subnet:Subnet",)
_ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
_ADDRESSES: Final = ("gcp:compute/address:Address", "gcp:compute/globalAddress:GlobalAddress")
_WRITE_DOWN: Final = frozenset(
    {
        "pulumi:pulumi:Stack", "aws:route53/record:Record", "aws:ssm/parameter:Parameter",
        "gcp:dns/recordSet:RecordSet", "aws:ec2/tag:Tag",
    }
)  # fmt: skip
"""What knows an address and does not use it."""

_GATEWAYS: Final = {".s3": (), ".dynamodb": ("aws:dynamodb/table:Table",)}
"""Services with a gateway endpoint, which costs nothing; needed where the stack holds such a type."""

_BY_TABLE = judge_family("network_cost")


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse addresses that nothing uses, and more gateways than trials need."""
    yield from _BY_TABLE(resource, context, stack)
    if stack is None:
        return
    if resource.type == _ENDPOINT:
        yield from _of_endpoint(resource, context, stack)
    elif resource.type == _EIP or resource.type in _ADDRESSES:
        yield from _of_address(resource, stack)
    elif resource.type == _NAT:
        yield from _of_nat(resource, context, stack)


def _of_address(resource: Resource, stack: Stack) -> Iterator[Violation]:
    view = resource.properties
    if resource.type == _EIP:
        attached = any(
            not isinstance(view.get(path), Missing) for path in ("instance", "networkInterface")
        )
    else:
        kind = view.get("addressType")
        attached = isinstance(kind, Known) and is_refused(kind.value, ("INTERNAL",), ())
        if isinstance(kind, Unknown) and not is_used(resource, stack, _WRITE_DOWN):
            message = f"{resource} may be an address that is billed and nothing uses: {kind.path}"
            way_out = "is known only after deployment; make it a literal"
            yield Violation(f"{message} {way_out}", resource.urn, kind.path, undetermined=True)
            return
    if not attached and not is_used(resource, stack, _WRITE_DOWN):
        message = (
            f"{resource} is a public address that nothing in this stack uses{_cost(resource, stack)}"
            "; attach it, or remove it"
        )
        yield Violation(message, resource.urn, "address")


def _of_nat(resource: Resource, context: CostContext, stack: Stack) -> Iterator[Violation]:
    """Several gateways in one network: high availability, which trials do without."""
    network = _networks(resource, stack)
    same = [one for one in of_types(stack, (_NAT,)) if _networks(one, stack) == network]
    if resource.urn == same[0].urn:
        return
    where = trial(resource, context, stack)
    message = (
        f"{resource} is one of {len(same)} NAT gateways of one network, each billed by the hour"
        f"{_cost(resource, stack)}"
    )
    way_out = "one does where a zone may fail" if where is Trial.NO else "one does for trials"
    advice = where is not Trial.YES
    yield Violation(f"{message}; {way_out}", resource.urn, "subnetId", advice=advice)


def _networks(nat: Resource, stack: Stack) -> frozenset[str]:
    """What is known of the network that ``nat`` is in, by its subnet."""
    found: set[str] = set()
    for subnet in meant(nat, "subnetId", stack, _SUBNET):
        said = subnet.properties.get("vpcId")
        if isinstance(said, Known):
            found.add(str(said.value))
        found |= set((subnet.depends_on or {}).get("vpcId", ()))
    return frozenset(found)


def _of_endpoint(resource: Resource, context: CostContext, stack: Stack) -> Iterator[Violation]:
    zones = len(resource.properties.every("subnetIds[]"))
    if zones > 1 and trial(resource, context, stack) is not Trial.NO:
        message = (
            f"{resource} is billed by the hour in each of {zones} zones (subnetIds); one does for "
            "trials"
        )
        yield Violation(message, resource.urn, "subnetIds", advice=True)


def _lacks(stack: Stack, context: CostContext) -> Iterator[Violation]:
    """Advise endpoints that cost nothing where a gateway is paid for every byte."""
    del context
    nat = next(iter(of_types(stack, (_NAT,))), None)
    if nat is None:
        return
    names = [one.properties.get("serviceName") for one in of_types(stack, (_ENDPOINT,))]
    for service, types in _GATEWAYS.items():
        if types and not of_types(stack, types):
            continue
        if any(isinstance(name, Unknown) or _is_of(service, name) for name in names):
            continue
        message = (
            f"{nat} is paid for each GB, also of what goes to {service.removeprefix('.')}, and this "
            "stack holds no gateway endpoint for it, which costs nothing; add one, or say under "
            "elsewhere where it is"
        )
        yield Violation(message, nat.urn, f"vpcEndpoint{service}", advice=True)


def _is_of(service: str, name: Known | Unknown | Missing) -> bool:
    return isinstance(name, Known) and str(name.value).endswith(service)


def _cost(resource: Resource, stack: Stack) -> str:
    said = amount(resource, stack)
    return f" ({said})" if said else ""


RULE = Rule(
    id=_ID,
    severity=Severity.MEDIUM,
    description="No address is paid for that nothing uses, and no gateway that nothing needs.",
    remediation="Remove idle addresses, keep one NAT gateway in trials, and add gateway endpoints.",
    judge=judge,
    judge_stack=cost_absence(_ID, _lacks),
    controls=(
        "FinOps Framework: Workload Optimization",
        "AWS Well-Architected COST08-BP02",
        "Google Cloud Well-Architected, cost optimization: Optimize resource usage",
    ),
)
