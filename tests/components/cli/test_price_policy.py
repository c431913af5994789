"""``portway price --without``: what a boundary or a second zone adds to a stack's month."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portway.advice.policy_price import policy_price, promises
from portway.estimates import estimate_plan
from portway.gate.reports import markdown
from portway.models import find
from portway.pricing.estimate import Monthly
from portway.registry import load_target, registered
from portway.residency.boundary import boundary
from portway.spec import InferenceServiceSpec
from portway.target import Placement
from support import builders
from support.command_line import CommandLine
from support.gate_reports import nowhere, run_of, stack_report

PROJECT = Path(__file__).resolve().parents[3]
TARGETS = tuple(load_target(name) for name in registered())


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)


def spec_of(**changed: Any) -> InferenceServiceSpec:
    scaling = {"min": 1, "max": 2, "concurrency": 8}
    return builders.spec(**{"scaling": scaling, "traffic": {"requests_per_day": 2000}, **changed})


def cost(spec: InferenceServiceSpec, place: Placement) -> Monthly:
    target = load_target(place.target)
    plan = target.plan(spec, find(spec.model), place)
    monthly = estimate_plan(target, plan, spec, find(spec.model)).estimate.monthly
    assert monthly is not None
    return monthly


@pytest.mark.parametrize("target", registered())
def test_a_boundary_never_costs_less_than_nothing(target: str) -> None:
    spec, place = spec_of(), builders.placement(target)
    here = cost(spec, place)
    found = policy_price("chat", spec, place, here, "residency", TARGETS)
    assert found.same_target is not None
    assert found.all_targets is not None
    assert found.inside is not None
    assert found.all_targets.monthly.expected <= found.same_target.monthly.expected
    assert found.same_target.monthly.expected <= found.inside.monthly.expected <= here.expected
    assert boundary(["eu"]).contains(found.inside.region)
    assert found.adds == here.expected - found.same_target.monthly.expected


def test_the_cheapest_place_without_the_boundary_costs_what_a_stack_there_would() -> None:
    spec, place = spec_of(), builders.placement("cloud-run")
    found = policy_price("chat", spec, place, cost(spec, place), "residency", TARGETS)
    assert found.same_target is not None
    moved = place.model_copy(update={"region": found.same_target.region})
    assert found.same_target.monthly == cost(spec.model_copy(update={"residency": None}), moved)


def test_a_stack_on_lambda_takes_its_region_setting_along() -> None:
    spec, place = spec_of(), builders.placement("lambda-bedrock")
    found = policy_price("chat", spec, place, cost(spec, place), "residency", TARGETS)
    assert found.same_target is not None
    assert found.same_target.region == "us-east-1"


def test_zonal_redundancy_costs_the_dearer_gpu() -> None:
    spec = spec_of()
    plain = builders.placement("cloud-run")
    zonal = builders.placement("cloud-run", options={"gpu_zonal_redundancy": True})
    here = cost(spec, zonal)
    found = policy_price("chat", spec, zonal, here, "zonal-redundancy", TARGETS)
    assert found.adds == here.expected - cost(spec, plain).expected
    # 0.0002909 - 0.0001867 USD a second, for one instance all month
    assert found.adds == pytest.approx(Decimal("273.84"), abs=Decimal("0.02"))
    assert list(promises(spec, zonal, TARGETS)) == ["residency", "zonal-redundancy"]
    assert "zonal-redundancy" not in promises(spec, plain, TARGETS)


def test_the_document_carries_the_price_of_each_promise(portway: CommandLine) -> None:
    ran = portway("price", "chat.prod.kubernetes", "--without", "residency", "--json")
    assert ran.code == 0
    (one,) = ran.json["policy_price"]
    assert one["without"] == "residency"
    here = Decimal(ran.json["monthly"]["expected"])
    there = Decimal(one["same_target"]["monthly"]["expected"])
    assert Decimal(one["same_target"]["adds"]["expected"]) == here - there
    assert set(one["all_targets"]) == {"target", "region", "monthly", "adds"}
    assert "policy_price" not in portway("price", "chat.prod.kubernetes", "--json").json


def test_the_table_fits_a_hundred_columns(portway: CommandLine) -> None:
    out = portway("price", "chat.prod.kubernetes", "--without", "residency", "--no-color").out
    assert max(map(len, out.splitlines())) <= 100
    assert "what the boundary eu adds to chat.prod.kubernetes" in out


@pytest.mark.parametrize(
    ("stack", "name", "message"),
    [
        ("chat.prod.cloud-run", "taxes", "choose one of residency, zonal-redundancy"),
        ("chat.prod.cloud-run", "zonal-redundancy", "has no zonal-redundancy"),
        ("chat.prod.lambda-bedrock", "zonal-redundancy", "choose one of residency"),
    ],
)
def test_a_promise_that_the_stack_does_not_make_is_bad_input(
    portway: CommandLine, stack: str, name: str, message: str
) -> None:
    ran = portway("price", stack, "--without", name)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_the_gate_tells_in_markdown_what_promises_cost() -> None:
    spec, place = spec_of(), builders.placement("kubernetes")
    found = policy_price("chat.prod.x", spec, place, cost(spec, place), "residency", TARGETS)
    assert found.sentence.startswith("the boundary eu adds 115 USD a month as expected and 194 USD")
    report = run_of(stack_report())

    priced = replace(report, prices=(f"{found.stack}: {found.sentence}",))
    assert "<summary>What promises cost</summary>" not in markdown.text(report, nowhere())
    text = markdown.text(priced, nowhere())
    assert "<summary>What promises cost</summary>" in text
    assert "the boundary eu adds 115 USD a month" in text
