"""Deciding a request by IAM policies, as AWS documents its evaluation: pure, without a cloud.

Known condition operators are the string, ARN, ``Bool`` and ``Null`` ones, with ``IfExists`` and the set
qualifiers. One that is not known, or a policy variable, never grants: an ``Allow`` that has it does
not apply, a ``Deny`` that has it does.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, cast

Document = Mapping[str, Any]


class Decision(Enum):
    """The outcome; only ``ALLOWED`` lets a request through."""

    ALLOWED = "allowed"
    IMPLICIT_DENY = "no policy allows it"
    EXPLICIT_DENY = "a policy denies it"


@dataclass(frozen=True)
class Request:
    """One action on one resource.

    Attributes:
        context: condition keys, such as ``aws:RequestedRegion``; their names are not case-sensitive.
    """

    action: str
    resource: str
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict[str, Any])


def evaluate(policies: Iterable[Document], request: Request) -> Decision:
    """Decide ``request`` by identity-based ``policies``: a denial wins, and silence denies."""
    decision = Decision.IMPLICIT_DENY
    for statement in (s for policy in policies for s in _listed(policy.get("Statement"))):
        effect = statement.get("Effect")
        if not _covers(statement, request):
            continue
        holds = _conditions_hold(statement.get("Condition") or {}, request)
        if effect == "Deny" and holds is not False:
            return Decision.EXPLICIT_DENY
        if effect == "Allow" and holds:
            decision = Decision.ALLOWED
    return decision


def matches(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Whether ``value`` fits ``pattern``, in which ``*`` is any text and ``?`` one character."""
    return _compiled(pattern, ignore_case).fullmatch(value) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:  # noqa: FBT001 - a cache key
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(c, re.escape(c)) for c in pattern)
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _covers(statement: Document, request: Request) -> bool:
    actions, not_actions = statement.get("Action"), statement.get("NotAction")
    if actions is not None:
        acts = any(matches(str(a), request.action, ignore_case=True) for a in _listed(actions))
    elif not_actions is not None:
        acts = not any(
            matches(str(a), request.action, ignore_case=True) for a in _listed(not_actions)
        )
    else:
        return False
    resources, not_resources = statement.get("Resource"), statement.get("NotResource")
    if resources is not None:
        return acts and any(matches(str(r), request.resource) for r in _listed(resources))
    if not_resources is not None:
        return acts and not any(matches(str(r), request.resource) for r in _listed(not_resources))
    return False


def _conditions_hold(conditions: Mapping[str, Mapping[str, Any]], request: Request) -> bool | None:
    """True, False, or None when one of them is not known here."""
    context = {key.lower(): _texts(value) for key, value in request.context.items()}
    unknown = False
    for operator, keys in conditions.items():
        for key, wanted in keys.items():
            holds = _holds(operator, context.get(key.lower()), _texts(wanted))
            if holds is False:
                return False
            unknown = unknown or holds is None
    return None if unknown else True


def _equal(pattern: str, value: str) -> bool:
    return pattern == value


def _equal_ignoring_case(pattern: str, value: str) -> bool:
    return pattern.lower() == value.lower()


def _like(pattern: str, value: str) -> bool:
    return matches(pattern, value)


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": _equal,
    "StringEqualsIgnoreCase": _equal_ignoring_case,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": _equal_ignoring_case,
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}


def _holds(operator: str, values: list[str] | None, wanted: list[str]) -> bool | None:
    qualifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name == "Null":
        return (values is None) == (wanted[:1] == ["true"])
    positive = _NEGATED.get(name, name)
    test = _OPERATORS.get(positive)
    if test is None or any("${" in each for each in wanted):
        return None
    if values is None:
        return if_exists or positive != name or qualifier == "ForAllValues"
    found = [any(test(pattern, value) for pattern in wanted) for value in values]
    if positive != name:
        found = [not each for each in found]
    return (
        any(found)
        if qualifier == "ForAnyValue" or (positive == name and not qualifier)
        else all(found)
    )


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - JSON: one, or a list of them
    if value is None:
        return []
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - JSON: one, or a list of them
    values = list(cast("Sequence[Any]", value)) if isinstance(value, list | tuple) else [value]
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in values]
