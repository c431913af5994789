"""Where the weights of a service on Cloud Run come from, and what follows from it."""

import json
from decimal import Decimal
from typing import Any

import pytest

from portway.estimates import estimate_plan
from portway.models import catalogue, find
from portway.naming import Names
from portway.pricing.meter import Held
from portway.registry import load_target
from portway.targets.cloud_run.options import CloudRunOptions
from portway.targets.cloud_run.shapes import BucketMount, CloudRunPlan, Container, RuntimeCode
from portway.targets.cloud_run.weights_bucket import copies
from support import builders, golden

QWEN = find("qwen3-8b")
FOLDER = f"{QWEN.weights}/{QWEN.revision}"
MOUNTED: dict[str, Any] = {"weights": {"bucket": "acme-models"}}
STREAMED: dict[str, Any] = {"weights": {"bucket": "acme-models", "load": "stream"}}
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def planned(model: str = "qwen3-8b", **options: Any) -> CloudRunPlan:
    plan = builders.plan(
        builders.spec(model=model), builders.placement("cloud-run", options=options)
    )
    assert isinstance(plan, CloudRunPlan)
    return plan


def refused(weights: dict[str, Any], model: str = "qwen3-8b") -> list[str]:
    place = builders.placement("cloud-run", options={"weights": weights})
    found = builders.outcome(builders.spec(model=model), place)
    assert isinstance(found, tuple), "it was planned"
    return [str(problem) for problem in found]


def engine(plan: CloudRunPlan) -> Container:
    return plan.containers[1]


def test_a_mounted_bucket_is_read_only_and_nothing_is_asked_of_the_hub() -> None:
    plan = planned(**MOUNTED)
    assert plan.bucket_mounts[1:] == (
        BucketMount(volume="models", bucket="acme-models", options=("implicit-dirs",)),
    )
    assert engine(plan).mounts == {"models": "/models"}
    assert engine(plan).args[:3] == ("--model", f"/models/{FOLDER}", "--served-model-name")
    assert OFFLINE.items() <= engine(plan).env.items()
    assert plan.weight_buckets == ("acme-models",)


def test_a_streamed_bucket_is_read_in_parallel_within_a_bounded_buffer() -> None:
    args = engine(planned(**STREAMED)).args
    assert args[:4] == ("--model", f"gs://acme-models/{FOLDER}", "--load-format", "runai_streamer")
    assert json.loads(args[args.index("--model-loader-extra-config") + 1]) == {
        "concurrency": 16,
        "memory_limit": 4 * 2**30,
    }
    assert len(planned(**STREAMED).bucket_mounts) == 1


def test_a_stack_has_a_bucket_of_its_own_and_asks_the_hub_for_the_pinned_commit_once() -> None:
    plan = planned()
    (copy,) = plan.weights_copies
    assert json.loads(copy.env["PORTWAY_COPY_WEIGHTS"]) == {
        "repository": QWEN.weights,
        "revision": QWEN.revision,
        "bucket": copy.bucket,
        "folder": FOLDER,
        "format": "safetensors",
        "vocabularies": [],
    }
    assert (copy.stored_mib, copy.timeout_seconds, copy.retries) == (15622, 1260, 2)
    assert plan.bucket_mounts[1].bucket == copy.bucket
    assert engine(plan).args[:3] == ("--model", f"/models/{FOLDER}", "--served-model-name")
    assert OFFLINE.items() <= engine(plan).env.items()
    assert plan.weight_buckets == ()
    assert any(
        copy.bucket in note and "no instance asks anything public" in note for note in plan.notes
    )


def test_a_bucket_that_is_named_is_not_copied_into() -> None:
    assert planned(**MOUNTED).weights_copies == planned(**STREAMED).weights_copies == ()


def test_the_stacks_own_bucket_can_be_read_in_parallel_too() -> None:
    plan = planned(weights={"load": "stream"})
    (copy,) = plan.weights_copies
    assert engine(plan).args[:2] == ("--model", f"gs://{copy.bucket}/{FOLDER}")


@pytest.mark.parametrize(
    ("model", "kind", "beside"),
    [
        ("ministral-3-8b", "mistral", []),
        ("gpt-oss-20b", "safetensors", ["o200k_base.tiktoken", "cl100k_base.tiktoken"]),
    ],
)
def test_what_is_copied_follows_how_the_model_is_loaded(
    model: str, kind: str, beside: list[str]
) -> None:
    (copy,) = planned(model).weights_copies
    told = json.loads(copy.env["PORTWAY_COPY_WEIGHTS"])
    assert (told["format"], told["vocabularies"]) == (kind, beside)


def test_whatever_changes_of_the_job_is_another_execution_and_nothing_else_is() -> None:
    """Google refuses an update that sends the token of an execution that exists."""
    (copy,) = planned().weights_copies
    assert planned(cpu=6, memory_gib=24).weights_copies == (copy,)
    assert planned("gpt-oss-20b").weights_copies[0].token != copy.token
    names = Names("chat", "prod")
    code = RuntimeCode(bucket="code", object_name="runtime-0123456789ab.pyz", sha256="0" * 64)
    (newer,) = copies(QWEN, names, "acme-inference", "registry", code, CloudRunOptions())
    assert newer.env == copy.env
    assert newer.token != copy.token


