"""What belongs together in a stack: by what the engine says of inputs, or by a name that is written."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from portway.gate.links import beside, meant, of_types, sources
from portway.gate.resource import Resource, Stack
from portway.gate.values import UNKNOWN, View

QUEUE = "aws:sqs/queue:Queue"
FUNCTION = "aws:lambda/function:Function"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
POLICY = "aws:sqs/redrivePolicy:RedrivePolicy"


def one(name: str, token: str, tree: Mapping[str, Any], **depends_on: str) -> Resource:
    hangs = {path: (f"urn:{urn}",) for path, urn in depends_on.items()}
    return Resource(f"urn:{name}", name, token, View(tree), depends_on=hangs)


def names(found: Sequence[Resource]) -> list[str]:
    return [item.name for item in found]


JOBS = one("jobs", QUEUE, {"name": "jobs"})
MAIL = one("mail", QUEUE, {"name": "mail"})
WORKER = one("worker", FUNCTION, {"name": "worker", "id": ""})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("jobs", ["jobs"]),
        ("arn:aws:sqs:eu-west-1:111122223333:mail", ["mail"]),
        ("https://sqs.eu-west-1.amazonaws.com/111122223333/mail", ["mail"]),
        ("worker", []),
        ("unheard-of", []),
        ("", []),
        (4, []),
    ],
)
def test_a_literal_means_what_has_that_name_and_is_of_the_type(
    value: object, expected: list[str]
) -> None:
    asking = one("asking", MAPPING, {"eventSourceArn": value})
    stack = Stack.of([JOBS, MAIL, WORKER, asking])
    assert names(meant(asking, "eventSourceArn", stack, {QUEUE})) == expected


def test_an_unknown_means_where_it_comes_from() -> None:
    asking = one("asking", MAPPING, {"eventSourceArn": UNKNOWN}, eventSourceArn="mail")
    stack = Stack.of([JOBS, MAIL, asking])
    assert names(meant(asking, "eventSourceArn", stack, {QUEUE})) == ["mail"]
    assert names(meant(asking, "eventSourceArn", stack, {FUNCTION})) == []
    assert names(meant(asking, "functionName", stack, {QUEUE})) == []


def test_a_name_says_more_than_where_a_whole_property_comes_from() -> None:
    asking = one("asking", MAPPING, {"a": {"queue": "jobs"}}, a="mail")
    stack = Stack.of([JOBS, MAIL, asking])
    assert names(meant(asking, "a.queue", stack, {QUEUE})) == ["jobs"]
    assert names(sources(asking, "a.queue", stack, {QUEUE})) == ["mail"]


def test_what_is_gone_is_the_source_of_nothing() -> None:
    asking = one("asking", MAPPING, {"eventSourceArn": UNKNOWN}, eventSourceArn="gone")
    assert sources(asking, "eventSourceArn", Stack.of([asking]), {QUEUE}) == []


def test_nothing_is_meant_by_its_own_name() -> None:
    stack = Stack.of([JOBS])
    assert meant(JOBS, "name", stack, {QUEUE}) == []


def test_beside_something_is_what_hangs_on_it_or_names_it() -> None:
    by_urn = one("by-urn", POLICY, {"queueUrl": UNKNOWN}, queueUrl="jobs")
    by_name = one("by-name", POLICY, {"deep": [{"queueUrl": "https://x/1/jobs"}]})
    of_mail = one("of-mail", POLICY, {"queueUrl": "mail"}, queueUrl="mail")
    other = one("other", MAPPING, {"eventSourceArn": "jobs"}, eventSourceArn="jobs")
    stack = Stack.of([JOBS, MAIL, by_urn, by_name, of_mail, other])
    assert names(list(beside(JOBS, stack, (POLICY,)))) == ["by-urn", "by-name"]


def test_a_resource_without_a_name_has_beside_it_only_what_hangs_on_it() -> None:
    nameless = one("nameless", QUEUE, {})
    empty = one("empty", POLICY, {"queueUrl": ""})
    assert list(beside(nameless, Stack.of([nameless, empty]), (POLICY,))) == []


def test_types_are_found_in_the_order_they_are_asked_for() -> None:
    stack = Stack.of([WORKER, JOBS, MAIL])
    assert names(of_types(stack, (QUEUE, FUNCTION))) == ["jobs", "mail", "worker"]
    assert of_types(stack, (POLICY,)) == ()
