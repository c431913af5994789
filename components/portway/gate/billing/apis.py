"""What is billed of the way in to a function: a REST API, a firewall before it, its dashboard."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from portway.gate.billing.values import region
from portway.gate.resource import Resource, Stack
from portway.gate.values import Known
from portway.pricing.meter import Fixed, Meter, NoCharge, PerUse

_FUNCTION: Final = "aws:lambda/function:Function"
_INTEGRATION: Final = "aws:apigateway/integration:Integration"
_API: Final = "aws:apigateway/restApi:RestApi"
_STAGE: Final = "aws:apigateway/stage:Stage"
_ACL: Final = "aws:wafv2/webAcl:WebAcl"
_ASSOCIATION: Final = "aws:wafv2/webAclAssociation:WebAclAssociation"
_OURS: Final = "environment.variables.PORTWAY_UPSTREAM"
_MILLION: Final = Decimal(1_000_000)


def of_function(
    resource: Resource,
    stack: Stack | None,
    where: str,
    at_once: int | None,
    given: Mapping[str, Any],
) -> Iterator[Meter]:
    """Requests that pass an API, and a firewall, on their way to a function of ours."""
    apis = fronts(resource, stack)
    rates = given["rates"]
    for api in apis if is_ours(resource) else ():
        yield PerUse(
            resource.name, "API requests", f"{rates}api-requests", where, 1 / _MILLION, at_once,
            assumed="an answer is shorter than 10 MB, so that it is one request",
        )  # fmt: skip
        for _ in _walls(api, stack):
            sku = f"{rates}acl-requests"
            yield PerUse(resource.name, "firewall", sku, where, 1 / _MILLION, at_once)


def rest_api(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """Nothing for the way in to a function of ours, which brings its requests; else no meters."""
    del given
    for one in _of(stack, _FUNCTION):
        if is_ours(one) and resource in fronts(one, stack):
            yield NoCharge(resource.name, "API", "billed with the function's requests")
            return


def web_acl(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """The firewall and its rules; its requests too, unless a function of ours brings them."""
    where, rates = region(resource), given["rates"]
    rules = sum(1 for _ in resource.properties.every("rules[].name"))
    yield Fixed(resource.name, "web ACL", f"{rates}acl", where, Decimal(1))
    if rules:
        yield Fixed(resource.name, "rule", f"{rates}acl-rule", where, Decimal(rules))
    ours = [one for one in _of(stack, _FUNCTION) if is_ours(one)]
    if not any(resource in _walls(api, stack) for one in ours for api in fronts(one, stack)):
        yield Fixed(
            resource.name, "requests", f"{rates}acl-requests", where, Decimal(1),
            assumed="a million requests a month",
        )  # fmt: skip


def dashboard(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """A dashboard, and the metrics that a function of ours writes for it."""
    where, rates = region(resource), given["rates"]
    free = Decimal(given["free_dashboards"])
    sku = f"{rates}dashboard"
    yield Fixed(resource.name, "dashboard", sku, where, Decimal(1), free_units=free)
    told = "environment.variables.PORTWAY_METRICS"
    if any(is_ours(one) and one.properties.every(told) for one in _of(stack, _FUNCTION)):
        yield Fixed(
            resource.name, "metrics", f"{rates}metric", where, Decimal(given["series"]),
            free_units=Decimal(given["free_series"]),
            assumed=f"the runtime writes {given['series']} metrics: four of the model, and eight of "
            "errors",
        )  # fmt: skip


def is_ours(function: Resource) -> bool:
    """Whether a function runs our runtime."""
    return isinstance(function.properties.get(_OURS), Known)


def fronts(function: Resource, stack: Stack | None) -> list[Resource]:
    """The REST APIs of ``stack`` that lead to ``function``."""
    leading = [one for one in _of(stack, _INTEGRATION) if _leads(one, function)]
    return [api for api in _of(stack, _API) if any(_names(one, "restApi", api) for one in leading)]


def _leads(integration: Resource, function: Resource) -> bool:
    if function.urn in (integration.depends_on or {}).get("uri", ()):
        return True
    uri, name = integration.properties.get("uri"), function.properties.get("name")
    if not (isinstance(uri, Known) and isinstance(name, Known)):
        return False
    return f":function:{name.value}" in str(uri.value)


def _walls(api: Resource, stack: Stack | None) -> list[Resource]:
    stages = [one for one in _of(stack, _STAGE) if _names(one, "restApi", api)]
    before = [
        one
        for one in _of(stack, _ASSOCIATION)
        if any(_names(one, "resourceArn", stage) for stage in stages)
    ]
    return [acl for acl in _of(stack, _ACL) if any(_names(one, "webAclArn", acl) for one in before)]


def _names(one: Resource, path: str, other: Resource) -> bool:
    return other.urn in (one.depends_on or {}).get(path, ())


def _of(stack: Stack | None, token: str) -> list[Resource]:
    return [one for one in (stack.resources if stack else ()) if one.type == token]
