"""Where a Bedrock call may be served: a model or a profile, and the region it comes from."""

import re
from functools import cache
from typing import Any

from portway.residency.boundary import commercial_aws_regions, normalise_region
from portway.residency.tables import table

_TABLE = "bedrock_profiles.json"
_GUARDRAIL = "guardrail."
_ARN = re.compile(
    r"arn:aws[a-z-]*:bedrock:(?P<region>[a-z0-9-]*):\d*:"
    r"(?P<kind>foundation-model|inference-profile|guardrail-profile)/(?P<name>.+)"
)


def destinations(model: str, source_region: str) -> frozenset[str] | None:
    """Every AWS region that may serve ``model`` when it is called from ``source_region``.

    Args:
        model: a foundation model id, the id of an inference or a guardrail profile, or an ARN of one.
        source_region: the region whose Bedrock endpoint is called.

    Returns:
        The regions, the source among them only where the profile lists it; None where it cannot be
        told: an unknown prefix, a source the profile is not offered in, an application profile,
        an ARN without a region.
    """
    model = model.strip().lower()
    arn = _ARN.fullmatch(model)
    if arn:
        if not arn["region"]:
            return None
        return destinations(arn["name"], arn["region"])
    prefix, dot, name = model.partition(".")
    if not dot or not name:
        return None
    source = normalise_region(source_region)
    if prefix in table(_TABLE)["providers"]:
        return frozenset({source})
    if prefix in table(_TABLE)["anywhere"]:
        return commercial_aws_regions()
    return _routed(prefix, name, source)


def is_profile(model: str) -> bool:
    """Whether ``model`` is an inference profile: anything that is not a vendor's plain model id."""
    arn = _ARN.fullmatch(model)
    if arn:
        return arn["kind"] != "foundation-model"
    return model.partition(".")[0] not in table(_TABLE)["providers"]


def _routed(prefix: str, name: str, source: str) -> frozenset[str] | None:
    rule = next((rule for rule in _rules(prefix) if _covers(rule, name)), None)
    if rule is None:
        return None
    for route in rule["routes"]:
        if source in route["from"]:
            reached: set[str] = {*route["to"], *([source] if route["plus_source"] else [])}
            return frozenset(reached)
    return None


@cache
def _rules(prefix: str) -> tuple[dict[str, Any], ...]:
    return tuple(rule for rule in table(_TABLE)["rules"] if rule["prefix"] == prefix)


def _covers(rule: dict[str, Any], name: str) -> bool:
    if rule["models"]:
        return name.startswith(tuple(rule["models"]))
    return not name.startswith(_GUARDRAIL)
