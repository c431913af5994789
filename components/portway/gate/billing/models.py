"""Which model a function may ask, and what a million of its tokens is called in the rates."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from portway.gate.billing.cannot import CannotPrice
from portway.gate.billing.rates import find
from portway.gate.resource import Resource, Stack
from portway.gate.routes import routes
from portway.gate.statements import grants, is_policy
from portway.gate.values import Known
from portway.residency.boundary import Boundary

_NOWHERE: Final = Boundary(("nowhere",), frozenset())
_POLICIES: Final = ("aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy")
_ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"


def token_sku(model: str, direction: str, given: Mapping[str, Any]) -> str:
    """The SKU of a million tokens; geographic profiles have prices of their own."""
    first, _, rest = model.partition(".")
    known = f"regional.{rest}" if first in given["geographies"] else model
    return f"{given['rates']}tokens:{known}:{direction}".lower()


def called(
    resource: Resource, stack: Stack | None, region: str, given: Mapping[str, Any]
) -> str | None:
    """The dearest model that ``resource`` names, or else is allowed; None where it asks none.

    Raises:
        CannotPrice: it may ask any model.
    """
    told = [
        model
        for leaf in resource.properties.leaves("environment.variables")
        if isinstance(leaf, Known) and isinstance(leaf.value, str)
        for model in _models(leaf.value)
    ]
    found = told or list(_allowed(resource, stack))
    if any("*" in one or "?" in one for one in found):
        why = "it may ask any model of Bedrock, and their tokens cost very differently"
        raise CannotPrice("role", f"{why}; name the model in its environment or in its policy")
    if not found:
        return None
    return max(dict.fromkeys(found), key=lambda one: _price(one, region, given))


def _price(model: str, region: str, given: Mapping[str, Any]) -> Decimal:
    """Of output, for a comparison: what has no rate counts as the dearest, so that it is said."""
    rate = find(token_sku(model, "output", given), region)
    return Decimal("Infinity") if rate is None else rate.amount


def _models(text: str) -> Iterator[str]:
    for route in routes(text):
        if route.model is not None:
            yield route.model
        elif "/" in route.name:
            yield route.name.partition("/")[2]


def _allowed(resource: Resource, stack: Stack | None) -> Iterator[str]:
    for document in _documents(resource, stack):
        if is_policy(document):
            for grant in grants(document, _NOWHERE):
                found = list(_models(grant.resource or ""))
                yield from found or ("*",)


def _documents(resource: Resource, stack: Stack | None) -> Iterator[object]:
    """The policies of its role, as far as the stack holds them."""
    roles = set((resource.depends_on or {}).get("role", ()))
    named = _role_name(resource, "role")
    for one in stack.resources if stack else ():
        sources = (one.depends_on or {}).get("role", ())
        is_own = bool(roles & set(sources)) or (named and _role_name(one, "role") == named)
        if one.type == _POLICIES[0] and is_own:
            yield from _texts(one, "policy")
        elif one.type == _ATTACHMENT and is_own and stack is not None:
            for urn in (one.depends_on or {}).get("policyArn", ()):
                if urn in stack.by_urn and stack.by_urn[urn].type == _POLICIES[1]:
                    yield from _texts(stack.by_urn[urn], "policy")
        elif one.urn in roles:
            yield from _texts(one, "inlinePolicies[].policy")


def _texts(resource: Resource, path: str) -> Iterator[object]:
    return (seen.value for seen in resource.properties.every(path) if isinstance(seen, Known))


def _role_name(resource: Resource, path: str) -> str:
    seen = resource.properties.get(path)
    text = seen.value if isinstance(seen, Known) else None
    return text.rpartition("/")[2] if isinstance(text, str) else ""
