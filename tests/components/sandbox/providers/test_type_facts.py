import re

import pytest

from portway.sandbox.providers import type_facts
from portway.sandbox.providers.schema import Sdk

CLOUDS = [("google", "gcp"), ("amazon", "aws"), ("randomness", "random")]
REPLACES = type_facts.replacements()["types"]


@pytest.mark.parametrize(("table", "package"), CLOUDS)
def test_the_tables_speak_only_of_types_and_properties_the_sdk_has(
    table: str, package: str
) -> None:
    sdk, wrong = Sdk(package), list[str]()
    for token, facts in type_facts.load(table).items():
        declared = sdk.resource(token)
        unknown = (facts.outputs.keys() | facts.defaults.keys()) - declared.outputs
        wrong += [f"{token}: {name}" for name in sorted(unknown)]
    assert wrong == []


@pytest.mark.parametrize("token", sorted(REPLACES))
def test_what_forces_a_replacement_is_an_input_of_its_type(token: str) -> None:
    declared = Sdk(token.split(":", maxsplit=1)[0]).resource(token)
    assert {re.split(r"[.\[]", p)[0] for p in REPLACES[token]} - {"*"} <= declared.inputs.keys()


def test_a_type_outside_the_table_is_replaced_when_it_moves_or_its_documentation_says_so() -> None:
    subscription = Sdk("gcp").resource("gcp:pubsub/subscription:Subscription")
    assert {"name", "project"} <= type_facts.replaces("gcp", subscription)
    assert "ackDeadlineSeconds" not in type_facts.replaces("gcp", subscription)


def test_a_member_of_a_policy_is_replaced_whatever_changes() -> None:
    member = Sdk("gcp").resource("gcp:pubsub/topicIAMMember:TopicIAMMember")
    assert type_facts.replaces("gcp", member) == {"*"}


def test_made_up_ids_are_the_same_for_the_same_resource_only() -> None:
    template = {"a": "{hex:8}", "b": ["{uuid}", "{digits:5}-{name}"], "c": 3}
    once = type_facts.fill(template, {"name": "x"}, "seed")
    assert once == type_facts.fill(template, {"name": "x"}, "seed")
    assert once != type_facts.fill(template, {"name": "x"}, "other")
    assert re.fullmatch(r"[0-9a-f]{8}", once["a"])
    assert re.fullmatch(r"\d{5}-x", once["b"][1])
    assert once["c"] == 3
