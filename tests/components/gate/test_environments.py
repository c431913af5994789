"""Where people only try things."""

import pytest

from portway.gate.context import CostContext
from portway.gate.environments import Trial, labels, trial
from portway.gate.resource import SERVICE_TYPE, Provider, Resource, Stack
from portway.gate.values import View


def one(stack: str = "", tags: object = None, defaults: object = None) -> Resource:
    held = Provider("p", "urn:p", View({"defaultTags": defaults}))
    return Resource(f"urn:pulumi:{stack}::shop::t::n", "n", "t", View({"tags": tags}), held)


def is_tried(resource: Resource, *others: Resource) -> bool:
    return trial(resource, CostContext(), Stack.of([resource, *others])) is Trial.YES


@pytest.mark.parametrize(
    "stack",
    ["my-dev", "chat.dev.cloud-run", "staging", "qa2", "alice-sandbox", "pr1234", "PR-7", "Test"],
)
def test_the_name_of_a_stack_says_that_it_is_for_trials(stack: str) -> None:
    assert is_tried(one(stack))


@pytest.mark.parametrize(
    "stack",
    ["chat.prod.kubernetes", "main", "devices", "latest", "load-test.prod", "live", "x" * 300, ""],
)
def test_another_name_says_nothing_of_the_kind(stack: str) -> None:
    assert not is_tried(one(stack))


def test_what_a_resource_says_of_itself_counts_before_its_provider_and_its_stack() -> None:
    assert not is_tried(one("dev", {"Environment": "prod"}))
    assert is_tried(one("main", {"app:env": "dev"}, {"tags": {"env": "prod"}}))
    assert not is_tried(one("dev", {}, '{"tags": {"env": "production"}}'))
    assert not is_tried(one("dev", None, {"environment": "prd"}))
    assert is_tried(one("qa", {"Environment": "blue", "name": "prod"}))


def test_tags_come_as_a_mapping_or_as_a_list() -> None:
    assert list(labels(one(tags=[{"key": "a", "value": "b"}, "c"], defaults={"d": "e"}))) == [
        ("a", "b"),
        ("d", "e"),
    ]


@pytest.mark.parametrize("tags", [3, "text", [None], {"env": 3}, {"env": ["dev"]}])
def test_tags_of_another_shape_say_nothing(tags: object) -> None:
    assert not is_tried(one("main", tags, tags))


@pytest.mark.parametrize(
    ("stack", "is_for_trials"),
    [
        ("chat.dev.kubernetes", True),
        ("dev.prod.kubernetes", False),
        ("chat.prod.dev", False),
        ("dev", False),
        ("staging", False),
        ("chat.dev", False),
        ("a.chat.dev.kubernetes", False),
    ],
)
def test_the_environment_of_a_service_is_the_middle_of_its_stacks_name(
    stack: str, *, is_for_trials: bool
) -> None:
    service = Resource(f"urn:pulumi:{stack}::shop::s::s", "s", SERVICE_TYPE, View({}))
    assert is_tried(one(stack), service) is is_for_trials


def test_before_the_stack_is_known_only_tags_count() -> None:
    assert trial(one("staging"), CostContext(), None) is Trial.NO
    assert trial(one("main", {"env": "dev"}), CostContext(), None) is Trial.YES


def test_the_name_of_a_first_stack_says_little() -> None:
    first = one("dev")
    assert trial(first, CostContext(), Stack.of([first])) is Trial.PERHAPS


@pytest.mark.parametrize(
    ("stack", "expected"), [("dev", Trial.NO), ("eu-dev", Trial.NO), ("main", Trial.YES)]
)
def test_what_is_configured_of_a_stack_counts_before_its_name(stack: str, expected: Trial) -> None:
    context = CostContext(environments=(("*dev", "production"), ("main", "trial"), ("*", "trial")))
    assert trial(one(stack), context, None) is expected
    assert trial(one(stack, {"env": "qa"}), context, None) is Trial.YES
