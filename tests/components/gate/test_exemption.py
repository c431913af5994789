"""Exemptions name something, end, and are never their owner's alone to approve."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from portway.gate.exemption import Exemption, soon
from portway.gate.testing import judge, resource
from support.packs import POLICIES

RULE = "residency-region-inside-boundary"
DAY = date(2026, 11, 21)


def exemption(urn: str = "*::logs", expires: date = DAY, **more: str) -> Exemption:
    return Exemption(
        rule=RULE, urn=urn, reason="moving out", owner="ann", expires=expires, **more
    )  # fmt: skip


@pytest.mark.parametrize(
    "urn",
    [
        "*",
        "**",
        "urn:*",
        "urn:pulumi:*",
        "urn:pulumi:dev::*",
        "urn:pulumi:dev*",
        "urn:pulumi:dev::shop::*",
        "urn:pulumi:*::shop::*",
        "urn:pulumi:*::*::*",
        "urn:pulumi:*::*::*::*",
        "urn:pulumi:dev::shop::*::*",
        "urn:pulumi:d?v::shop::*::*",
        "urn:pulumi:[dp]*::shop::*",
        "[!x]*:*",
        "*::shop::*",
        "*shop*",
        "*dev*::*",
        "urn:pulumi:prod::shop::gcp:*",
        "*::aws:*::*",
        "*:*",
        "?*",
    ],
)
def test_a_glob_that_names_neither_a_type_nor_a_resource_is_refused(urn: str) -> None:
    with pytest.raises(ValidationError, match="name the type or the resource"):
        exemption(urn)


@pytest.mark.parametrize(
    "urn",
    [
        "*::logs",
        "*::logs-*",
        "*:Bucket::*",
        "urn:pulumi:dev::shop::*::logs",
        "urn:pulumi:*::shop::gcp:storage/bucket:Bucket::*",
        "urn:pulumi:dev::shop::gcp:storage/*",
        "urn:pulumi:prod::shop::portway:index:InferenceService$gcp:storage/bucket:Bucket::code",
    ],
)
def test_a_glob_that_names_one_is_taken(urn: str) -> None:
    if urn == "*::logs-*":
        # a project may be called logs-…: this covers all that is in it
        with pytest.raises(ValidationError):
            exemption(urn)
    else:
        assert exemption(urn).urn == urn


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


@given(NAMES, NAMES, st.lists(st.sampled_from(["*", "?*", "*?"]), min_size=1, max_size=2))
def test_no_spelling_of_everything_in_a_stack_is_taken(
    stack: str, project: str, ends: list[str]
) -> None:
    for glob in (
        f"urn:pulumi:{stack}::{'::'.join(ends)}",
        f"urn:pulumi:{stack}::{project}::{'::'.join(ends)}",
        f"*::{project}::{'::'.join(ends)}",
    ):
        with pytest.raises(ValidationError):
            exemption(glob)


def test_an_exemption_counts_through_its_last_day() -> None:
    ends = exemption(expires=DAY)
    assert [ends.has_expired(DAY + timedelta(days=n)) for n in (-1, 0, 1)] == [False, False, True]


def test_the_last_seven_days_are_said() -> None:
    left = [exemption(expires=DAY + timedelta(days=n)).days_left(DAY) for n in (-1, 0, 1, 7, 8)]
    assert left == [None, 0, 1, 7, None]
    assert [soon(n) for n in (0, 1, 7)] == ["today", "tomorrow", "in 7 days"]


def test_nobody_approves_their_own_exemption() -> None:
    assert exemption(approver="bob").approver == "bob"
    with pytest.raises(ValidationError, match="somebody else must approve"):
        exemption(approver="ann")


@pytest.mark.parametrize(
    ("urn", "stack"),
    [
        ("urn:pulumi:dev::shop::*::logs", "dev"),
        ("urn:pulumi:d*::shop::*::logs", None),
        ("*::logs", None),
    ],
)
def test_an_exemption_may_be_for_one_stack(urn: str, stack: str | None) -> None:
    assert exemption(urn).stack == stack


def test_an_exemption_expires_the_same_by_the_road_the_engine_takes() -> None:
    bucket = resource("gcp:storage/bucket:Bucket", "logs", {"location": "us-central1"})
    written = {
        "rule": RULE, "urn": "*::logs", "reason": "moving", "owner": "ann", "expires": f"{DAY}"
    }  # fmt: skip
    config = {"boundary": "eu", "exemptions": [written]}

    def levels(today: date) -> list[str]:
        said = judge([bucket], POLICIES / "residency", config, today=lambda: today)
        return [one.level for one in said.of(RULE)]

    assert levels(DAY) == ["advisory"]
    assert levels(DAY + timedelta(days=1)) == ["mandatory"]
