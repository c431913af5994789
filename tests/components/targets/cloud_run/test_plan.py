"""Spec and placement to Cloud Run, without Pulumi."""

from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.errors import Refused
from portway.models import catalogue
from portway.models.fit import L4, fits
from portway.targets.cloud_run import TARGET
from portway.targets.cloud_run.refusals import MEMORY_GIB, regions
from portway.targets.cloud_run.shapes import CloudRunPlan
from support import builders


def planned(*, options: dict[str, Any] | None = None, region: str = "europe-west4",
            **spec: Any) -> CloudRunPlan:  # fmt: skip
    place = builders.placement("cloud-run", options=options or {}, region=region)
    return cast("CloudRunPlan", builders.plan(builders.spec(**spec), place))


def reasons(**given_: Any) -> list[str]:
    with pytest.raises(Refused) as refused:
        planned(**given_)
    return [str(problem) for problem in refused.value.problems]


def test_the_spec_s_scaling_reaches_the_service_unchanged() -> None:
    plan = planned(scaling={"min": 2, "max": 7, "concurrency": 3})
    runtime, engine = plan.containers
    assert (plan.min_instances, plan.max_instances, plan.concurrency) == (2, 7, 3)
    assert runtime.env["PORTWAY_CONCURRENCY"] == "3"
    assert engine.args[engine.args.index("--max-num-seqs") + 1] == "3"


def test_the_platform_gives_up_a_little_after_the_runtime() -> None:
    plan = planned(timeout_seconds=120)
    assert plan.timeout_seconds == 130
    assert plan.containers[0].env["PORTWAY_TIMEOUT_SECONDS"] == "120"


def test_an_hour_is_the_longest_the_platform_waits() -> None:
    assert planned(timeout_seconds=3600).timeout_seconds == 3600


def test_one_container_takes_requests_and_the_other_the_gpu() -> None:
    runtime, engine = planned().containers
    assert (runtime.port, engine.port) == (8080, None)
    assert "nvidia.com/gpu" not in runtime.limits
    assert engine.limits == {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}
    assert runtime.depends_on == ("vllm",)


def test_images_are_pulled_by_digest_through_the_region_s_mirror() -> None:
    for container in planned(region="europe-west1").containers:
        prefix, _, digest = container.image.partition("@sha256:")
        assert prefix.startswith("europe-west1-docker.pkg.dev/acme-inference/chat-prod-images/")
        assert len(digest) == 64


def test_weights_are_pinned_to_a_commit() -> None:
    _, engine = planned().containers
    folder = engine.args[engine.args.index("--model") + 1]
    assert folder.rpartition("/")[2] == catalogue()["ministral-3-8b"].revision


def test_zonal_redundancy_is_always_said() -> None:
    assert planned().gpu_zonal_redundancy_disabled is True
    assert planned(options={"gpu_zonal_redundancy": True}).gpu_zonal_redundancy_disabled is False


def test_the_quota_that_a_plan_needs_is_named_in_the_plan() -> None:
    note = planned(scaling={"min": 0, "max": 2, "concurrency": 1}).notes[-1]
    assert note == (
        "quota used at most, in this region: NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion 2, "
        "CpuAllocPerProjectRegion 18000 (milli-vCPU), "
        f"MemAllocPerProjectRegion {2 * (32 * 2**30 + 512 * 2**20)} (bytes)"
    )


def test_a_region_by_invitation_is_planned_and_noted() -> None:
    notes = planned(region="us-central1").notes
    assert [note for note in notes if note.startswith("us-central1 sells L4 GPUs by invitation")]


def test_a_model_too_large_for_one_l4_is_refused_with_its_size() -> None:
    assert reasons(model="qwen3-32b") == [
        "model: qwen3-32b needs 76.2 GB of GPU memory (65.53 GB of bf16 weights, 32768 tokens of KV "
        "cache and 2.0 GB for the engine); one nvidia-l4 lends 21.3 GB; choose a smaller model, or "
        "the target kubernetes with a larger GPU"
    ]


@pytest.mark.parametrize(("cpu", "memory"), [(4, 17), (6, 25), (8, 33), (8, 15), (6, 8)])
def test_a_pair_of_cpu_and_memory_that_is_not_sold_is_refused(cpu: int, memory: int) -> None:
    low, high = MEMORY_GIB[cpu]
    span = f"{low} GiB" if low == high else f"{low} to {high} GiB"
    assert reasons(options={"cpu": cpu, "memory_gib": memory}) == [
        f"placement.options.memory_gib: is {memory}; with {cpu} vCPU beside an L4 Cloud Run sells "
        f"{span}, choose a value in it or another cpu"
    ]


def test_iam_without_anyone_to_call_is_refused() -> None:
    assert reasons(access={"auth": "iam", "reach": "public"}) == [
        "placement.options.invokers: is empty and access.auth is iam, so that nobody could call the "
        "service; list IAM members such as serviceAccount:app@my-project.iam.gserviceaccount.com"
    ]


def test_the_startup_budget_of_every_model_that_fits_is_within_the_vendor_s_limit() -> None:
    for model in catalogue().values():
        if fits(model):
            probe = planned(model=model.id).containers[1].startup_probe
            assert probe.period_seconds * probe.failure_threshold <= 1800
            assert max(probe.period_seconds, probe.timeout_seconds) <= 240
    assert L4.memory_gb < Decimal(24)


names = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)


asked = st.fixed_dictionaries(
    {
        "name": names,
        "environment": st.text("abcdefghijklmnop-0123", min_size=1, max_size=70),
        "model": st.sampled_from(sorted(catalogue())),
        "region": st.sampled_from([*sorted(regions()), "eu-west-1", "mars", ""]),
        "min": st.integers(0, 20),
        "max": st.integers(20, 1000),
        "concurrency": st.integers(1, 1000),
        "timeout": st.integers(1, 3600),
        "auth": st.sampled_from(["api-key", "iam"]),
        "options": st.dictionaries(
            st.sampled_from([*TARGET.options.model_fields, "colour"]),
            st.one_of(
                st.integers(-1, 40), st.booleans(), st.none(), st.lists(st.text(max_size=8)),
                st.just(["group:ml@acme.example"]),
            ),
            max_size=3,
        ),
    }
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(given_=asked)
def test_any_input_is_planned_within_the_limits_or_refused_with_reasons(
    given_: dict[str, Any],
) -> None:
    scaling = {key: given_[key] for key in ("min", "max", "concurrency")}
    outcome = builders.outcome(
        builders.spec(
            name=given_["name"], model=given_["model"], timeout_seconds=given_["timeout"],
            scaling=scaling, access={"auth": given_["auth"], "reach": "public"},
        ),
        builders.placement(
            "cloud-run", environment=given_["environment"], region=given_["region"],
            options=given_["options"],
        ),
    )  # fmt: skip
    if isinstance(outcome, tuple):
        assert outcome
        assert all(problem.path and problem.message for problem in outcome)
        return
    assert isinstance(outcome, CloudRunPlan)
    assert CloudRunPlan.model_validate_json(outcome.model_dump_json()) == outcome
    assert len(outcome.name) <= 49
    assert 6 <= len(outcome.account_id) <= 30
    assert 3 <= len(outcome.code.bucket) <= 63
    assert len(outcome.image_repository) <= 63
    assert all(len(value) <= 63 for value in outcome.labels.values())
    assert (outcome.min_instances, outcome.max_instances) == (given_["min"], given_["max"])
