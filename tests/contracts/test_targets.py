"""What every target promises, whatever the cloud. A new target is judged here unasked."""

import inspect
import json
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest
from pydantic import ValidationError

from portway.errors import Refused
from portway.gate.values import Known, View
from portway.inference_service import InferenceService
from portway.models import find
from portway.registry import load_target, registered
from portway.spec.load import Stack, judge_stack
from portway.target import Plan
from support import builders, golden
from support.mock_engine import COMPUTED, Created, Run, deploy

ROOT = Path(__file__).resolve().parents[2]
OUTPUTS = {"endpoint", "region", "identity", "apiKey"}
STACK_OUTPUTS = {"endpoint", "apiKey", "target", "region", "model", "modelIdentity", "service"}

every_target = pytest.mark.parametrize("name", registered())


@cache
def stack_of(name: str) -> Stack:
    """The committed stack of a target."""
    judged = judge_stack(ROOT, f"chat.prod.{name}")
    assert judged.stack is not None, [str(problem) for problem in judged.problems]
    return judged.stack


@cache
def plan_of(name: str) -> Plan:
    """The plan of a target's committed stack."""
    return builders.plan(stack_of(name).spec, stack_of(name).placement)


@cache
def run_of(name: str) -> Run[Any]:
    return golden.deployed(plan_of(name))


@cache
def runs_of(name: str) -> tuple[tuple[Plan, Run[Any]], ...]:
    """The committed stack and every golden case of a target that is not refused, created."""
    found = [(plan_of(name), run_of(name))]
    for case, row in golden.cases().items():
        if case.endswith(f"@{name}"):
            try:
                plan = golden.planned(row)
            except Refused:
                continue
            found.append((plan, golden.deployed(plan)))
    return tuple(found)


def made(run: Run[Any]) -> list[Created]:
    """The resources a cloud sees: neither components nor providers."""
    return [
        item
        for item in run.created
        if not item.is_component and not item.type.startswith("pulumi:providers:")
    ]


@every_target
def test_a_target_is_registered_under_its_own_name(name: str) -> None:
    assert load_target(name).name == name


@every_target
def test_a_plan_survives_json_and_back(name: str) -> None:
    for plan, _ in runs_of(name):
        assert type(plan).model_validate_json(plan.model_dump_json()) == plan


@every_target
def test_a_plan_is_frozen_and_takes_no_pulumi_output(name: str) -> None:
    plan = plan_of(name)
    with pytest.raises(ValidationError):
        plan.region = "elsewhere"
    output: object = deploy(lambda: pulumi.Output.from_input("later")).returned
    for field in type(plan).model_fields:
        with pytest.raises(ValidationError):
            type(plan).model_validate({**plan.model_dump(), field: output})


@every_target
def test_a_plan_repeats_what_the_spec_declares(name: str) -> None:
    stack, plan = stack_of(name), plan_of(name)
    assert (plan.target, plan.service, plan.environment) == (name, "chat", "prod")
    assert (plan.region, plan.model) == (stack.placement.region, stack.spec.model)
    assert (plan.boundary, plan.auth, plan.keys) == (("eu",), "api-key", ("1",))
    assert plan.monthly_budget_usd is not None
    assert plan.model_identity.startswith(find(stack.spec.model).weights + "@")


@every_target
def test_options_that_do_not_exist_are_refused_by_name(name: str) -> None:
    stack = stack_of(name)
    place = stack.placement
    place = place.model_copy(update={"options": {**place.options, "colour": "red"}})
    with pytest.raises((Refused, ValidationError)) as refused:
        builders.plan(stack.spec, place)
    assert "colour" in str(refused.value)


