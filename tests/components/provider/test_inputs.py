"""What a program asks for is judged as a stack's files are, and refused in its own words."""

from typing import Any

import pytest

from portway.errors import BadInput
from portway.provider.inputs import Asked, read_inputs
from portway.spec.scaling import Scaling

SPEC: dict[str, Any] = {
    "model": "ministral-3-8b",
    "scaling": {"min": 0.0, "max": 2.0},
    "residency": ["eu"],
    "budget": {"monthlyUsd": 2500.0},
}
BEDROCK: dict[str, Any] = {"spec": SPEC, "target": "lambda-bedrock", "region": "eu-west-1"}
CLOUD_RUN: dict[str, Any] = {"spec": SPEC, "target": "cloud-run", "region": "europe-west4"}


def asked(inputs: dict[str, Any], **config: Any) -> Asked:
    return read_inputs("chat", inputs, stack="chat.prod.shop", config=config)


def problems(inputs: dict[str, Any], *, target: str | None = None, **config: Any) -> dict[str, str]:
    with pytest.raises(BadInput) as refusal:
        read_inputs("chat", inputs, stack="dev", config=config, target=target)
    return {one.path: one.message for one in refusal.value.problems}


def test_a_service_is_called_as_its_resource_and_placed_as_its_stack() -> None:
    found = asked(BEDROCK)
    assert (found.spec.name, found.spec.scaling) == ("chat", Scaling(min=0, max=2))
    assert (found.placement.environment, found.plan.service) == ("prod", "chat")
    own = asked({**BEDROCK, "environment": "eu-blue", "spec": {**SPEC, "name": "talk"}})
    assert (own.spec.name, own.placement.environment) == ("talk", "eu-blue")


def test_a_stack_of_any_name_is_an_environment() -> None:
    found = read_inputs("chat", BEDROCK, stack="Dev_2", config={})
    assert found.placement.environment == "dev-2"


def test_settings_come_from_the_stack_unless_the_inputs_say_otherwise() -> None:
    config = {"gcp:project": "of-the-stack", "portway:spec": "no.yaml"}
    assert asked(CLOUD_RUN, **config).placement.settings["gcp:project"] == "of-the-stack"
    told = {**CLOUD_RUN, "settings": {"gcp:project": "of-the-inputs"}}
    assert asked(told, **config).placement.settings["gcp:project"] == "of-the-inputs"


def test_options_reach_their_target() -> None:
    found = asked({**BEDROCK, "options": {"memoryMb": 2048.0}})
    assert found.placement.options == {"memory_mb": 2048}


@pytest.mark.parametrize(
    ("inputs", "path", "message"),
    [
        ({**BEDROCK, "target": "moon"}, "target", "is 'moon', which is no target; choose one of"),
        ({"spec": SPEC, "region": "eu-west-1"}, "target", "is missing; choose one of"),
        ({"target": "lambda-bedrock", "region": "eu-west-1"}, "spec", "is missing"),
        ({**BEDROCK, "spec": "chat"}, "spec", "must be an object"),
        ({**BEDROCK, "spec": {**SPEC, "name": 5}}, "spec.name", "must be text"),
        ({**BEDROCK, "spec": {**SPEC, "name": "Chat 1"}}, "spec.name", "DNS label"),
        ({**BEDROCK, "spec": {**SPEC, "timeOut": 5}}, "spec.timeOut", "is not a field"),
        (
            {**BEDROCK, "spec": {**SPEC, "timeoutSecond": 5}},
            "spec.timeoutSecond",
            "is not a field; did you mean timeoutSeconds?",
        ),
        ({**BEDROCK, "spec": {**SPEC, "timeoutSeconds": 0}}, "spec.timeoutSeconds", "is 0"),
        ({**BEDROCK, "spec": {**SPEC, "scaling": {"max": 0}}}, "spec.scaling.max", "is 0"),
        ({**BEDROCK, "spec": {**SPEC, "model": "gpt-9"}}, "spec.model", "gpt-9"),
        ({**BEDROCK, "spec": {**SPEC, "residency": ["mars"]}}, "spec.residency", "mars"),
        ({**BEDROCK, "region": "europe-west4"}, "region", "europe-west4"),
        ({**BEDROCK, "options": {"memoryMb": 1}}, "options.memoryMb", "is 1"),
        ({**BEDROCK, "options": {"memory": 1}}, "options.memory", "is not a field"),
        ({**BEDROCK, "environment": "Prod!"}, "environment", "is 'Prod!'"),
        ({**BEDROCK, "zone": "a"}, "zone", "is not an input"),
        (CLOUD_RUN, 'settings["gcp:project"]', "is not set"),
    ],
)
def test_what_cannot_be_used_is_refused_at_its_input(
    inputs: dict[str, Any], path: str, message: str
) -> None:
    found = problems(inputs)
    assert path in found
    assert message in found[path]
    assert all("placement" not in one and "portway:" not in one for one in found)


def test_every_problem_is_named_at_once() -> None:
    spec = {**SPEC, "scaling": {"min": 3.0, "max": 2.0}, "model": "gpt-9", "nonsense": 1}
    found = problems({**BEDROCK, "spec": spec})
    assert {"spec.scaling.max", "spec.model", "spec.nonsense"} <= set(found)


def test_the_component_of_one_target_takes_no_other() -> None:
    found = problems(BEDROCK, target="lambda-bedrock")
    assert found["target"].startswith("is not an input")
