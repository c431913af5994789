"""Copies a model's files from the public hub into a bucket, once, when a service is deployed.

A task of its own, with an identity that may write that one bucket. What is there with the right
digest stays; a file is there whole or not at all; so it may be killed and run again.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass

from .bucket_files import Bucket, storage_origin
from .config import EXIT_BAD_CONFIG
from .google_token import AccessTokens, metadata_origin
from .hub_files import HUB, CopyFailed, Hub, SourceFile, wanted
from .jsons import as_list, as_object, as_text, decode
from .log import write_event

VARIABLE = "PORTWAY_COPY_WEIGHTS"
AT_ONCE = 4
EXIT_FAILED = 1
PERMISSION_TRIES = 19
PERMISSION_PAUSE_SECONDS = 10.0
"""Three minutes: a change of access typically takes two to hold (IAM, "Access change propagation")."""

VOCABULARIES = "https://openaipublic.blob.core.windows.net/encodings/"
"""Where OpenAI keeps the vocabularies that gpt-oss reads; whoever reads them checks them."""


@dataclass(frozen=True)
class Copy:
    """What to copy.

    Attributes:
        folder: of the bucket, without a slash at either end.
        weights_format: `safetensors` or `mistral`.
        vocabularies: names of OpenAI's files that belong beside the weights.
    """

    repository: str
    revision: str
    bucket: str
    folder: str
    weights_format: str
    vocabularies: tuple[str, ...]


def run_copy(env: Mapping[str, str]) -> int:
    """Copy what `PORTWAY_COPY_WEIGHTS` says; 0 when it is all there, 2 when nobody can tell what is meant."""
    try:
        copy = read_copy(env[VARIABLE])
    except ValueError as error:
        sys.stderr.write(f"portway runtime: {VARIABLE} {error}\n")
        return EXIT_BAD_CONFIG
    with (
        closing(AccessTokens(metadata_origin())) as tokens,
        closing(storage_origin()) as storage,
        closing(Hub(env.get("HF_ENDPOINT") or HUB)) as hub,
    ):
        try:
            copied, kept = copy_all(copy, hub, Bucket(copy.bucket, storage, tokens))
        except CopyFailed as error:
            write_event("weights_not_copied", "ERROR", bucket=copy.bucket, reason=str(error))
            return EXIT_FAILED
    write_event("weights_copied", bucket=copy.bucket, folder=copy.folder, files=copied, kept=kept)
    return 0


def read_copy(text: str) -> Copy:
    """What the variable says.

    Raises:
        ValueError: what is wrong with it.
    """
    found = as_object(decode(text.encode()))
    if found is None:
        raise ValueError("is no JSON object")
    names = ("repository", "revision", "bucket", "folder", "format")
    texts = [as_text(found.get(name)) for name in names]
    missing = [name for name, value in zip(names, texts, strict=True) if not value]
    beside = [as_text(each) for each in as_list(found.get("vocabularies")) or []]
    if missing or None in beside:
        raise ValueError(f"lacks {', '.join(missing) or 'names of vocabularies'}")
    repository, revision, bucket, folder, kind = map(str, texts)
    return Copy(repository, revision, bucket, folder, kind, tuple(map(str, beside)))


def copy_all(copy: Copy, hub: Hub, bucket: Bucket) -> tuple[int, int]:
    """Copy what is not there yet, several files at once; the number copied, and kept.

    Raises:
        CopyFailed: of the file that failed first; others that were under way end, none begins.
    """
    base = os.environ.get("TIKTOKEN_ENCODINGS_BASE") or VOCABULARIES
    files = wanted(hub.files(copy.repository, copy.revision), copy.weights_format)
    listed = {file.name for file in files}
    files += tuple(
        SourceFile(name, f"{base}{name}", None, "")
        for name in copy.vocabularies
        if name not in listed
    )
    there = _there(bucket, f"{copy.folder}/")
    left = [file for file in files if there.get(f"{copy.folder}/{file.name}") != file.digest]
    stopped = threading.Event()

    def one(file: SourceFile) -> None:
        if not stopped.is_set():
            with closing(hub.read(file)) as pieces:
                wanted_pieces = _while_wanted(pieces, stopped)
                size = bucket.write(f"{copy.folder}/{file.name}", file, wanted_pieces)
            write_event("file_copied", file=file.name, bytes=size)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for done in as_completed([pool.submit(one, file) for file in left]):
                done.result()
        finally:
            stopped.set()
    return len(left), len(files) - len(left)


def _there(bucket: Bucket, prefix: str) -> dict[str, str]:
    """What the bucket holds; a permission that was given a moment ago may not hold yet."""
    for _ in range(PERMISSION_TRIES - 1):
        try:
            return bucket.digests(prefix)
        except CopyFailed as error:
            if not error.again:
                raise
            write_event("waiting_for_permission", "WARNING", reason=str(error))
            time.sleep(PERMISSION_PAUSE_SECONDS)
    return bucket.digests(prefix)


def _while_wanted(pieces: Iterator[bytes], stopped: threading.Event) -> Iterator[bytes]:
    for piece in pieces:
        if stopped.is_set():
            raise CopyFailed("another file failed first")
        yield piece
