"""IAM policy documents: which Bedrock calls they allow, on what."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, cast

from portway.gate.values import UNKNOWN, View, document
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


@dataclass(frozen=True)
class Grant:
    """One resource pattern on which a statement allows inference; None for all but some."""

    path: str
    resource: str | None
    is_known: bool = True


def is_policy(value: object) -> bool:
    """Whether ``value`` is a policy document, as data or as JSON text."""
    plain = document(value)
    return isinstance(plain, Mapping) and "Statement" in plain


def grants(value: object, boundary: Boundary) -> Iterator[Grant]:
    """Every grant of inference in a policy document, unless a condition keeps it inside."""
    plain = cast("Mapping[str, Any]", document(value))
    for index, statement in enumerate(_listed(plain["Statement"])):
        path = f"Statement[{index}]"
        if not isinstance(statement, Mapping):
            yield Grant(path, None, is_known=False)
            continue
        said = cast("Mapping[str, Any]", statement)
        if said.get("Effect") == "Deny" or not _allows_inference(said):
            continue
        if not _kept_inside(said.get("Condition"), boundary):
            yield from _resources(said, path)


def _resources(statement: Mapping[str, Any], path: str) -> Iterator[Grant]:
    if "Resource" not in statement:
        yield Grant(f"{path}.NotResource", None)
        return
    for resource in _listed(statement["Resource"]):
        known = isinstance(resource, str)
        yield Grant(f"{path}.Resource", resource if known else None, is_known=known)


def _allows_inference(statement: Mapping[str, Any]) -> bool:
    if "Action" in statement:
        patterns = _listed(statement["Action"])
        if any(not isinstance(pattern, str) for pattern in patterns):
            return True
        return any(_matches(action, patterns) for action in INFERENCE_ACTIONS)
    excluded = [one for one in _listed(statement.get("NotAction")) if isinstance(one, str)]
    return any(not _matches(action, excluded) for action in INFERENCE_ACTIONS)


def _matches(action: str, patterns: list[Any]) -> bool:
    return any(fnmatchcase(action, str(pattern).lower()) for pattern in patterns)


def _kept_inside(condition: object, boundary: Boundary) -> bool:
    """Whether ``aws:RequestedRegion`` is held to regions inside; a global profile's is none of them."""
    view = View(condition)
    for operator in ("StringEquals", "StringEqualsIgnoreCase"):
        held = view.get(operator)
        options: object = getattr(held, "value", None)
        if not isinstance(options, Mapping):
            continue
        for key, regions in cast("Mapping[str, Any]", options).items():
            named = _listed(regions)
            is_all_text = bool(named) and all(isinstance(region, str) for region in named)
            if key.lower() == "aws:requestedregion" and is_all_text:
                return boundary.contains_all(named)
    return False


def _listed(value: object) -> list[Any]:
    if value is UNKNOWN:
        return [UNKNOWN]
    if value is None:
        return []
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]
