"""The packs as the engine's SDK runs them."""

from typing import Any

import pytest
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from portway.errors import BadInput
from portway.gate.policy import settle
from portway.gate.testing import UNKNOWN, Judgement, component, judge, resource, secret
from portway.gate.values import UNKNOWN as NOT_KNOWN
from support.packs import POLICIES

SERVICE = "gcp:cloudrunv2/service:Service"
EU = {"boundary": "eu"}
RESIDENCY, COST = POLICIES / "residency", POLICIES / "cost"
INFERENCE = "portway:index:InferenceService"


def refused(said: Judgement, rule: str) -> list[str]:
    return [one.name for one in said.refusals if one.rule == rule]


def test_settling_marks_each_unknown_and_loses_nothing_else() -> None:
    wire: dict[str, Any] = {
        "known": "x",
        "unknown": UNKNOWN_STRING_VALUE,
        "list": ["a", UNKNOWN_STRING_VALUE, {"deep": UNKNOWN_STRING_VALUE, "n": 1.0}],
        "none": None,
    }
    assert settle(unknown_checking_proxy(deserialize_properties(wire))) == {
        "known": "x",
        "unknown": NOT_KNOWN,
        "list": ["a", NOT_KNOWN, {"deep": NOT_KNOWN, "n": 1.0}],
        "none": None,
    }


def test_one_unknown_hides_no_other_resource() -> None:
    resources = [
        resource(SERVICE, "outside", {"location": "us-central1"}),
        resource(SERVICE, "unknown", {"location": UNKNOWN}),
        resource(SERVICE, "outside-too", {"location": "us-east4"}),
    ]
    said = judge(resources, RESIDENCY, EU)
    rule = "residency-region-inside-boundary"
    assert refused(said, rule) == ["outside", "unknown", "outside-too"]
    assert all("can't run policy" not in one.message for one in said.violations)


def test_a_secret_is_never_repeated_wherever_it_stands() -> None:
    hidden = secret("hunter2 and more")
    resources = [
        resource(SERVICE, "place", {"location": hidden}),
        resource(
            "aws:lambda/function:Function",
            "route",
            {
                "region": "eu-west-1",
                "environment": {
                    "variables": {"X": secret("hunter2 global.amazon.nova-2-lite-v1:0 hunter2")}
                },
                "reservedConcurrentExecutions": hidden,
            },
        ),
        component(INFERENCE, "service", {"boundary": [hidden]}),
    ]
    said = (judge(resources, RESIDENCY, EU), judge(resources, COST, {"max_gpus": 1}))
    assert sum(len(one.refusals) for one in said) >= 4
    assert all("hunter2" not in one.message for each in said for one in each.violations)


def test_a_wrong_configuration_is_refused_before_the_first_resource() -> None:
    with pytest.raises(BadInput, match="did you mean boundary"):
        judge([], RESIDENCY, {"boundry": "eu"})


def test_two_policies_told_different_things_are_refused() -> None:
    told = {"cost": {"max_gpus": 1}, "cost-whole-stack": {"max_gpus": 9}}
    with pytest.raises(BadInput, match="says something else than cost"):
        judge([], COST, told)


def test_an_advisory_rule_is_reported_by_an_advisory_policy() -> None:
    rule = "residency-region-inside-boundary"
    told = {"boundary": "eu", "rules": {rule: "advisory"}}
    said = judge([resource(SERVICE, "it", {"location": "us-central1"})], RESIDENCY, told)
    (one,) = said.of(rule)
    assert (one.policy, one.level, one.rule) == ("residency-advice", "advisory", rule)


def test_a_lenient_pack_still_reports_what_it_cannot_determine() -> None:
    told = {"boundary": "eu", "strict": False}
    said = judge([resource(SERVICE, "it", {"location": UNKNOWN})], RESIDENCY, told)
    (one,) = said.of("residency-region-inside-boundary")
    assert (one.policy, one.level) == ("residency-advice", "advisory")


def test_a_declared_budget_is_judged_with_no_configuration_at_all() -> None:
    service = component(INFERENCE, "chat", {"monthlyBudgetUsd": "1.50", "region": "europe-west4"})
    scratch = resource(
        "gcp:storage/bucket:Bucket", "scratch", {"location": "europe-west4"}, parent="chat"
    )
    (one,) = judge([service, scratch], COST).refusals
    assert one.rule == "cost-monthly-within-budget"
    assert "2.00 USD ceiling exceeds the 1.50 USD budget of chat; lower scaling.max" in one.message


def test_each_of_two_services_is_held_to_its_own_boundary() -> None:
    resources = [
        component(INFERENCE, "europe", {"boundary": ["eu"]}),
        component(INFERENCE, "america", {"boundary": ["us"]}),
        resource(SERVICE, "a", {"location": "europe-west4"}, parent="europe"),
        resource(SERVICE, "b", {"location": "us-central1"}, parent="america"),
        resource(SERVICE, "c", {"location": "us-central1"}, parent="europe"),
    ]
    assert refused(judge(resources, RESIDENCY), "residency-region-inside-boundary") == ["c"]


def test_a_resource_of_no_service_is_held_to_all_boundaries_of_its_stack() -> None:
    resources = [
        component(INFERENCE, "chat", {"boundary": ["eu"]}),
        resource(SERVICE, "loose", {"location": "us-central1"}),
    ]
    assert refused(judge(resources, RESIDENCY), "residency-region-inside-boundary") == ["loose"]


def test_a_preview_waits_for_a_boundary_that_is_declared_later() -> None:
    resources = [
        resource(SERVICE, "first", {"location": "europe-west4"}),
        component(INFERENCE, "chat", {"boundary": ["eu"]}),
    ]
    assert judge(resources, RESIDENCY, is_preview=True).refusals == ()


def test_an_update_creates_nothing_before_a_boundary_is_known() -> None:
    resources = [
        resource(SERVICE, "first", {"location": "europe-west4"}),
        component(INFERENCE, "chat", {"boundary": ["eu"]}),
    ]
    assert refused(judge(resources, RESIDENCY), "residency-region-inside-boundary") == ["first"]


def test_an_empty_asset_or_archive_is_judged_like_any_other() -> None:
    signature = "4dabf18193072939515e22adb298388d"
    asset = {signature: "c44067f5952c0a294b673a41bacd8c17"}
    archive = {signature: "0def7320c3a5731c473e5ecbe6d01bc7"}
    code = archive | {"assets": {"main.py": asset, "lib": archive}}
    function = resource(
        "aws:lambda/function:Function", "it", {"region": "us-east-1", "code": code, "all": [asset]}
    )
    said = judge([function], RESIDENCY, EU)
    assert "residency-region-inside-boundary" in said.rules
