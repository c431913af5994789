"""What is good enough to get traffic, and what is said of what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.portability.guards import (
    Limits,
    Pair,
    Sample,
    compare_answers,
    faults_of,
    health,
    likeness,
)

GOOD = Sample("one two three four", 0.2, 1.0, 10, 8)


def failed(error: str) -> Sample:
    return Sample("", 0.0, 0.0, error=error)


def pairs(destination: Sample, many: int = 3) -> list[Pair]:
    return [Pair(f"prompt {number}", GOOD, destination) for number in range(many)]


def test_health_is_the_slowest_but_a_few_and_every_failure() -> None:
    samples = [Sample("x", number / 10, 1.0) for number in range(1, 21)]
    found = health([*samples, failed("HTTP 500"), failed("HTTP 500")])
    assert (found.asked, found.failed, found.errors) == (22, 2, ("HTTP 500",))
    assert found.first_token_seconds == pytest.approx(1.9)
    assert not health([failed("HTTP 500")]).answers
    assert not health([]).answers


@pytest.mark.parametrize(
    ("asked", "wrong", "limit", "is_fine"),
    [(100, 1, 0.01, True), (99, 1, 0.01, False), (8, 1, 0.01, False), (8, 1, 0.2, True)],
)
def test_a_share_of_failures_may_be_allowed(
    asked: int, wrong: int, limit: float, *, is_fine: bool
) -> None:
    found = health([*[GOOD] * (asked - wrong), *[failed("HTTP 502")] * wrong])
    faults = faults_of("the door", found, 0.2, Limits(errors=limit))
    assert (faults == ()) is is_fine
    if not is_fine:
        assert f"the door: {wrong} of {asked} requests failed" in faults[0]
        assert "HTTP 502" in faults[0]


@pytest.mark.parametrize(
    ("before", "after", "is_fine"),
    [(0.1, 1.0, True), (0.1, 1.2, False), (2.0, 3.9, True), (2.0, 4.1, False)],
)
def test_the_first_token_may_be_a_second_late_or_twice_as_slow(
    before: float, after: float, *, is_fine: bool
) -> None:
    faults = faults_of("b", health([Sample("x", after, 5.0)]), before, Limits())
    assert (faults == ()) is is_fine


def test_the_same_model_must_answer_to_the_letter() -> None:
    other = Sample("one two three five", 0.2, 1.0, 10, 8)
    found = compare_answers(pairs(other), Limits(), is_same_model=True)
    assert found.faults[0] == (
        "answers to prompt 0 are 75% alike, and the same model must answer the same"
    )
    assert (found.compared, found.same, found.least) == (3, 0, 0.75)
    assert compare_answers(pairs(other), Limits(), is_same_model=False).faults == ()
    assert compare_answers(pairs(GOOD), Limits(), is_same_model=True).faults == ()


def test_a_replay_says_everything_that_is_wrong() -> None:
    bad = Sample("none of it", 3.0, 4.0, 10, 80)
    found = compare_answers(
        [*pairs(bad, 1), Pair("prompt 9", GOOD, failed("HTTP 400"))], Limits(), is_same_model=False
    )
    assert [text.split(":")[0] for text in found.faults] == [
        "answers to prompt 0 are 0% alike, and 50% is needed",
        "the answer of prompt 0 is 80 tokens at the destination and 8 at the source",
        "the destination failed at prompt 9",
        "the destination's first token took 3.00 s (95th percentile), the source's 0.20 s; at most "
        "1.20 s is allowed",
    ]  # fmt: skip


@given(st.text(), st.text())
def test_only_equal_texts_are_wholly_alike(one: str, other: str) -> None:
    found = likeness(one, other)
    assert 0.0 <= found <= 1.0
    assert (found == 1.0) is (one == other)
