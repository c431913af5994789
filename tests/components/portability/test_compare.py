"""A move keeps what the spec asks for, or says what it would lose."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.estimates import estimate_plan
from portway.models import find
from portway.portability.compare import Comparison, Difference, Relation, Side, Weight, compare
from portway.registry import load_target, registered
from portway.residency.boundary import boundary
from portway.target import Capabilities
from support import builders

TRAFFIC = {"requests_per_day": 2000, "input_tokens": 600, "output_tokens": 200}


def side(target: str, place: dict[str, Any] | None = None, **changed: Any) -> Side:
    spec = builders.spec(
        **{"scaling": {"min": 1, "max": 1, "concurrency": 8}, "traffic": TRAFFIC} | changed
    )
    model = find(spec.model)
    plan = builders.plan(spec, builders.placement(target, **(place or {})))
    used = load_target(target)
    return Side(f"chat.prod.{target}", spec, model, used, plan, estimate_plan(used, plan, spec, model))  # fmt: skip


def told(made: Comparison) -> dict[str, Weight]:
    return {one.what: one.weight for one in made.differences}


def breaking(made: Comparison) -> dict[str, tuple[str, str]]:
    return {one.what: (one.before, one.after) for one in made.breaking}


@pytest.mark.parametrize("target", registered())
def test_a_stack_beside_itself_differs_in_nothing_but_its_keys(target: str) -> None:
    one = side(target)
    made = compare(one, one)
    assert set(told(made)) <= {"API keys", "model identity"}
    assert made.breaking == ()


def test_the_same_weights_on_other_machines_are_the_same_model() -> None:
    made = compare(side("cloud-run"), side("kubernetes"))
    assert (made.model, made.breaking) == (Relation.EQUAL, ())
    assert told(made) == {
        "target": Weight.CHANGES,
        "too many requests": Weight.CHANGES,
        "API keys": Weight.CHANGES,
    }


def test_a_model_whose_revision_nobody_publishes_is_neither_equal_nor_different() -> None:
    made = compare(side("cloud-run"), side("lambda-bedrock"))
    assert made.model is Relation.UNKNOWN
    (told_of,) = [one for one in made.differences if one.what == "model identity"]
    assert told_of.weight is Weight.UNKNOWN
    assert "--accept-identity unknown" in told_of.because
    assert made.breaking == ()


def test_another_model_breaks_the_move() -> None:
    made = compare(side("cloud-run"), side("kubernetes", model="qwen3-8b"))
    assert made.model is Relation.DIFFERENT
    assert set(breaking(made)) == {"model identity", "model"}


@pytest.mark.parametrize(
    ("changed", "broken"),
    [
        ({"scaling": {"min": 1, "max": 2, "concurrency": 8}}, set[str]()),
        ({"scaling": {"min": 1, "max": 1, "concurrency": 4}}, {"scaling.concurrency"}),
        ({"timeout_seconds": 200}, {"timeout_seconds"}),
        ({"timeout_seconds": 400}, set[str]()),
        ({"residency": "de"}, {"residency"}),
        ({"access": {"auth": "api-key", "reach": "private"}}, {"access.reach"}),
        ({"budget": {"monthly_usd": 100}}, set[str]()),
        ({"traffic": {**TRAFFIC, "requests_per_day": 9}}, set[str]()),
        ({"name": "other"}, {"service"}),
    ],
)
def test_a_spec_that_asks_for_less_breaks_the_move(
    changed: dict[str, Any], broken: set[str]
) -> None:
    made = compare(side("cloud-run"), side("cloud-run", **changed))
    assert set(breaking(made)) == broken


def test_a_region_outside_the_boundary_that_is_left_breaks_the_move() -> None:
    one = side("cloud-run")
    moved = one.plan.model_copy(update={"region": "us-central1"})
    made = compare(one, replace(one, plan=moved))
    assert breaking(made) == {"region": ("europe-west4", "us-central1")}
    inside = one.plan.model_copy(update={"region": "europe-west1"})
    made = compare(one, replace(one, plan=inside))
    assert (told(made)["region"], made.breaking) == (Weight.CHANGES, ())


def test_what_the_spec_uses_and_the_other_target_cannot_breaks_the_move() -> None:
    one = side("cloud-run", scaling={"min": 0, "max": 1, "concurrency": 8})
    poor = replace(
        one.target,
        capabilities=Capabilities(
            auth=frozenset({"api-key"}), reach=frozenset({"public"}), scales_to_zero=False,
            streams=False, serves_own_weights=True,
        ),
    )  # fmt: skip
    made = compare(one, replace(one, target=poor))
    assert breaking(made) == {"streaming": ("yes", "no"), "scales to zero": ("yes", "no")}
    warm = side("cloud-run")
    made = compare(warm, replace(warm, target=poor))
    assert breaking(made) == {"streaming": ("yes", "no")}


def test_a_ceiling_above_the_budget_breaks_the_move_and_names_both_amounts() -> None:
    small = {"monthly_usd": 900}
    one = side("kubernetes", budget=small)
    other = side("cloud-run", budget=small)
    (found,) = compare(one, other).breaking
    assert found.what == "budget"
    assert found.because.endswith(
        "ceiling exceeds the 900 USD budget of chat; lower scaling.max or raise budget.monthly_usd"
    )


def test_what_has_no_rate_is_said_and_never_counted_as_free() -> None:
    one = side("kubernetes")
    far = side("kubernetes", {"region": "eu-west-1", "options": {"node": "g6.xlarge"}})
    made = compare(one, far)
    assert made.both is None
    (found,) = [one for one in made.differences if one.what == "price"]
    assert (found.weight, found.after) == (Weight.UNKNOWN, "unpriced")
    assert made.as_document()["both_running_usd_per_hour"] is None


def test_both_running_costs_both_and_the_bound_is_rounded_up() -> None:
    one, other = side("cloud-run"), side("kubernetes")
    made = compare(one, other)
    assert one.monthly is not None
    assert other.monthly is not None
    assert made.both is not None
    most = (one.monthly.ceiling + other.monthly.ceiling) / 730
    assert most <= made.both.at_most < most + Decimal("0.01")
    assert made.both.expected <= made.both.at_most


def test_key_generations_that_the_other_stack_lacks_are_told() -> None:
    made = compare(side("cloud-run", {"keys": ["2", "1"]}), side("cloud-run", {"keys": ["2"]}))
    assert Difference(
        "key generations", "2, 1", "2", Weight.CHANGES,
        "clients that still use it need another; add the generation to portway:placement",
    ) in made.differences  # fmt: skip


@given(
    left=st.sampled_from(sorted(registered())),
    right=st.sampled_from(sorted(registered())),
    smaller=st.booleans(),
)
def test_what_a_move_changes_its_way_back_changes_too(
    left: str, right: str, *, smaller: bool
) -> None:
    one = side(left)
    other = side(right, timeout_seconds=200 if smaller else 300)
    there, back = compare(one, other), compare(other, one)
    assert there.model is back.model
    assert set(told(there)) - {"budget"} == set(told(back)) - {"budget"}
    assert there.both == back.both
    assert bool(there.breaking) == smaller


def test_a_region_is_inside_exactly_as_the_boundary_says() -> None:
    one = side("cloud-run")
    for region in ("europe-west1", "europe-west2", "us-east1", "nowhere-1"):
        moved = replace(one, plan=one.plan.model_copy(update={"region": region}))
        is_inside = boundary(["eu"]).contains(region)
        assert (compare(one, moved).breaking == ()) is is_inside
