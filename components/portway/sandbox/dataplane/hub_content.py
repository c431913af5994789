"""What the local hub holds: small files that are the same in every sandbox, in the shape of real repositories."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_SHARDS = {
    "model-00001-of-00002.safetensors": 600_000,
    "model-00002-of-00002.safetensors": 270_000,
}
_TEXTS = (
    ".gitattributes", "README.md", "config.json", "generation_config.json",
    "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json",
)  # fmt: skip
_WEIGHTS: Mapping[str, Mapping[str, int]] = {
    "shards": _SHARDS,
    "mistral": {"consolidated.safetensors": 800_000},
    "original": {"original/model.safetensors": 300_000},
}
_BESIDE: Mapping[str, tuple[str, ...]] = {
    "shards": _TEXTS,
    "mistral": ("params.json", "tekken.json"),
    "original": ("original/config.json", "original/dtypes.json"),
}
VOCABULARIES = ("cl100k_base.tiktoken", "o200k_base.tiktoken")
"""Files that OpenAI publishes beside its models, in a store of its own."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository.

    Attributes:
        oid: Git's object id, 40 hexadecimal digits: of the pointer, where the file is a large one.
        sha256: of the bytes of a large file; "" for the others.
    """

    path: str
    data: bytes
    oid: str
    sha256: str


@dataclass(frozen=True)
class Repository:
    """One repository at the only commit that the local hub has of it."""

    revision: str
    files: Mapping[str, HubFile]


@cache
def repositories() -> Mapping[str, Repository]:
    """Every repository by its name."""
    document = json.loads((_HERE / "hub_repositories.json").read_text(encoding="utf-8"))
    told: Mapping[str, Any] = document["repositories"]
    return {name: _repository(name, one["revision"], one["formats"]) for name, one in told.items()}


@cache
def large_files() -> Mapping[str, bytes]:
    """The bytes of every large file by their SHA-256."""
    files = [file for one in repositories().values() for file in one.files.values()]
    return {file.sha256: file.data for file in files if file.sha256}


def vocabulary(name: str) -> bytes:
    """What stands for one of ``VOCABULARIES``."""
    return _bytes(name, 4096).hex().encode()


def _repository(name: str, revision: str, formats: list[str]) -> Repository:
    files: dict[str, HubFile] = {}
    for form in formats:
        for path, size in _WEIGHTS[form].items():
            files[path] = _large(path, _weights(f"{name}/{path}", size))
        for path in _BESIDE[form]:
            files[path] = _small(path, _text(name, path))
    return Repository(revision, dict(sorted(files.items())))


def _text(repository: str, path: str) -> bytes:
    if not path.endswith(".json"):
        return f"{path} of {repository}, made up for the sandbox\n".encode()
    described = {"_name_or_path": repository, "sandbox": _bytes(f"{repository}/{path}", 512).hex()}
    return json.dumps(described, indent=2).encode()


def _weights(seed: str, size: int) -> bytes:
    """A whole safetensors file of ``size`` bytes: the header's length, the header, one tensor."""
    header: dict[str, Any] = {}
    for _ in range(3):  # its own length is part of what it says
        length = size - 8 - len(json.dumps(header))
        header = {"weight": {"dtype": "U8", "shape": [length], "data_offsets": [0, length]}}
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + _bytes(seed, size - 8 - len(encoded))


def _bytes(seed: str, size: int) -> bytes:
    return hashlib.shake_256(seed.encode()).digest(size)


def _small(path: str, data: bytes) -> HubFile:
    return HubFile(path, data, _git_id(data), "")


def _large(path: str, data: bytes) -> HubFile:
    digest = hashlib.sha256(data).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n"
    return HubFile(path, data, _git_id(pointer.encode()), digest)


def _git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
