"""IAM policy documents: what their statements allow, on what, and where.

A statement is held where a condition, or a denial beside it, keeps it to regions inside.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, cast

from portway.gate.routes import refusal, routes
from portway.gate.values import UNKNOWN, document
from portway.residency.boundary import Boundary

INFERENCE_ACTIONS = (
    "bedrock:invokemodel",
    "bedrock:invokemodelwithresponsestream",
    "bedrock:invokemodelwithbidirectionalstream",
    "bedrock:converse",
    "bedrock:conversestream",
    "bedrock:createmodelinvocationjob",
    "bedrock:invokeagent",
    "bedrock:invokeinlineagent",
    "bedrock:invokeflow",
    "bedrock:retrieveandgenerate",
    "bedrock-mantle:createinference",
)
_REGION = "aws:requestedregion"
_PROFILE = "bedrock:inferenceprofilearn"
_EQUALS = ("stringequals", "stringequalsignorecase")
_DIFFERS = ("stringnotequals", "stringnotequalsignorecase")
_LIKE = (*_EQUALS, "stringlike", "arnlike", "arnequals")


@dataclass(frozen=True)
class Grant:
    """One resource pattern on which a statement allows something; None for all but some."""

    path: str
    resource: str | None
    is_known: bool = True


@dataclass(frozen=True)
class Statement:
    """One statement. ``parts`` is by lower-case name, None where it cannot be read."""

    path: str
    parts: Mapping[str, Any] | None

    @property
    def is_denial(self) -> bool:
        """Whether it says Deny; whatever else it says is read as leave."""
        return self.parts is not None and str(self.parts.get("effect")).lower() == "deny"

    def allows(self, actions: tuple[str, ...]) -> frozenset[str]:
        """Which of ``actions`` (lower case) its patterns cover; all, where nobody can tell."""
        if self.parts is None or any(one is UNKNOWN for one in self._actions):
            return frozenset(actions)
        patterns = tuple(str(one).lower() for one in self._actions)
        covered = frozenset(one for one in actions if _matches(one, patterns))
        return covered if "action" in self.parts else frozenset(actions) - covered

    def grants(self) -> Iterator[Grant]:
        """Each resource pattern it is about."""
        if self.parts is None:
            yield Grant(self.path, None, is_known=False)
        elif "resource" not in self.parts:
            yield Grant(f"{self.path}.NotResource", None)
        else:
            for one in _listed(self.parts["resource"]):
                known = isinstance(one, str)
                yield Grant(f"{self.path}.Resource", one.strip() if known else None, is_known=known)

    def is_held(self, boundary: Boundary) -> bool:
        """Whether a condition keeps it inside: to regions, or to inference profiles.

        A global profile's requested region is ``unspecified``, so regions by name hold it too.
        """
        for operator, key, values in self.conditions():
            if not values or not all(isinstance(one, str) for one in values):
                continue
            if key == _REGION and operator in _EQUALS and boundary.contains_all(values):
                return True
            if key == _PROFILE and operator in _LIKE and all(_stays(v, boundary) for v in values):
                return True
        return False

    def fences(self, boundary: Boundary) -> bool:
        """Whether it denies its actions on everything, to everybody, in every region outside."""
        conditions = list(self.conditions())
        if not self.is_denial or len(conditions) != 1 or self.parts is None:
            return False
        if not self._actions or not all(isinstance(one, str) for one in self._actions):
            return False
        operator, key, values = conditions[0]
        is_text = all(isinstance(one, str) for one in values)
        is_on_all = "*" in _listed(self.parts.get("resource"))
        fits = key == _REGION and operator in _DIFFERS and is_on_all and is_text
        return fits and boundary.contains_all(values)

    def conditions(self) -> Iterator[tuple[str, str, list[Any]]]:
        """Each condition as operator, key (both lower case) and values; "" for what is unreadable."""
        said = (self.parts or {}).get("condition")
        if said is None:
            return
        operators = cast("Mapping[str, Any]", said) if isinstance(said, Mapping) else {"": None}
        for operator, keys in operators.items():
            by_key = cast("Mapping[str, Any]", keys) if isinstance(keys, Mapping) else {"": None}
            for key, values in by_key.items():
                yield str(operator).lower(), str(key).lower(), _listed(values)

    @property
    def is_for_everybody(self) -> bool:
        """Whether its principal is everybody, in every account."""
        principal = (self.parts or {}).get("principal")
        if isinstance(principal, Mapping):
            by_kind = cast("Mapping[str, Any]", principal)
            named = [(str(kind).lower(), one) for kind, one in by_kind.items()]
            return any(kind == "aws" and "*" in _listed(one) for kind, one in named)
        return "*" in _listed(principal)

    @property
    def _actions(self) -> list[Any]:
        parts = self.parts or {}
        return _listed(parts["action"] if "action" in parts else parts.get("notaction"))


def is_policy(value: object) -> bool:
    """Whether ``value`` is a policy document, as data or as JSON text."""
    return _body(value) is not None


def statements(value: object) -> Iterator[Statement]:
    """Every statement of a policy document; none when it is no document."""
    body = _body(value)
    for index, one in enumerate(_listed(None if body is None else body[0])):
        parts: Mapping[str, Any] | None = None
        if isinstance(one, Mapping):
            said = cast("Mapping[str, Any]", one)
            parts = {str(name).lower(): part for name, part in said.items()}
        yield Statement(f"Statement[{index}]", parts)


def leaves(value: object, boundary: Boundary) -> Iterator[Statement]:
    """The statements that allow something and that no condition keeps inside."""
    return (one for one in statements(value) if not one.is_denial and not one.is_held(boundary))


def fenced(value: object, boundary: Boundary, actions: tuple[str, ...]) -> frozenset[str]:
    """Which of ``actions`` a document denies in every region outside, whatever else it allows."""
    fences = (one for one in statements(value) if one.fences(boundary))
    return frozenset(action for one in fences for action in one.allows(actions))


def grants(
    value: object, boundary: Boundary, actions: tuple[str, ...] = INFERENCE_ACTIONS
) -> Iterator[Grant]:
    """Every grant of ``actions`` in a policy document that nothing in it keeps inside."""
    spared = fenced(value, boundary, actions)
    for one in leaves(value, boundary):
        if one.allows(actions) - spared:
            yield from one.grants()


def _body(value: object) -> tuple[Any] | None:
    """What is under ``Statement``, however that is spelt."""
    plain = document(value)
    if isinstance(plain, Mapping):
        for name, body in cast("Mapping[str, Any]", plain).items():
            if str(name).lower() == "statement":
                return (body,)
    return None


def _stays(arn: str, boundary: Boundary) -> bool:
    """Whether every profile that an ARN pattern in a condition covers stays inside."""
    named = list(routes(arn))
    return bool(named) and all(refusal(one, None, boundary) is None for one in named)


@lru_cache(maxsize=4096)
def _matches(action: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in patterns)


def _listed(value: object) -> list[Any]:
    if value is UNKNOWN:
        return [UNKNOWN]
    if value is None:
        return []
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]
