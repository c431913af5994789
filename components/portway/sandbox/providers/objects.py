"""Files handed to the clouds, kept by their content: ``<sandbox>/objects/<sha256>``."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from portway.sandbox.providers.cloud import CloudError, Code
from portway.sandbox.providers.wire import Asset, Value, as_asset

FOLDER = "objects"


def keep(root: Path, value: Value) -> str | None:
    """Copy the content of an asset, an archive or a text into the sandbox at ``root``; answer its SHA-256.

    None when ``value`` is none of them. Keeping the same content twice is one file.

    Raises:
        CloudError: the file cannot be read, or is an archive made of other assets.
    """
    asset = Asset(archive=False, hash="", text=value) if isinstance(value, str) else as_asset(value)
    if asset is None:
        return None
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=folder)
    copy = Path(name)
    try:
        with os.fdopen(handle, "wb") as target:
            if asset.text is not None:
                target.write(asset.text.encode())
            else:
                with _file(asset.path).open("rb") as source:
                    shutil.copyfileobj(source, target)
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


def _file(path: str) -> Path:
    if not path:
        raise CloudError(
            Code.INVALID_ARGUMENT,
            "the sandbox takes files only: give a FileArchive, FileAsset or StringAsset",
        )
    if Path(path).is_dir():
        raise CloudError(
            Code.INVALID_ARGUMENT, f"{path} is a folder; give the sandbox a zip file instead"
        )
    return Path(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
