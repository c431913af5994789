"""Levels, exemptions, and saying a thing once."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import pytest

from portway.gate.config import PackConfig, ResidencyConfig
from portway.gate.exemption import Exemption
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.session import Finding, Session
from portway.gate.values import View

TODAY = date(2026, 11, 21)
ID = "residency-region-inside-boundary"
BUCKET = Resource(
    "urn:pulumi:dev::p::aws:s3/bucket:Bucket::logs", "logs", "aws:s3/bucket:Bucket", View({})
)


def rule(violation: Violation | None = None, *, breaks: bool = False) -> Rule[Any]:
    def judge(resource: Resource, context: Any, stack: Stack | None) -> Iterable[Violation]:
        if breaks:
            raise KeyError("hunter2")
        return [violation or Violation("is in us-east-1", resource.urn, "region")]

    return Rule(ID, Severity.HIGH, "One.", "Two.", judge)


def session(rules: Rule[Any], config: PackConfig | None = None) -> Session:
    return Session((rules,), config or ResidencyConfig(), today=lambda: TODAY)


def told(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.level.value, finding.text) for finding in findings]


def exemption(expires: date, urn: str = "*::logs") -> Exemption:
    return Exemption(rule=ID, urn=urn, reason="moving out", owner="ann", expires=expires)


def test_a_violation_is_mandatory_and_led_by_its_rule() -> None:
    assert told(session(rule()).resource(BUCKET)) == [("mandatory", f"[{ID}] is in us-east-1")]


def test_what_was_said_of_a_resource_is_not_said_again_with_the_stack() -> None:
    going = session(rule())
    assert len(going.resource(BUCKET)) == 1
    assert going.stack([BUCKET]) == ()


def test_a_resource_that_was_only_read_is_judged_with_the_stack() -> None:
    assert told(session(rule()).stack([BUCKET])) == [("mandatory", f"[{ID}] is in us-east-1")]


def test_the_same_resource_is_refused_every_time_it_is_registered() -> None:
    going = session(rule())
    assert [len(going.resource(BUCKET)) for _ in range(2)] == [1, 1]


def test_a_rule_made_advisory_only_reports() -> None:
    config = ResidencyConfig(rules={ID: "advisory"})
    assert told(session(rule(), config).resource(BUCKET)) == [
        ("advisory", f"[{ID}] is in us-east-1")
    ]


@pytest.mark.parametrize(("strict", "level"), [(True, "mandatory"), (False, "advisory")])
def test_what_cannot_be_determined_is_refused_unless_configuration_is_lenient(
    *, strict: bool, level: str
) -> None:
    unknown = Violation("is somewhere", BUCKET.urn, "region", undetermined=True)
    config = ResidencyConfig(strict=strict)
    assert told(session(rule(unknown), config).resource(BUCKET)) == [
        (level, f"[{ID}] is somewhere")
    ]


def test_leniency_forgives_only_what_cannot_be_determined() -> None:
    config = ResidencyConfig(strict=False)
    assert told(session(rule(), config).resource(BUCKET))[0][0] == "mandatory"


def test_an_exemption_lets_pass_until_its_day_and_is_reported() -> None:
    config = ResidencyConfig(exemptions=(exemption(TODAY),))
    assert told(session(rule(), config).resource(BUCKET)) == [
        ("advisory", f"[{ID}] is in us-east-1 (exempt until 2026-11-21 (today) by ann: moving out)")
    ]


@pytest.mark.parametrize(("days", "said"), [(7, " (in 7 days)"), (8, "")])
def test_an_exemption_warns_seven_days_before_its_end(days: int, said: str) -> None:
    ends = TODAY + timedelta(days=days)
    config = ResidencyConfig(exemptions=(exemption(ends),))
    ((_, text),) = told(session(rule(), config).resource(BUCKET))
    assert text.endswith(f"(exempt until {ends}{said} by ann: moving out)")


def test_who_approved_an_exemption_is_said() -> None:
    approved = exemption(TODAY + timedelta(days=30)).model_copy(update={"approver": "bob"})
    ((_, text),) = told(session(rule(), ResidencyConfig(exemptions=(approved,))).resource(BUCKET))
    assert "by ann, approved by bob: moving out" in text


def test_an_exemption_of_this_stack_that_nothing_needs_is_advice() -> None:
    given = [
        exemption(TODAY, "urn:pulumi:dev::p::*::logs"),
        exemption(TODAY, "urn:pulumi:dev::p::*::gone"),
        exemption(TODAY, "urn:pulumi:prod::p::*::logs"),
        exemption(TODAY, "*::gone"),
    ]
    going = session(rule(), ResidencyConfig(exemptions=tuple(given)))
    going.resource(BUCKET)
    assert told(going.stack([BUCKET])) == [
        (
            "advisory",
            f"[{ID}] the exemption by ann from {ID} for urn:pulumi:dev::p::*::gone covers nothing "
            "that the rule refuses in this stack; remove it",
        )
    ]


def test_an_expired_exemption_has_no_effect_and_is_named() -> None:
    config = ResidencyConfig(exemptions=(exemption(date(2026, 11, 20)),))
    assert told(session(rule(), config).resource(BUCKET)) == [
        ("mandatory", f"[{ID}] is in us-east-1 (the exemption by ann expired on 2026-11-20)")
    ]


def test_an_exemption_for_another_resource_changes_nothing() -> None:
    config = ResidencyConfig(exemptions=(exemption(TODAY, "*::other"),))
    assert told(session(rule(), config).resource(BUCKET)) == [
        ("mandatory", f"[{ID}] is in us-east-1")
    ]


def test_a_violation_of_the_whole_stack_cannot_be_exempted_by_a_resource() -> None:
    config = ResidencyConfig(exemptions=(exemption(TODAY, "urn:pulumi:dev::*:Stack::*"),))
    whole = Violation("has no boundary", None)
    assert told(session(rule(whole), config).resource(BUCKET))[0][0] == "mandatory"


def test_a_rule_that_breaks_refuses_and_repeats_no_value() -> None:
    ((level, text),) = told(session(rule(breaks=True)).resource(BUCKET))
    assert level == "mandatory"
    assert "this rule broke (KeyError)" in text
    assert "hunter2" not in text
