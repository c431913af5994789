"""Files handed to the clouds, kept by their content: ``<sandbox>/objects/<sha256>``."""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from portway.sandbox.providers.cloud import CloudError, Code
from portway.sandbox.providers.wire import Asset, Value, as_asset

FOLDER = "objects"
_EPOCH = (
    1980,
    1,
    1,
    0,
    0,
    0,
)  # the earliest time a zip can hold: the same content is the same file
_EXECUTABLE = 0o755
_BLOCK_BYTES = 1 << 20


def keep(root: Path, value: Value) -> str | None:
    """Copy an asset, an archive or a text into the sandbox at ``root``; answer its SHA-256.

    A folder, or an archive made of other assets, is kept as a zip. Keeping the same content twice is
    one file. None when ``value`` is none of these.

    Raises:
        CloudError: a file cannot be read.
    """
    asset = Asset(archive=False, hash="", text=value) if isinstance(value, str) else as_asset(value)
    if asset is None:
        return None
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=folder)
    copy = Path(name)
    try:
        with os.fdopen(handle, "w+b") as target:
            _write(asset, target)
        digest = _sha256(copy)
        copy.replace(folder / digest)
    except OSError as error:
        raise CloudError(Code.INVALID_ARGUMENT, f"cannot read {asset.path}: {error}") from error
    finally:
        copy.unlink(missing_ok=True)
    return digest


def path_of(root: Path, digest: str) -> Path:
    """Where the content with that SHA-256 is kept."""
    return root / FOLDER / digest


def _write(asset: Asset, target: BinaryIO) -> None:
    path = Path(asset.path)
    if asset.text is not None:
        target.write(asset.text.encode())
    elif asset.path and not path.is_dir():
        with path.open("rb") as source:
            while block := source.read(_BLOCK_BYTES):
                target.write(block)
    elif asset.archive:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content, mode in sorted(_entries(asset, "")):
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.external_attr = mode << 16
                archive.writestr(entry, content)
    else:
        what = "an asset from an address" if not asset.path else f"{asset.path}, a folder"
        raise CloudError(
            Code.INVALID_ARGUMENT, f"the sandbox cannot take {what}; give a file on this machine"
        )


def _entries(asset: Asset, prefix: str) -> Iterator[tuple[str, bytes, int]]:
    """Name, content and mode of every file of an archive."""
    path = Path(asset.path)
    if asset.path and path.is_dir():
        for file in path.rglob("*"):
            if file.is_file():
                mode = 0o100000 | (_EXECUTABLE if os.access(file, os.X_OK) else 0o644)
                yield f"{prefix}{file.relative_to(path).as_posix()}", file.read_bytes(), mode
    for name, member in (asset.members or {}).items():
        inner = as_asset(member)
        if inner is not None and inner.archive:
            yield from _entries(inner, f"{prefix}{name}/")
        elif inner is not None:
            content = (
                inner.text.encode() if inner.text is not None else Path(inner.path).read_bytes()
            )
            yield f"{prefix}{name}", content, 0o100644


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
