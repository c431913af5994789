"""Every field of a spec means one thing on every target: here is the test of it, or the refusal.

A field that is added to the spec, or a target that is registered, fails here until what it means is
shown: by tests of what is deployed and answers (they are named, and must exist), by a refusal that is
tried here, or, for what only says what to expect, by the estimate that it changes.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from portway.errors import Problem
from portway.estimates import estimate_plan
from portway.models import find
from portway.pricing.estimate import Monthly
from portway.registry import load_target, registered
from portway.spec import InferenceServiceSpec
from support import builders

ROOT = Path(__file__).resolve().parents[2]
CLOUD_RUN, LAMBDA, CLUSTER = "cloud-run", "lambda-bedrock", "kubernetes"
ONE = {"min": 1, "max": 1, "concurrency": 8}
TRAFFIC: Mapping[str, Any] = {"requests_per_day": 2000, "input_tokens": 600, "output_tokens": 200}


@dataclass(frozen=True)
class Held:
    """A test of what is deployed shows it: ``file::function`` below ``tests/``."""

    test: str


@dataclass(frozen=True)
class Refused:
    """A value that the target cannot honour is refused, at ``path``."""

    spec: Mapping[str, Any]
    path: str


@dataclass(frozen=True)
class Estimated:
    """Another value of the traffic changes what to expect of a month; ``same`` where it must not."""

    traffic: Mapping[str, Any]
    same: bool = False


Meaning = Held | Refused | Estimated
Row = Mapping[str, tuple[Meaning, ...]]


def everywhere(*meanings: Meaning) -> Row:
    """The same on every target that there is today."""
    return dict.fromkeys((CLOUD_RUN, LAMBDA, CLUSTER), meanings)


def also(row: Row, **more: Meaning) -> Row:
    """``row`` with one meaning more for some targets, named with underscores."""
    extra = {name.replace("_", "-"): meaning for name, meaning in more.items()}
    return {name: (*held, *([extra[name]] if name in extra else [])) for name, held in row.items()}


THREE, FEW = "sandbox/test_three_targets.py", "sandbox/test_metered.py"
RUN, FUNCTION, PODS = (
    f"sandbox/test_dataplane_{name}.py" for name in ("cloud_run", "lambda", "kubernetes")
)

SCALING = everywhere(
    Held(f"{FEW}::test_one_at_once_and_one_at_most_are_never_two_answers_at_a_time")
)
MATRIX: Mapping[str, Row] = {
    "name": everywhere(Held(f"{THREE}::test_the_three_stacks_export_the_same_outputs")),
    "model": everywhere(
        Held(f"{THREE}::test_models_lists_the_one_model"),
        Held(f"{THREE}::test_an_unknown_model_is_404_with_an_error_object"),
    ),
    "interface": everywhere(
        Held("sandbox/test_conformance.py::test_every_target_keeps_the_whole_contract")
    ),
    "scaling.min": also(
        everywhere(Held(f"{FEW}::test_a_minimum_of_one_keeps_one_that_nobody_asked")),
        cloud_run=Held(f"{RUN}::test_it_scales_to_zero_when_idle_and_starts_again_on_a_request"),
        lambda_bedrock=Held(f"{FUNCTION}::test_idle_environments_are_ended_and_used_ones_are_kept"),
        kubernetes=Refused({"scaling": {**ONE, "min": 0}}, "scaling.min"),
    ),
    "scaling.max": also(
        SCALING,
        cloud_run=Held(f"{RUN}::test_requests_beyond_concurrency_and_instances_are_turned_away"),
        lambda_bedrock=Held(f"{FUNCTION}::test_reserved_concurrency_throttles_with_429"),
        kubernetes=Held(f"{PODS}::test_replicas_share_the_requests_and_follow_the_number_wanted"),
    ),
    "scaling.concurrency": SCALING,
    "timeout_seconds": also(
        everywhere(Held(f"{FEW}::test_a_request_ends_at_the_timeout")),
        lambda_bedrock=Refused({"timeout_seconds": 3600}, "timeout_seconds"),
    ),
    "access.auth": also(
        everywhere(Held(f"{THREE}::test_a_wrong_key_is_401_with_an_error_object")),
        cloud_run=Held(f"{RUN}::test_an_invoker_with_an_id_token_for_the_service_is_let_in"),
        lambda_bedrock=Held(f"{FUNCTION}::test_iam_authorization_wants_a_signature_of_somebody_who_may"),
        kubernetes=Refused({"access": {"auth": "iam"}, "scaling": ONE}, "access.auth"),
    ),
    "access.reach": also(
        everywhere(Held(f"{THREE}::test_an_answer_and_its_usage")),
        cloud_run=Held(f"{RUN}::test_internal_ingress_is_not_found_from_outside"),
        lambda_bedrock=Refused({"access": {"reach": "private"}}, "access.reach"),
        kubernetes=Held(f"{PODS}::test_a_private_service_has_no_address_outside_its_cluster"),
    ),
    "residency": everywhere(
        Held("sandbox/test_gate_refuses.py::test_our_own_stacks_pass_in_europe_and_are_refused_elsewhere")
    ),
    "budget.monthly_usd": also(
        everywhere(Held("components/gate/test_policy.py::test_a_declared_budget_is_judged_with_no_configuration_at_all")),
        cloud_run=Held(f"{FEW}::test_a_budget_of_the_account_is_made_and_goes_with_the_stack"),
        lambda_bedrock=Held("components/targets/lambda_bedrock/test_plan.py::test_the_ceiling_is_the_budget_where_requests_could_cost_more"),
    ),
    "budget.monthly_requests": everywhere(
        Held(f"{FEW}::test_the_request_after_the_last_of_the_budget_is_refused_before_the_model_is_asked")
    ),
    "budget.monthly_tokens": everywhere(
        Held("components/runtime/test_metered_runtime.py::test_the_request_after_the_last_is_refused_before_the_model_is_asked"),
        Held("contracts/test_meter_is_understood.py::test_the_runtime_reads_what_a_target_tells_it"),
    ),
    "budget.when_meter_is_away": everywhere(
        Held("components/runtime/test_metered_runtime.py::test_without_its_store_it_answers_503_and_does_not_ask_the_model"),
        Held("components/runtime/test_metered_runtime.py::test_allowed_without_its_store_it_answers"),
        Held("contracts/test_meter_is_understood.py::test_the_runtime_reads_what_a_target_tells_it"),
    ),
    "budget.alert_emails": {
        CLOUD_RUN: (
            Held("components/targets/cloud_run/test_guards.py::test_whoever_is_named_hears_of_failures_and_of_half_an_hour_at_the_maximum"),
        ),
        LAMBDA: (Held("components/targets/lambda_bedrock/test_plan.py::test_without_addresses_it_is_said_that_nobody_is_told"),),
        CLUSTER: (
            Refused(
                {"scaling": ONE, "budget": {"monthly_usd": 2500, "alert_emails": ["a@acme.example"]}},
                "budget.alert_emails",
            ),
        ),
    },
    "traffic.requests_per_day": everywhere(Estimated({"requests_per_day": 40000})),
    "traffic.input_tokens": {
        CLOUD_RUN: (Estimated({"input_tokens": 60000}),),
        LAMBDA: (Estimated({"input_tokens": 6000}),),
        CLUSTER: (Estimated({"input_tokens": 60000}),),
    },
    "traffic.output_tokens": everywhere(Estimated({"output_tokens": 2000})),
    "traffic.shape": {
        CLOUD_RUN: (Estimated({"shape": "burst"}),),
        LAMBDA: (Estimated({"shape": "burst"}, same=True),),
        CLUSTER: (Estimated({"shape": "burst"}),),
    },
    "traffic.output_tokens_per_second": everywhere(Estimated({"output_tokens_per_second": 5.0})),
}  # fmt: skip


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every field that holds a value, by its dotted path."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        inner = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if inner:
            yield from fields(inner[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


CELLS = [
    (path, target, meaning)
    for path, row in MATRIX.items()
    for target, meanings in row.items()
    for meaning in meanings
]


def test_every_field_of_the_spec_has_a_meaning_on_every_target() -> None:
    assert set(MATRIX) == set(fields(InferenceServiceSpec))
    incomplete = {path for path, row in MATRIX.items() if set(row) != set(registered())}
    assert incomplete == set()
    assert [path for path, row in MATRIX.items() if not all(row.values())] == []


@cache
def functions_in(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_test_that_is_named_exists() -> None:
    named = {meaning.test for _, _, meaning in CELLS if isinstance(meaning, Held)}
    missing = [
        test for test in sorted(named)
        if not (file := ROOT / "tests" / test.partition("::")[0]).is_file()
        or test.partition("::")[2] not in functions_in(file)
    ]  # fmt: skip
    assert missing == []


@pytest.mark.parametrize(
    ("target", "refused"),
    [(target, meaning) for _, target, meaning in CELLS if isinstance(meaning, Refused)],
    ids=lambda each: each.path if isinstance(each, Refused) else str(each),
)
def test_what_a_target_cannot_honour_is_refused_where_it_stands(
    target: str, refused: Refused
) -> None:
    found = builders.outcome(builders.spec(**refused.spec), builders.placement(target))
    assert isinstance(found, tuple), "it was planned"
    reasons: tuple[Problem, ...] = found
    assert [reason.path for reason in reasons] == [refused.path]


def month(target: str, traffic: Mapping[str, Any], **changed: Any) -> Monthly:
    """What to expect of a month on ``target``."""
    scaling = {"min": 1, "max": 3, "concurrency": 8} if target == CLUSTER else {"min": 0, "max": 3, "concurrency": 8}  # fmt: skip
    service = builders.spec(traffic=traffic, scaling=scaling, **changed)
    plan = builders.plan(service, builders.placement(target))
    found = estimate_plan(load_target(target), plan, service, find(service.model)).estimate.monthly
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("path", "target", "estimated"),
    [cell for cell in CELLS if isinstance(cell[2], Estimated)],
    ids=str,
)
def test_what_traffic_says_is_what_a_month_is_expected_to_cost(
    path: str, target: str, estimated: Estimated
) -> None:
    before, after = month(target, TRAFFIC), month(target, {**TRAFFIC, **estimated.traffic})
    assert (before.expected == after.expected) is estimated.same, path
