"""As much of AWS's policy evaluation as the guardrails use; what it does not know, it refuses to guess."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, cast

_STATEMENT = {"Sid", "Effect", "Action", "NotAction", "Resource", "Condition"}


@dataclass(frozen=True)
class Request:
    """One authorisation: an action on a resource, with the condition keys that the call carries."""

    action: str
    resource: str = "*"
    keys: Mapping[str, str] = field(default_factory=dict[str, str])


def decision(policies: Sequence[Mapping[str, Any]], request: Request) -> str:
    """``Deny``, ``Allow``, or "" where no statement speaks of it."""
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in policy["Statement"]
        if _speaks_of(statement, request)
    }
    return "Deny" if "Deny" in effects else "Allow" if "Allow" in effects else ""


def _speaks_of(statement: Mapping[str, Any], request: Request) -> bool:
    assert set(statement) <= _STATEMENT
    assert ("Action" in statement) != ("NotAction" in statement)
    action = request.action.lower()
    named = [one.lower() for one in _listed(statement.get("Action", statement.get("NotAction")))]
    is_named = any(fnmatchcase(action, pattern) for pattern in named)
    if is_named != ("Action" in statement):
        return False
    if not any(fnmatchcase(request.resource, one) for one in _listed(statement["Resource"])):
        return False
    keys = {key.lower(): value for key, value in request.keys.items()}
    return all(
        _holds(operator, keys.get(key.lower()), _listed(values))
        for operator, by_key in statement.get("Condition", {}).items()
        for key, values in by_key.items()
    )


def _holds(operator: str, given: str | None, values: list[str]) -> bool:
    """A negated operator holds where the key is absent; any other does not."""
    match operator:
        case "Null":
            return (given is None) == (values == ["true"])
        case "StringEquals":
            return given in values
        case "StringNotEquals":
            return given not in values
        case "ArnLike":
            return given is not None and any(_arn_like(given, value) for value in values)
        case "ArnNotLike":
            return given is None or not any(_arn_like(given, value) for value in values)
        case _:
            raise AssertionError(f"the simulator does not know {operator}")


def _arn_like(arn: str, pattern: str) -> bool:
    """Each of the six parts by itself: a star never reaches over a colon of the first five."""
    parts, wanted = arn.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _listed(value: Any) -> list[str]:
    return cast("list[str]", value) if isinstance(value, list) else [str(value)]
