from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from portway.spec import InferenceServiceSpec
from portway.spec.complaints import complaints, shown_value

GOOD: Mapping[str, Any] = {"name": "chat", "model": "ministral-3-8b", "scaling": {"max": 1}}


def said(**changed: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        InferenceServiceSpec.model_validate({**GOOD, **changed})
    return [str(problem) for problem in complaints(caught.value, InferenceServiceSpec)]


def test_everything_missing_is_named_with_what_it_is() -> None:
    with pytest.raises(ValidationError) as caught:
        InferenceServiceSpec.model_validate({})
    assert [str(problem) for problem in complaints(caught.value, InferenceServiceSpec)] == [
        "name: is missing (DNS label, at most 40 characters); add `name:`",
        "model: is missing (a row of the model catalogue); add `model:`",
        "scaling: is missing; add `scaling:`",
    ]


def test_a_misspelt_key_is_one_problem_not_also_a_missing_one() -> None:
    assert said(scaling={"maximum": 3}) == ["scaling.maximum: is not a field; did you mean max?"]


def test_a_key_like_no_other_is_answered_with_those_there_are() -> None:
    assert said(scaling={"max": 1, "gpus": 2}) == [
        "scaling.gpus: is not a field; remove it, or use one of min, max, concurrency"
    ]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"scaling": {"min": 3, "max": 1}}, "scaling.max: is 1, below min, which is 3; raise max or lower min"),
        ({"scaling": {"max": "3"}}, "scaling.max: is '3', text; write a whole number (instances at most); remove the quotes"),
        ({"scaling": {"max": 1.5}}, "scaling.max: is 1.5, a number; write a whole number (instances at most)"),
        ({"scaling": {"max": True}}, "scaling.max: is true; write a whole number (instances at most)"),
        ({"scaling": {"max": 0}}, "scaling.max: is 0; it must be at least 1 (instances at most)"),
        ({"scaling": [1]}, "scaling: is a list; write a mapping, such as {key: value}"),
        ({"scaling": None}, "scaling: is empty; give a value or remove the line"),
        ({"timeout_seconds": 10**40}, f"timeout_seconds: is {10**40}; it must be at most 3600"),
        ({"name": "Chat_1"}, "name: is 'Chat_1'; start with a lower-case letter, then use lower-case letters, digits and hyphens (DNS label, at most 40 characters)"),
        ({"access": {"auth": "apikey"}}, "access.auth: is 'apikey'; did you mean api-key? choose api-key or iam"),
        ({"residency": ["eu", 5]}, "residency[1]: is 5, a whole number; write text"),
        ({"residency": []}, "residency: has 0 entries; give at least 1"),
        ({"budget": {"monthly_usd": "lots"}}, "budget.monthly_usd: is 'lots', text; write a number"),
        ({"budget": {"monthly_usd": 0}}, "budget.monthly_usd: is 0; it must be above 0"),
        ({"budget": {"monthly_usd": 1, "monthly_requests": 0}}, "budget.monthly_requests: is 0; it must be at least 1 (requests a month, those beyond are refused)"),
        ({"budget": {"monthly_usd": 1, "monthly_tokens": 1.5}}, "budget.monthly_tokens: is 1.5, a number; write a whole number (tokens read and written a month, together)"),
        ({"budget": {"monthly_usd": 1, "monthly_request": 4}}, "budget.monthly_request: is not a field; did you mean monthly_requests?"),
        ({"budget": {"monthly_usd": 1, "when_meter_is_away": "alow"}}, "budget.when_meter_is_away: is 'alow'; did you mean allow? choose refuse or allow"),
        ({"budget": {"monthly_usd": 1, "alert_emails": "a@b.co"}}, "budget.alert_emails: is 'a@b.co', text; write a list (e-mail addresses)"),
        ({"budget": {"monthly_usd": 1, "alert_emails": ["a@b.co", "ops"]}}, "budget.alert_emails[1]: is 'ops'; write an e-mail address, such as team@example.com"),
        ({"budget": {"monthly_usd": 1, "alert_emails": ["a@b.co", "A@b.co"]}}, "budget.alert_emails: has 'A@b.co' twice; remove one of them"),
        ({"budget": {"monthly_usd": 1, "alert_emails": [f"a{n}@b.co" for n in range(11)]}}, "budget.alert_emails: has 11 entries; give at most 10"),
        ({"traffic": {"requests_per_day": 1, "shape": "sprad"}}, "traffic.shape: is 'sprad'; did you mean spread? choose spread or burst (or 24 or 168 hourly weights)"),
        ({"traffic": {"requests_per_day": 1, "shape": [1, 2]}}, "traffic.shape: has 2 weights; give 24 (one day) or 168 (one week from Monday)"),
        ({"traffic": {"requests_per_day": 1, "shape": [0] * 24}}, "traffic.shape: holds only zeros; give at least one hour a positive weight"),
        ({"traffic": {"requests_per_day": 1, "shape": [1] * 23 + ["x"]}}, "traffic.shape[23]: is 'x', text; write a number"),
    ],
)  # fmt: skip
def test_each_wrong_value_is_said_in_plain_words(changed: Mapping[str, Any], problem: str) -> None:
    assert said(**changed) == [problem]


def test_every_problem_is_said_at_once() -> None:
    found = said(name="", scaling={"max": 0, "min": -1}, access={"reach": "nowhere"}, foo=1)
    assert [problem.partition(":")[0] for problem in found] == [
        "name",
        "scaling.min",
        "scaling.max",
        "access.reach",
        "foo",
    ]


def test_a_long_value_is_never_quoted_whole() -> None:
    assert len(shown_value("x" * 5000)) == 60
    assert shown_value({"a": "secret"}) == "a mapping"