def test_only_the_copier_may_write_and_it_may_write_that_one_bucket() -> None:
    made = golden.deployed(planned())
    roles = {
        (one.name, one.inputs["role"])
        for one in made.of("gcp:storage/bucketIAMMember:BucketIAMMember")
    }
    assert roles == {
        ("chat-code-reader", "roles/storage.objectViewer"),
        ("chat-copier-code", "roles/storage.objectViewer"),
        ("chat-copier-weights", "roles/storage.objectUser"),
        ("chat-weights-reader", "roles/storage.objectViewer"),
    }


@pytest.mark.parametrize("options", [{}, MOUNTED, STREAMED])
def test_the_same_weights_are_one_identity_wherever_they_lie(options: dict[str, Any]) -> None:
    assert planned(**options).model_identity == planned().model_identity


def test_the_nearer_the_weights_the_shorter_the_longest_start() -> None:
    budgets = [planned(**options).startup_seconds for options in ({}, MOUNTED, STREAMED)]
    assert budgets == [630, 630, 470]


def test_a_start_with_parallel_reading_is_priced_as_the_shorter_one_that_was_measured() -> None:
    def start(**options: Any) -> list[int]:
        meters = load_target("cloud-run").meters(planned(**options))
        return [meter.start_seconds for meter in meters if isinstance(meter, Held)]

    assert [start(), start(**MOUNTED), start(**STREAMED)] == [[433], [433], [271]]


def test_a_service_that_scales_to_zero_says_how_long_its_first_request_waits() -> None:
    def said(least: int, **options: Any) -> list[str]:
        spec = builders.spec(
            model="qwen3-8b",
            scaling={"min": least, "max": 1, "concurrency": 8},
            timeout_seconds=300,
        )
        plan = builders.plan(spec, builders.placement("cloud-run", options=options))
        return [note for note in plan.notes if note.startswith("the first request after a silence")]

    (mounted,), (streamed,) = said(0), said(0, **STREAMED)
    assert "some 433 s were measured, longer than timeout_seconds" in mounted
    assert "some 271 s were measured);" in streamed
    assert said(1) == []


def test_what_a_start_costs_follows_where_the_weights_lie() -> None:
    spec = builders.spec(
        model="qwen3-8b", traffic={"requests_per_day": 40, "shape": "spread"}, budget=None
    )

    def expected(**options: Any) -> Any:
        place = builders.placement("cloud-run", options=options)
        plan = builders.plan(spec, place)
        monthly = estimate_plan(load_target("cloud-run"), plan, spec, QWEN).estimate.monthly
        assert monthly is not None
        return monthly.expected

    assert expected(**STREAMED) < expected(**MOUNTED)
    kept_and_copied = expected() - expected(**MOUNTED)
    assert kept_and_copied == Decimal("0.31") + Decimal("0.15"), (
        "15.3 GiB for a month, and one copy"
    )


def test_a_folder_of_no_bucket_is_refused() -> None:
    assert refused({"path": FOLDER}) == [
        f"placement.options.weights.path: is {FOLDER!r}, a folder of no bucket; name "
        "placement.options.weights.bucket too, or leave both to the stack"
    ]


def test_mounted_weights_do_not_lie_in_memory() -> None:
    assert engine(planned(**MOUNTED, cpu=4, memory_gib=16)).limits["memory"] == "16Gi"


def test_a_folder_that_does_not_say_the_revision_is_refused() -> None:
    assert refused({"bucket": "acme-models", "path": "qwen/latest"}) == [
        "placement.options.weights.path: is 'qwen/latest', and qwen3-8b is pinned to revision "
        f"{QWEN.revision}; keep its files in a folder of that name, so that what is loaded can be told "
        "by where it lies"
    ]
    assert planned(weights={"bucket": "acme-models", "path": f"qwen/{QWEN.revision}"})


@pytest.mark.parametrize(
    "bucket", ["gs://acme-models", "Acme", "a", "goog-models", "acme models", "acme/models"]
)
def test_a_name_that_no_bucket_has_is_refused(bucket: str) -> None:
    (said,) = refused({"bucket": bucket})
    assert said.startswith(
        f"placement.options.weights.bucket: is {bucket!r}; write the bucket's name"
    )


@pytest.mark.parametrize("path", ["/models/x", "models/", "../x", "a//b", ""])
def test_a_path_that_leads_nowhere_in_a_bucket_is_refused(path: str) -> None:
    (said,) = refused({"bucket": "acme-models", "path": path})
    assert said.startswith(f"placement.options.weights.path: is {path!r}; write a folder")


@pytest.mark.parametrize(
    ("model", "why"),
    [("ministral-3-8b", "in the format mistral"), ("gpt-oss-20b", "its vocabulary as files")],
)
def test_a_model_that_cannot_be_streamed_is_refused_and_can_be_mounted(
    model: str, why: str
) -> None:
    (said,) = refused({"bucket": "acme-models", "load": "stream"}, model)
    assert said.startswith("placement.options.weights.load: is 'stream'")
    assert why in said
    assert planned(model, **MOUNTED)


def test_a_model_with_a_vocabulary_of_its_own_finds_it_beside_the_weights() -> None:
    model = catalogue()["gpt-oss-20b"]
    env = engine(planned("gpt-oss-20b", **MOUNTED)).env
    assert env["TIKTOKEN_ENCODINGS_BASE"] == f"/models/{model.weights}/{model.revision}"
