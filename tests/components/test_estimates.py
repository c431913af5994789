"""An estimate says what its traffic cannot mean: more than fits, longer than allowed, nothing at all."""

from typing import Any

import pytest

from portway.estimates import PlanEstimate, estimate_plan
from portway.models import find
from portway.registry import load_target, registered
from support import builders

SMALL = {"requests_per_day": 100}


def made(target: str, **changed: Any) -> PlanEstimate:
    spec = builders.spec(
        **{"scaling": {"min": 1, "max": 2, "concurrency": 4}, "traffic": SMALL, **changed}
    )
    plan = builders.plan(spec, builders.placement(target))
    return estimate_plan(load_target(target), plan, spec, find(spec.model))


def said(found: PlanEstimate, part: str) -> list[str]:
    return [one for one in found.estimate.assumptions if part in one]


@pytest.mark.parametrize("target", registered())
def test_requests_that_do_not_fit_are_named(target: str) -> None:
    (sentence,) = said(made(target, traffic={"requests_per_day": 1_000_000}), "turned away")
    assert sentence.startswith("of 30,416,667 requests a month ")
    assert " fit into 8 at once: " in sentence
    assert said(made(target), "turned away") == []


@pytest.mark.parametrize("target", registered())
def test_requests_that_are_cut_off_are_named(target: str) -> None:
    (sentence,) = said(made(target, timeout_seconds=2), "cut off")
    assert "longer than timeout_seconds (2)" in sentence
    assert said(made(target), "cut off") == []


@pytest.mark.parametrize("target", registered())
def test_without_traffic_only_floor_and_ceiling_are_given(target: str) -> None:
    document = made(target, traffic=None).as_document("chat.prod.x")
    monthly = document["monthly"]
    assert isinstance(monthly, dict)
    assert [key for key, value in monthly.items() if value is None] == ["expected_low", "expected"]  # pyright: ignore[reportUnknownVariableType]
    assert said(made(target, traffic=None), "traffic is missing")


def test_zonal_redundancy_and_the_machine_are_named() -> None:
    options = {"gpu_zonal_redundancy": True, "cpu": 4, "memory_gib": 16}
    spec = builders.spec(traffic=SMALL)
    plan = builders.plan(spec, builders.placement("cloud-run", options=options))
    found = estimate_plan(load_target("cloud-run"), plan, spec, find(spec.model))
    assert said(found, "service: 0 to 1 instances") == [
        "service: 0 to 1 instances of 1 nvidia-l4 with zonal redundancy, 5 vCPU and 16.5 GiB, billed "
        "while they exist"
    ]
    gpu = next(line for line in found.estimate.lines if line.item == "gpu")
    assert str(gpu.as_document()["rate"]) == "0.0002909"
