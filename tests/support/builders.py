"""Specs and placements for tests: whole and valid, with what a test says replaced."""

import json
from collections.abc import Mapping
from typing import Any

from portway.errors import Problem, Refused
from portway.models import find
from portway.registry import load_target
from portway.spec import InferenceServiceSpec
from portway.target import Placement, Plan

CHAT: Mapping[str, Any] = {
    "name": "chat",
    "model": "ministral-3-8b",
    "scaling": {"min": 0, "max": 1, "concurrency": 8},
    "timeout_seconds": 300,
    "residency": "eu",
    "budget": {"monthly_usd": 2500},
}

PLACES: Mapping[str, Mapping[str, Any]] = {
    "cloud-run": {"region": "europe-west4", "settings": {"gcp:project": "acme-inference"}},
    "lambda-bedrock": {"region": "eu-west-1", "settings": {"aws:region": "eu-west-1"}},
    "kubernetes": {"region": "europe-west4", "cluster": "prod-eu"},
}
"""What makes a placement valid, by target; a target that is not here needs no more than a region."""


def spec(**changed: Any) -> InferenceServiceSpec:
    """The service ``chat`` with top-level fields replaced."""
    return InferenceServiceSpec.model_validate({**CHAT, **changed})


def placement(target: str, **changed: Any) -> Placement:
    """``target`` in ``prod`` with fields replaced."""
    fields = {"target": target, "environment": "prod", **PLACES.get(target, {}), **changed}
    return Placement.model_validate_json(json.dumps(fields))


def plan(service: InferenceServiceSpec, place: Placement) -> Plan:
    """What the placement's target intends."""
    return load_target(place.target).plan(service, find(service.model), place)


def outcome(service: InferenceServiceSpec, place: Placement) -> Plan | tuple[Problem, ...]:
    """The plan, or every reason against it."""
    try:
        return plan(service, place)
    except Refused as refusal:
        return refusal.problems
