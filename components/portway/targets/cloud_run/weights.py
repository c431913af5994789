"""Where vLLM takes the weights from: a bucket of the region, and never the public hub. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from portway.errors import Problem
from portway.models import Model
from portway.targets.cloud_run.options import CloudRunOptions
from portway.targets.cloud_run.shapes import BucketMount

MOUNT: Final = "/models"
VOLUME: Final = "models"
STREAMER: Final = "runai_streamer"
STREAM_THREADS: Final = 16
STREAM_BUFFER_GIB: Final = 4
"""Memory that the Run:ai streamer reads into; without a limit it takes 40 GB."""

MOUNT_SECONDS_PER_GB: Final = 20
STREAM_SECONDS_PER_GB: Final = 10
"""A generous reading: one file after another through Cloud Storage FUSE at 400 Mbit/s, and in
parallel at 800 Mbit/s, less than the 1 Gbit/s that Google names for one instance behind Direct VPC
egress."""

START_SECONDS: Final = 433
"""Llama 3.1 8B with vLLM on one L4, weights from the hub (accelerated-platforms, Google's docs)."""

STREAMED_START_SECONDS: Final = 271
"""Gemma 4 31B with vLLM on Cloud Run, 58 GiB of weights by the Run:ai streamer from a bucket of the
region: a published log. Nothing that one L4 holds is larger."""

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_PATH: Final = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.]*(/[A-Za-z0-9_][-A-Za-z0-9_.]*)*")
_HARMONY: Final = ("--tool-call-parser", "openai")


def refusals(model: Model, options: CloudRunOptions) -> Iterator[Problem]:
    """What is wrong with ``placement.options.weights``."""
    where, given = "placement.options.weights", options.weights
    if given.bucket is not None:
        yield from _bucket_refusals(f"{where}.bucket", given.bucket)
    elif given.path is not None:
        yield Problem(
            f"{where}.path",
            f"is {given.path!r}, a folder of no bucket; name {where}.bucket too, or leave both to the stack",
        )
    path = given.path
    if path is not None and not _PATH.fullmatch(path):
        yield Problem(
            f"{where}.path",
            f"is {path!r}; write a folder of the bucket, such as {folder(model)}, without a slash "
            "at either end",
        )
    elif path is not None and model.revision and path.rpartition("/")[2] != model.revision:
        yield Problem(
            f"{where}.path",
            f"is {path!r}, and {model.id} is pinned to revision {model.revision}; keep its files in a "
            "folder of that name, so that what is loaded can be told by where it lies",
        )
    if given.load == "stream":
        yield from _stream_refusals(model)


def _bucket_refusals(where: str, bucket: str) -> Iterator[Problem]:
    if not _BUCKET.fullmatch(bucket) or bucket.startswith("goog"):
        yield Problem(
            where,
            f"is {bucket!r}; write the bucket's name alone, such as acme-models: 3 to 63 "
            "lower-case letters, digits, hyphens, dots and underscores, without gs://",
        )


def _stream_refusals(model: Model) -> Iterator[Problem]:
    where = "placement.options.weights.load"
    if "--load-format" in model.vllm:
        given = model.vllm[model.vllm.index("--load-format") + 1]
        yield Problem(
            where,
            f"is 'stream', and {model.id} is loaded in the format {given}, which the Run:ai streamer "
            "does not read; use mount",
        )
    if _is_harmony(model):
        yield Problem(
            where,
            f"is 'stream', and {model.id} needs its vocabulary as files beside the weights; use mount",
        )


def arguments(model: Model, options: CloudRunOptions, bucket: str) -> tuple[str, ...]:
    """What vLLM is told of the weights: where they are, and how they are read."""
    given = options.weights
    held = given.path or folder(model)
    if given.load == "mount":
        return ("--model", f"{MOUNT}/{held}")
    read = {"concurrency": STREAM_THREADS, "memory_limit": STREAM_BUFFER_GIB * 2**30}
    return (
        "--model", f"gs://{bucket}/{held}",
        "--load-format", STREAMER,
        "--model-loader-extra-config", json.dumps(read, separators=(",", ":")),
    )  # fmt: skip


def environment(model: Model, options: CloudRunOptions) -> Mapping[str, str]:
    """Nothing is asked of the public hub, nor of OpenAI's server of vocabularies."""
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if not vocabularies(model):
        return offline
    held = options.weights.path or folder(model)
    return {**offline, "TIKTOKEN_ENCODINGS_BASE": f"{MOUNT}/{held}"}


def mounts(options: CloudRunOptions, bucket: str) -> tuple[BucketMount, ...]:
    """The bucket as a volume, where it is mounted."""
    if options.weights.load != "mount":
        return ()
    return (BucketMount(volume=VOLUME, bucket=bucket, options=("implicit-dirs",)),)


def buckets(options: CloudRunOptions) -> tuple[str, ...]:
    """Buckets of others that the service must be allowed to read."""
    return () if options.weights.bucket is None else (options.weights.bucket,)


def seconds_per_gb(options: CloudRunOptions) -> int:
    """How long a GB of weights may take to read, in seconds, before a start is given up."""
    is_mounted = options.weights.load == "mount"
    return MOUNT_SECONDS_PER_GB if is_mounted else STREAM_SECONDS_PER_GB


def start_seconds(options: CloudRunOptions) -> int:
    """From the start of an instance to its first answer, in seconds, as it was measured elsewhere.

    A mounted bucket is not known to start sooner than the hub; a parallel reading is.
    """
    return STREAMED_START_SECONDS if options.weights.load == "stream" else START_SECONDS


def notes(model: Model, options: CloudRunOptions, bucket: str) -> Iterator[str]:
    """What depends on where the weights are."""
    held = options.weights.path or folder(model)
    if options.weights.bucket is None:
        yield (
            f"before the service starts for the first time, a job copies {model.weights_gb} GB of weights from "
            f"the public hub into the stack's own bucket {bucket}, by pinned commit; no instance asks "
            "anything public"
        )
        return
    yield (
        f"the bucket {bucket} must hold {held} before the first "
        "deployment, in the service's region (the residency pack asks for it under buckets); its storage "
        "is billed where it was made"
    )
    if vocabularies(model):
        yield (
            f"{model.id} reads {' and '.join(vocabularies(model))} from the folder of its weights: "
            "put them there too, or vLLM does not start"
        )


def folder(model: Model) -> str:
    """Where the files of a model are in a bucket, unless somebody says otherwise."""
    return f"{model.weights}/{model.revision}"


def weights_format(model: Model) -> str:
    """Of the two in which a repository may hold the same weights: ``mistral`` or ``safetensors``."""
    return "mistral" if _is_told(model, "--load-format", "mistral") else "safetensors"


def vocabularies(model: Model) -> tuple[str, ...]:
    """OpenAI's files that vLLM reads beside the weights, of a model that needs them."""
    return ("o200k_base.tiktoken", "cl100k_base.tiktoken") if _is_harmony(model) else ()


def _is_harmony(model: Model) -> bool:
    return _is_told(model, *_HARMONY)


def _is_told(model: Model, option: str, value: str) -> bool:
    return (option, value) in zip(model.vllm, model.vllm[1:], strict=False)
