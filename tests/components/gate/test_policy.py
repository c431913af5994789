"""The packs as the engine's SDK runs them."""

from typing import Any

import pytest
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from portway.gate.policy import settle
from portway.gate.values import UNKNOWN as NOT_KNOWN
from support.policy_harness import SECRET, UNKNOWN, Given, Refused, Said, run

SERVICE = "gcp:cloudrunv2/service:Service"
EU = {"residency": {"boundary": "eu"}}


def refused(said: list[Said], rule: str) -> list[str]:
    return [one.name for one in said if one.rule == rule and one.level == "mandatory"]


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
        Given(SERVICE, "outside", {"location": "us-central1"}),
        Given(SERVICE, "unknown", {"location": UNKNOWN}),
        Given(SERVICE, "outside-too", {"location": "us-east4"}),
    ]
    said = run("residency", resources, EU)
    rule = "residency-region-inside-boundary"
    assert refused(said, rule) == ["outside", "unknown", "outside-too"]
    assert all("can't run policy" not in one.text for one in said)


def test_a_secret_is_never_repeated_wherever_it_stands() -> None:
    secret = {SECRET: "hunter2 and more"}
    resources = [
        Given(SERVICE, "place", {"location": secret}),
        Given(
            "aws:lambda/function:Function",
            "route",
            {
                "region": "eu-west-1",
                "environment": {
                    "variables": {"X": {SECRET: "hunter2 global.amazon.nova-2-lite-v1:0 hunter2"}}
                },
                "reservedConcurrentExecutions": secret,
            },
        ),
        Given("portway:index:InferenceService", "service", {"boundary": [secret]}),
    ]
    said = [*run("residency", resources, EU), *run("cost", resources, {"cost": {"max_gpus": 1}})]
    assert len([one for one in said if one.level == "mandatory"]) >= 4
    assert all("hunter2" not in one.text for one in said)


def test_a_wrong_configuration_is_refused_before_the_first_resource() -> None:
    with pytest.raises(Refused, match="did you mean boundary"):
        run("residency", [], {"residency": {"boundry": "eu"}})


def test_two_policies_told_different_things_are_refused() -> None:
    told = {"cost": {"max_gpus": 1}, "cost-whole-stack": {"max_gpus": 9}}
    with pytest.raises(Refused, match="says something else than cost"):
        run("cost", [], told)


def test_an_advisory_rule_is_reported_by_an_advisory_policy() -> None:
    rule = "residency-region-inside-boundary"
    told = {"residency": {"boundary": "eu", "rules": {rule: "advisory"}}}
    (one,) = run("residency", [Given(SERVICE, props={"location": "us-central1"})], told)
    assert (one.policy, one.level, one.rule) == ("residency-advice", "advisory", rule)


def test_a_lenient_pack_still_reports_what_it_cannot_determine() -> None:
    told = {"residency": {"boundary": "eu", "strict": False}}
    (one,) = run("residency", [Given(SERVICE, props={"location": UNKNOWN})], told)
    assert (one.policy, one.level) == ("residency-advice", "advisory")


def test_a_declared_budget_that_nobody_judges_yet_is_said_to_be_so() -> None:
    service = Given("portway:index:InferenceService", "chat", {"monthlyBudgetUsd": "2500"})
    (one,) = run("cost", [service])
    assert (one.policy, one.level) == ("cost-whole-stack-advice", "advisory")
    assert "2500 USD a month" in one.text


def test_each_of_two_services_is_held_to_its_own_boundary() -> None:
    resources = [
        Given("portway:index:InferenceService", "europe", {"boundary": ["eu"]}),
        Given("portway:index:InferenceService", "america", {"boundary": ["us"]}),
        Given(SERVICE, "a", {"location": "europe-west4"}, parent="europe"),
        Given(SERVICE, "b", {"location": "us-central1"}, parent="america"),
        Given(SERVICE, "c", {"location": "us-central1"}, parent="europe"),
    ]
    assert refused(run("residency", resources), "residency-region-inside-boundary") == ["c"]


def test_a_resource_of_no_service_is_held_to_all_boundaries_of_its_stack() -> None:
    resources = [
        Given("portway:index:InferenceService", "chat", {"boundary": ["eu"]}),
        Given(SERVICE, "loose", {"location": "us-central1"}),
    ]
    assert refused(run("residency", resources), "residency-region-inside-boundary") == ["loose"]


def test_a_preview_waits_for_a_boundary_that_is_declared_later() -> None:
    resources = [
        Given(SERVICE, "first", {"location": "europe-west4"}),
        Given("portway:index:InferenceService", "chat", {"boundary": ["eu"]}),
    ]
    assert run("residency", resources, is_preview=True) == []


def test_an_update_creates_nothing_before_a_boundary_is_known() -> None:
    resources = [
        Given(SERVICE, "first", {"location": "europe-west4"}),
        Given("portway:index:InferenceService", "chat", {"boundary": ["eu"]}),
    ]
    assert refused(run("residency", resources), "residency-region-inside-boundary") == ["first"]


def test_an_empty_asset_or_archive_is_judged_like_any_other() -> None:
    signature = "4dabf18193072939515e22adb298388d"
    asset = {signature: "c44067f5952c0a294b673a41bacd8c17"}
    archive = {signature: "0def7320c3a5731c473e5ecbe6d01bc7"}
    code = archive | {"assets": {"main.py": asset, "lib": archive}}
    function = Given(
        "aws:lambda/function:Function", props={"region": "us-east-1", "code": code, "all": [asset]}
    )
    (said,) = run("residency", [function], {"residency": {"boundary": "eu"}})
    assert "is in us-east-1" in said.text
