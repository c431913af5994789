"""No permission reaches further than the boundary, although nothing may use it yet.

Leave to call models of Bedrock is judged by the rule on inference profiles; here is the rest.
"""

import re
from collections.abc import Iterator
from functools import cache

from portway.gate.calls import calls_of
from portway.gate.context import ResidencyContext
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.statements import (
    INFERENCE_ACTIONS,
    Grant,
    Statement,
    fenced,
    leaves,
    statements,
)
from portway.gate.tables import table
from portway.gate.values import Known, Unknown, shown, steps
from portway.residency.boundary import Boundary

_TABLE = "permissions.json"
_ROLE = "aws:iam/role:Role"
_ARN = re.compile(r"(?i)arn:(?P<partition>[^:]*):(?P<service>[^:]*):(?P<region>[^:]*):")
_NARROWS_NOTHING = frozenset({"", "aws:securetransport", "s3:tlsversion", "aws:requestedregion"})
"""Conditions that everybody meets, wherever they are."""
_ANY = ("any:action",)


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse leave to send prompts outside or to use what is there, and leave given to everybody."""
    boundary = context.boundary
    if boundary is None or resource.package != "aws":
        return
    for seen in _documents(resource, "granting"):
        # An unknown document is refused with the models it may name.
        if isinstance(seen, Known):
            yield from _of_grants(resource, seen, boundary, stack)
    for seen in _documents(resource, "guarding"):
        yield from _of_guard(resource, seen, stack)
    if stack is not None:
        yield from _of_role(resource, context, stack)


def _of_grants(
    resource: Resource, seen: Known, boundary: Boundary, stack: Stack | None
) -> Iterator[Violation]:
    kinds = {kind: _actions(kind) for kind in ("models", "services", "copies")}
    judged = (*INFERENCE_ACTIONS, *(action for kind in kinds.values() for action in kind))
    spared = fenced(seen.value, boundary, (*judged, *_ANY))
    for one in leaves(seen.value, boundary):
        allowed = one.allows(judged) - spared
        bedrock = bool(allowed & frozenset(INFERENCE_ACTIONS))
        for grant in one.grants():
            path = f"{seen.path}.{grant.path}"
            region = None if spared & frozenset(_ANY) else _outside(grant, boundary)
            if region is not None and not (bedrock and _is_of_bedrock(grant)):
                why = f"may use something in {shown(region)} ({path}), outside the boundary {boundary}"
                yield _said(resource, f"{why}; name resources inside", path)
            elif not bedrock and not _is_pinned(grant):
                kind = next((kind for kind in kinds if allowed & frozenset(kinds[kind])), None)
                yield from _anywhere(resource, path, kind, grant, stack)


def _anywhere(
    resource: Resource, path: str, kind: str | None, grant: Grant, stack: Stack | None
) -> Iterator[Violation]:
    """What to say of leave for every region: refused for models, else advised, with the stack at hand."""
    if kind == "models":
        where = "every region" if grant.is_known else "a region known only after deployment"
        message = f"may send prompts to models in {where} ({path}); {_HOLD_IT}"
        yield _said(resource, message, path, undetermined=not grant.is_known)
    elif kind is not None and stack is not None and grant.is_known:
        doing = "send texts to services in" if kind == "services" else "make copies in"
        yield _said(resource, f"may {doing} every region ({path}); {_HOLD_IT}", path, advice=True)


def _of_guard(
    resource: Resource, seen: Known | Unknown, stack: Stack | None
) -> Iterator[Violation]:
    """Whom a policy on the resource itself lets in."""
    if isinstance(seen, Unknown):
        if stack is not None and not _is_given_here(resource, seen.path, stack):
            message = f"lets in whom {seen.path} says, which is known only after deployment"
            yield _said(resource, f"{message}; make it a literal", seen.path, undetermined=True)
        return
    for one in statements(seen.value):
        if one.is_denial or not one.is_for_everybody or _narrows(one):
            continue
        path = f"{seen.path}.{one.path}.Principal"
        message = f"lets in everybody, in every account and country ({path})"
        yield _said(resource, f"{message}; name the principals", path)


def _of_role(resource: Resource, context: ResidencyContext, stack: Stack) -> Iterator[Violation]:
    """Advise on what calls Bedrock as a role that this stack does not hold."""
    path: str | None = table(_TABLE)["roles"].get(resource.type)
    if path is None or _is_given_here(resource, path, stack):
        return
    role = resource.properties.get(path)
    if not isinstance(role, Known) or not any(True for _ in calls_of(resource, context)):
        return
    name = str(role.value).rpartition("/")[2]
    roles = (one for one in stack.resources if one.type == _ROLE)
    if not any(one.properties.get("name") == Known("name", name) for one in roles):
        message = f"calls models as a role that is not in this stack ({path}), so that nobody can "
        message += "tell here which others it may call; judge the stack that holds it too"
        yield _said(resource, message, path, advice=True)


def _outside(grant: Grant, boundary: Boundary) -> str | None:
    """The region outside that a pattern names; None for one inside, for all, and for no data."""
    match = _ARN.match(grant.resource or "")
    if match is None or match["service"].lower() in table(_TABLE)["without_data"]:
        return None
    region = match["region"]
    if not region or re.search(r"[*?]", region) or boundary.contains(region):
        return None
    return region


def _is_pinned(grant: Grant) -> bool:
    """Whether a pattern names one region."""
    match = _ARN.match(grant.resource or "")
    return match is not None and bool(match["region"]) and not re.search(r"[*?]", match["region"])


def _is_of_bedrock(grant: Grant) -> bool:
    match = _ARN.match(grant.resource or "")
    return match is not None and match["service"].lower().startswith("bedrock")


def _narrows(one: Statement) -> bool:
    return any(key not in _NARROWS_NOTHING for _, key, _ in one.conditions())


def _is_given_here(resource: Resource, path: str, stack: Stack) -> bool:
    urns = (resource.depends_on or {}).get(str(steps(path)[0]), ())
    return any(urn in stack.by_urn for urn in urns)


def _documents(resource: Resource, kind: str) -> Iterator[Known | Unknown]:
    paths: tuple[str, ...] = tuple(table(_TABLE)[kind].get(resource.type, ()))
    return (seen for path in paths for seen in resource.properties.every(path))


@cache
def _actions(kind: str) -> tuple[str, ...]:
    return tuple(table(_TABLE)[kind])


def _said(
    resource: Resource,
    message: str,
    path: str,
    *,
    undetermined: bool = False,
    advice: bool = False,
) -> Violation:
    return Violation(f"{resource} {message}", resource.urn, path, undetermined, advice)


_HOLD_IT = "name a region inside, or hold the statement to regions by aws:RequestedRegion"

RULE = Rule(
    id="residency-permissions-are-narrow",
    severity=Severity.HIGH,
    description="Permissions reach nothing outside the boundary, and are given to nobody unnamed.",
    remediation="Name resources inside, or hold statements to regions by aws:RequestedRegion.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.5.15",
        "ISO/IEC 27001:2022 A.8.3",
        "NIST SP 800-53 r5 AC-3",
        "NIST SP 800-53 r5 AC-6",
    ),
    judge=judge,
)
