"""The committed stacks pass both packs at the first preview; the same stacks led astray do not."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from portway.gate.testing import (
    UNKNOWN,
    Given,
    Violation,
    component,
    judge,
    provider,
    resource,
    secret,
)
from portway.inference_service import InferenceService
from portway.registry import registered
from portway.spec import InferenceServiceSpec
from portway.spec.load import judge_stack
from portway.target import Placement
from support import builders
from support.mock_engine import Created, deploy
from support.packs import POLICIES

ROOT = Path(__file__).resolve().parents[2]
SERVICE = "portway:index:InferenceService"
PROFILE = "mistral.ministral-3-8b-instruct"
UNPRICED = {
    "cost-every-billed-resource-has-a-rate",
    "cost-floor-within-limit",
    "cost-monthly-within-budget",
}
"""What refuses a stack of which something has no rate: it is not free, and no limit can be judged."""


def judged(placement: Placement, service: InferenceServiceSpec) -> list[Violation]:
    """Everything mandatory that both packs say of a stack, before any of it exists."""
    made = deploy(lambda: InferenceService(service.name, service, placement), preview=True)
    # Components are registered before what they hold, the service first of all.
    order = sorted(made.created, key=lambda item: (item.type != SERVICE, not item.is_component))
    providers = {
        item.name: provider(item.type.split(":")[2], item.name, item.inputs)
        for item in order
        if item.type.startswith("pulumi:providers:")
    }
    given = [_given(item, providers) for item in order]
    # The default provider is set up by the stack's configuration.
    defaults = {"aws": {"region": placement.region}}
    return [
        one
        for pack in ("residency", "cost")
        for one in judge(
            given,
            POLICIES / pack,
            json.loads((POLICIES / f"{pack}.json").read_text()),
            defaults=defaults,
        ).refusals
    ]


def _given(item: Created, providers: dict[str, Given]) -> Given:
    if item.name in providers and item.type.startswith("pulumi:providers:"):
        return providers[item.name]
    name, props = f"{item.type} {item.name}", cast("dict[str, Any]", _marked(item.inputs))
    if item.is_component:
        return component(item.type, name, props)
    return resource(
        item.type, name, props, provider=providers.get(item.provider), depends_on=item.sources
    )


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        if set(mapping) == {"(secret)"}:
            return secret(_marked(mapping["(secret)"]))
        return {key: _marked(child) for key, child in mapping.items()}
    if isinstance(value, list):
        return [_marked(child) for child in cast("list[Any]", value)]
    return UNKNOWN if value == "(unknown)" else value


def rules(said: list[Violation]) -> set[str]:
    return {one.rule for one in said}


@pytest.mark.parametrize(
    ("target", "options", "told"),
    [
        ("cloud-run", {"billing_account": "01AB23-45CD67-89EF01"}, ["ml@acme.example"]),
        (
            "cloud-run",
            {
                "billing_account": "01AB23-45CD67-89EF01",
                "uptime_check": True,
                "log_bucket": {},
                "network": {"subnetwork": "inference"},
                "session_affinity": True,
                "invoker_check": False,
            },
            ["ml@acme.example"],
        ),
        ("kubernetes", {"prometheus_rules": {"release": "prometheus"}}, []),
    ],
)
def test_a_stack_that_counts_and_tells_passes_both_packs(
    target: str, options: dict[str, Any], told: list[str]
) -> None:
    budget = {"monthly_usd": 2500, "monthly_requests": 1000, "alert_emails": told}
    counting = builders.spec(scaling={"min": 1, "max": 2, "concurrency": 8}, budget=budget)
    assert judged(builders.placement(target, options=options), counting) == []


@pytest.mark.parametrize("name", registered())
def test_a_committed_stack_passes_both_packs(name: str) -> None:
    stack = judge_stack(ROOT, f"chat.prod.{name}").stack
    assert stack is not None
    assert judged(stack.placement, stack.spec) == []


@pytest.mark.parametrize("load", ["mount", "stream"])
def test_weights_in_a_bucket_that_nobody_placed_are_refused(load: str) -> None:
    options = {"weights": {"bucket": "acme-models", "load": load}}
    spec = builders.spec(model="qwen3-8b")
    said = judged(builders.placement("cloud-run", options=options), spec)
    assert rules(said) == {"residency-data-moves-inside"}
    assert all("under buckets in the configuration" in one.message for one in said)


def test_a_service_outside_its_boundary_is_refused_with_the_region() -> None:
    said = judged(builders.placement("cloud-run", region="us-central1"), builders.spec())
    assert rules(said) == {
        "residency-region-inside-boundary",
        "residency-code-runs-inside",
        "residency-keys-stay-inside",
    }
    assert all("us-central1" in one.message for one in said)


@pytest.mark.parametrize("geography", ["us", "global"])
def test_a_profile_that_leaves_the_boundary_is_refused(geography: str) -> None:
    options = {"inference_profile": f"{geography}.{PROFILE}"}
    said = judged(builders.placement("lambda-bedrock", options=options), builders.spec())
    assert rules(said) - UNPRICED == {"residency-inference-profile-stays-inside"}


def test_a_profile_that_stays_inside_is_refused_only_for_its_price_which_nobody_published() -> None:
    options = {"inference_profile": f"eu.{PROFILE}"}
    said = judged(builders.placement("lambda-bedrock", options=options), builders.spec())
    assert rules(said) == UNPRICED
    assert all(
        f"tokens:regional.{PROFILE}" in one.message for one in said if "has-a-rate" in one.rule
    )


def test_more_gpus_than_the_organisation_allows_are_refused() -> None:
    many = builders.spec(scaling={"min": 0, "max": 100, "concurrency": 8})
    said = judged(builders.placement("cloud-run"), many)
    assert rules(said) == {"cost-gpus-within-limit", "cost-monthly-within-budget"}
