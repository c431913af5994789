"""Weights are copied from the hub into a bucket: whole, checked, once, whatever breaks on the way."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from portway.runtime import bucket_files, hub_files, weights_copy
from portway.runtime.hub_files import CopyFailed, SourceFile, wanted
from portway.runtime.main import run
from portway.runtime.weights_copy import VARIABLE, read_copy
from support.hub_and_bucket import REPOSITORY, REVISION, HubAndBucket, serving

FOLDER = f"{REPOSITORY}/{REVISION}"
FILES = {
    "config.json": b"{}",
    "tokenizer.json": bytes(random.Random(1).randbytes(3000)),
    "model-00001-of-00002.safetensors": random.Random(2).randbytes(700_000),
    "model-00002-of-00002.safetensors": random.Random(3).randbytes(512 * 1024),
    "consolidated.safetensors": random.Random(4).randbytes(2000),
    "pytorch_model.bin": random.Random(5).randbytes(2000),
    "original/model.safetensors": random.Random(6).randbytes(2000),
    ".gitattributes": b"*.safetensors filter=lfs\n",
}
WANTED = (
    "config.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "tokenizer.json",
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubAndBucket]:
    made = HubAndBucket(FILES)
    monkeypatch.setattr(bucket_files, "PIECE_BYTES", 256 * 1024)
    monkeypatch.setattr(weights_copy, "PERMISSION_PAUSE_SECONDS", 0.0)
    for module in (bucket_files, hub_files):
        monkeypatch.setattr(module, "pause_seconds", _at_once)
    with serving(made):
        host = made.url.removeprefix("http://")
        monkeypatch.setenv("GCE_METADATA_HOST", host)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", made.url)
        monkeypatch.setenv("TIKTOKEN_ENCODINGS_BASE", f"{made.url}/encodings/")
        yield made


def _at_once(tried: int) -> float:
    del tried
    return 0.0


def copied(world: HubAndBucket, **changed: Any) -> int:
    told = {
        "repository": REPOSITORY,
        "revision": REVISION,
        "bucket": "acme-weights",
        "folder": FOLDER,
        "format": "safetensors",
        **changed,
    }
    return run({VARIABLE: json.dumps(told), "HF_ENDPOINT": world.url})


def held(world: HubAndBucket) -> dict[str, bytes]:
    return {name.removeprefix(f"{FOLDER}/"): data for name, (data, _) in world.objects.items()}


def said(capsys: pytest.CaptureFixture[str], event: str) -> dict[str, Any]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return next(line for line in lines if line["event"] == event)


def test_what_the_model_needs_is_copied_byte_for_byte(
    world: HubAndBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    assert copied(world) == 0
    assert held(world) == {name: FILES[name] for name in WANTED}
    told = said(capsys, "weights_copied")
    assert (told["files"], told["kept"]) == (4, 0)


def test_a_model_in_mistrals_format_is_copied_in_that_format_only(world: HubAndBucket) -> None:
    assert copied(world, format="mistral") == 0
    assert set(held(world)) == {"config.json", "tokenizer.json", "consolidated.safetensors"}


def test_vocabularies_are_put_beside_the_weights(world: HubAndBucket) -> None:
    world.unlisted["o200k_base.tiktoken"] = b"IQ== 0\n"
    assert copied(world, vocabularies=["o200k_base.tiktoken"]) == 0
    assert held(world)["o200k_base.tiktoken"] == b"IQ== 0\n"


def test_a_second_run_copies_nothing(
    world: HubAndBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    world.unlisted["o200k_base.tiktoken"] = b"IQ== 0\n"
    assert copied(world, vocabularies=["o200k_base.tiktoken"]) == 0
    capsys.readouterr()
    world.asked.clear()
    assert copied(world, vocabularies=["o200k_base.tiktoken"]) == 0
    assert [one for one in world.asked if one.startswith(("POST", "PUT", "GET /cdn"))] == []
    assert said(capsys, "weights_copied")["kept"] == 5


def test_a_run_that_was_killed_is_gone_on_with(world: HubAndBucket) -> None:
    world.objects = {
        f"{FOLDER}/config.json": (b"{}", world.digest("config.json")),
        f"{FOLDER}/tokenizer.json": (b"old", "0" * 64),
    }
    assert copied(world) == 0
    assert held(world) == {name: FILES[name] for name in WANTED}
    assert f"POST {FOLDER}/config.json" not in world.asked


@pytest.mark.parametrize("breaks", [1, 4])
def test_a_download_that_breaks_goes_on_where_it_broke(world: HubAndBucket, breaks: int) -> None:
    world.breaks = breaks
    assert copied(world) == 0
    assert held(world) == {name: FILES[name] for name in WANTED}


@pytest.mark.parametrize("loses", [1, 5])
def test_a_piece_of_which_half_arrived_is_sent_from_there(world: HubAndBucket, loses: int) -> None:
    world.loses = loses
    assert copied(world) == 0
    assert held(world) == {name: FILES[name] for name in WANTED}


def test_a_bucket_that_keeps_nothing_is_not_written_to_for_ever(
    world: HubAndBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    world.keeps = False
    assert copied(world) == 1
    assert said(capsys, "weights_not_copied")["reason"] == "bucket acme-weights: may not write: 308"


def test_a_file_with_a_wrong_byte_is_never_there(
    world: HubAndBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "model-00001-of-00002.safetensors"
    world.wrong = {name}
    assert copied(world) == 1
    assert name not in held(world)
    reason = said(capsys, "weights_not_copied")["reason"]
    assert reason == f"{name}: what arrived is not what the hub has listed"


def test_a_bucket_that_may_not_be_written_is_named(
    world: HubAndBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    world.refuses = 403
    assert copied(world) == 1
    assert said(capsys, "weights_not_copied")["reason"] == (
        "bucket acme-weights: may not write: 403 copier does not have storage.objects.create access"
    )


@pytest.mark.parametrize(("forbids", "ends"), [(18, 0), (19, 1)])
def test_a_permission_that_was_just_given_is_waited_for(
    world: HubAndBucket, forbids: int, ends: int
) -> None:
    world.forbids = forbids
    assert copied(world) == ends


@pytest.mark.parametrize(
    ("status", "asked", "ends"),
    [
        (404, 1, "answers 404 RepoNotFound for /api/models/acme/small-8b/tree/" + REVISION),
        (401, 1, "put its files into a bucket (placement.options.weights)"),
        (503, 6, "answers 503 RepoNotFound for /api/models/acme/small-8b/tree/" + REVISION),
    ],
)
def test_a_hub_that_does_not_give_is_told_and_asked_again_only_where_it_helps(
    world: HubAndBucket, capsys: pytest.CaptureFixture[str], status: int, asked: int, ends: str
) -> None:
    world.status_of_hub = status
    assert copied(world) == 1
    assert said(capsys, "weights_not_copied")["reason"].endswith(ends)
    assert len(world.asked) == asked


def test_a_hub_that_is_away_is_told(
    world: HubAndBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"repository": "a/b", "revision": "c", "bucket": "d", "folder": "e", "format": "mistral"}
    assert run({VARIABLE: json.dumps(told), "HF_ENDPOINT": "http://127.0.0.1:1"}) == 1
    assert said(capsys, "weights_not_copied")["reason"] == "127.0.0.1:1 does not answer (Unreached)"


def test_a_hub_that_lists_no_files_is_told(
    world: HubAndBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    world.lists_bytes = True
    assert copied(world) == 1
    where = world.url.removeprefix("http://")
    reason = said(capsys, "weights_not_copied")["reason"]
    assert reason == f"{where} listed no files of {REPOSITORY}"


def test_a_repository_without_safetensors_is_refused() -> None:
    with pytest.raises(CopyFailed, match="no weights as safetensors in the format safetensors"):
        wanted([SourceFile("model.gguf", "http://h/model.gguf", 1, "0" * 64)], "safetensors")


def test_what_cannot_be_read_is_told_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run({VARIABLE: '{"repository": "a/b"}'}) == 2
    assert capsys.readouterr().err == (
        f"portway runtime: {VARIABLE} lacks revision, bucket, folder, format\n"
    )
    with pytest.raises(ValueError, match="is no JSON object"):
        read_copy("[]")