@every_target
def test_planning_loads_no_pulumi(name: str) -> None:
    program = (
        "import sys; from pathlib import Path; from portway.spec.load import Stack, judge_stack; "
        f"judged = judge_stack(Path({str(ROOT)!r}), 'chat.prod.{name}'); assert judged.plan; "
        "print(sorted({m.split('.')[0] for m in sys.modules} & "
        "{'pulumi', 'pulumi_aws', 'pulumi_gcp', 'pulumi_kubernetes', 'boto3', 'botocore', 'grpc'}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


@every_target
def test_a_component_takes_a_name_a_plan_and_options(name: str) -> None:
    module, _, class_name = load_target(name).component.partition(":")
    component = getattr(import_module(module), class_name)
    assert issubclass(component, pulumi.ComponentResource)
    assert list(inspect.signature(component).parameters) == ["name", "plan", "opts"]


@every_target
def test_every_child_descends_from_its_component(name: str) -> None:
    for _, run in runs_of(name):
        (component,) = [item for item in run.created if item.is_component]
        assert component.parent == ""
        orphans = [i.name for i in run.created if i is not component and i.parent != component.name]
        assert orphans == []


@every_target
def test_two_services_of_one_program_do_not_share_names(name: str) -> None:
    plan = plan_of(name)
    module, _, class_name = load_target(name).component.partition(":")
    component = getattr(import_module(module), class_name)
    run = deploy(lambda: [component("one", plan), component("two", plan)])
    assert len({item.urn for item in run.created}) == len(run.created)


@every_target
def test_a_component_registers_the_contracts_outputs(name: str) -> None:
    for plan, run in runs_of(name):
        (component,) = [item for item in run.created if item.is_component]
        outputs = next(out for urn, out in run.outputs.items() if urn == component.urn)
        assert set(outputs) == (OUTPUTS if plan.keys else OUTPUTS - {"apiKey"})
        assert outputs["endpoint"] == run.resolved["endpoint"]
        assert run.resolved["region"] == plan.region
        assert run.resolved["identity"]


@every_target
def test_an_endpoint_is_a_url_without_a_trailing_slash(name: str) -> None:
    for _, run in runs_of(name):
        assert str(run.resolved["endpoint"]).startswith(("https://", "http://"))
        assert not str(run.resolved["endpoint"]).endswith("/")


@every_target
def test_an_api_key_is_secret_and_without_keys_there_is_none(name: str) -> None:
    for plan, run in runs_of(name):
        passwords = run.of("random:index/randomPassword:RandomPassword")
        generated = [one for one in passwords if "-key-" in one.name]
        assert len(generated) == len(plan.keys)
        if plan.keys:
            assert run.secret["api_key"]
            assert str(run.resolved["api_key"]).startswith("pw-")
            assert len(str(run.resolved["api_key"])) == len("pw-") + 40
        else:
            assert run.resolved["api_key"] is None


@every_target
def test_every_key_generation_is_valid_and_none_is_stored_in_clear(name: str) -> None:
    plan = plan_of(name).model_copy(update={"keys": ("2", "1")})
    run = golden.deployed(plan)
    keys = [
        f"pw-{item}"
        for item in (_password(run, f"chat-key-{generation}") for generation in plan.keys)
    ]
    assert run.resolved["api_key"] == keys[0]
    document = json.dumps({"keys": keys})
    holders = [item for item in run.created if document in _strings(item.inputs)]
    assert len(holders) == 1, "one secret holds the whole key document"
    clear = [text for item in run.created for text in _strings(item.inputs, skip="(secret)")]
    assert [text for text in clear if any(key in text for key in keys)] == []


def _password(run: Run[Any], logical_name: str) -> str:
    (found,) = [item for item in run.created if item.name == logical_name]
    return str(COMPUTED[found.type](found.name, found.inputs)["result"])


def _strings(value: Any, *, skip: str = "") -> list[str]:
    """Every text in ``value``, but for what is under the key ``skip``."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return [text for key, child in items if key != skip for text in _strings(child, skip=skip)]
    if isinstance(value, list):
        children = cast("list[Any]", value)
        return [text for child in children for text in _strings(child, skip=skip)]
    return [value] if isinstance(value, str) else []


@every_target
def test_every_created_type_has_facts(name: str) -> None:
    facts = load_target(name).facts
    for _, run in runs_of(name):
        assert sorted({item.type for item in made(run)} - set(facts)) == []


@every_target
def test_facts_find_the_region_on_what_is_created(name: str) -> None:
    facts = load_target(name).facts
    for plan, run in runs_of(name):
        for item in made(run):
            paths = facts[item.type].region
            if paths:
                seen = View(item.inputs).first(paths)
                assert [s.value for s in seen if isinstance(s, Known)] == [plan.region], item


@every_target
def test_facts_find_a_declared_maximum(name: str) -> None:
    facts = load_target(name).facts
    for _, run in runs_of(name):
        maxima = [
            View(item.inputs).get(path)
            for item in made(run)
            if (path := facts[item.type].maximum) is not None
        ]
        assert any(isinstance(seen, Known) and seen.value >= 1 for seen in maxima)


@every_target
def test_nothing_a_gate_reads_is_unknown_at_the_first_preview(name: str) -> None:
    facts = load_target(name).facts
    run = golden.deployed(plan_of(name), preview=True)
    for item in made(run):
        fact = facts[item.type]
        read = (*fact.region, *fact.model_routes, *fact.gpus, *filter(None, [fact.maximum]))
        texts = [text for path in read for seen in View(item.inputs).leaves(path)
                 for text in [getattr(seen, "value", None)]]  # fmt: skip
        assert "(unknown)" not in texts, item


@every_target
def test_a_stack_exports_the_same_names_on_every_target(name: str) -> None:
    stack = stack_of(name)
    spec, place = stack.spec, stack.placement
    run = deploy(lambda: InferenceService("chat", spec, place), read=lambda made: made.outputs)
    assert set(run.resolved) == STACK_OUTPUTS
    assert {key for key, is_secret in run.secret.items() if is_secret} == {"apiKey"}
    assert run.resolved["target"] == name
    assert run.resolved["region"] == place.region
    assert run.resolved["modelIdentity"] == plan_of(name).model_identity


@every_target
def test_what_a_target_says_it_cannot_do_it_refuses(name: str) -> None:
    target = load_target(name)
    stack = stack_of(name)
    for field, offered, known in (
        ("auth", target.capabilities.auth, ("api-key", "iam")),
        ("reach", target.capabilities.reach, ("public", "private")),
    ):
        for value in set(known) - offered:
            access = {"auth": "api-key", "reach": "public", field: value}
            with pytest.raises(Refused) as refused:
                builders.plan(builders.spec(access=access), stack.placement)
            assert f"access.{field}" in [problem.path for problem in refused.value.problems]
