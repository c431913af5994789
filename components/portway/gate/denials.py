"""IAM and organisation policies that forbid: whether one keeps every global profile from being called."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, cast

from portway.gate.values import document
from portway.residency.boundary import Boundary

UNSPECIFIED = "unspecified"
"""What ``aws:RequestedRegion`` says of a call that a global profile routes."""
_REGION = "aws:requestedregion"
_PROFILE = "bedrock:inferenceprofilearn"
_PRINCIPAL = "aws:principalarn"
_GLOBAL_PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/global.any.model-v1:0"
_GLOBAL_MODEL = "arn:aws:bedrock:::foundation-model/any.model-v1:0"
_UNREADABLE = ("", "", list[str]())
"""A condition that nobody can say the meaning of: it holds for nothing and spares nobody."""
_INVOKE = ("bedrock:invokemodel", "bedrock:invokemodelwithresponsestream")


def denies_global(value: object, boundary: Boundary) -> bool:
    """Whether a policy document forbids, for everybody but named principals, calls of global profiles."""
    plain = document(value)
    if not isinstance(plain, Mapping):
        return False
    statements = _listed(cast("Mapping[str, Any]", plain).get("Statement"))
    return any(
        _denies(cast("Mapping[str, Any]", one), boundary)
        for one in statements
        if isinstance(one, Mapping)
    )


def _denies(statement: Mapping[str, Any], boundary: Boundary) -> bool:
    if statement.get("Effect") != "Deny" or not _covers_inference(statement):
        return False
    resources = [str(one) for one in _listed(statement.get("Resource"))]
    conditions = list(_conditions(statement.get("Condition")))
    named = any(
        fnmatchcase(arn, one) for one in resources for arn in (_GLOBAL_PROFILE, _GLOBAL_MODEL)
    )
    others = [one for one in conditions if not _spares_somebody(*one)]
    return named and all(_holds_for_global(*one, boundary) for one in others)


def _covers_inference(statement: Mapping[str, Any]) -> bool:
    if "Action" in statement:
        patterns = [str(one).lower() for one in _listed(statement["Action"])]
        return all(any(fnmatchcase(one, pattern) for pattern in patterns) for one in _INVOKE)
    spared = [str(one).lower() for one in _listed(statement.get("NotAction"))]
    has_any = "NotAction" in statement
    return has_any and not any(fnmatchcase(one, pattern) for one in _INVOKE for pattern in spared)


def _spares_somebody(operator: str, key: str, values: list[str]) -> bool:
    """A way in for named principals in an emergency."""
    del values
    return key == _PRINCIPAL and operator.startswith(("arnnot", "stringnot"))


def _holds_for_global(operator: str, key: str, values: list[str], boundary: Boundary) -> bool:
    """Whether a condition is true of a call by way of a global profile."""
    if key == _REGION and operator in ("stringequals", "stringequalsignorecase", "stringlike"):
        return any(fnmatchcase(UNSPECIFIED, value) for value in values)
    if key == _REGION and operator in ("stringnotequals", "stringnotequalsignorecase"):
        return boundary.contains_all(values)
    if key == _PROFILE and operator in ("arnlike", "arnequals", "stringlike"):
        return any(fnmatchcase(_GLOBAL_PROFILE, value) for value in values)
    if key == _PROFILE and operator in ("arnnotlike", "arnnotequals", "stringnotlike"):
        return bool(values) and not any(fnmatchcase(_GLOBAL_PROFILE, value) for value in values)
    return operator == "null" and key == _PROFILE and values == ["false"]


def _conditions(condition: object) -> Iterator[tuple[str, str, list[str]]]:
    if condition is None:
        return
    if not isinstance(condition, Mapping):
        yield _UNREADABLE
        return
    for operator, keys in cast("Mapping[str, Any]", condition).items():
        if not isinstance(keys, Mapping):
            yield _UNREADABLE
        else:
            for key, values in cast("Mapping[str, Any]", keys).items():
                yield (operator.lower(), key.lower(), [str(one) for one in _listed(values)])


def _listed(value: object) -> list[Any]:
    if value is None:
        return []
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]
