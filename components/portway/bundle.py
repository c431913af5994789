"""The runtime as one zip: the same bytes on every machine, so that the same code is no change.

The zip is at once a program for `python <zip>` and a Lambda deployment package. Its files are stored
and not compressed, because compressed bytes differ between zlib versions.
"""

import hashlib
import io
import os
import stat
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = "portway_runtime"
"""The package inside the zip; `handler` of a Lambda function is `portway_runtime.main.handler`."""

WRAPPER = "run"
"""The executable that `AWS_LAMBDA_EXEC_WRAPPER` names, `/var/task/run` on Lambda."""

_SOURCE = Path(__file__).parent / "runtime"
_MAIN = f"from {PACKAGE}.main import main\n\nmain()\n"
# Lambda calls its wrapper with the command it would have run: the interpreter first (Lambda
# developer guide, "Modifying the runtime environment", wrapper scripts). Nothing but the standard
# library is needed: `-S` spares the start the search for what else is installed.
_RUN = '#!/bin/sh\nexec "$1" -S -u "$LAMBDA_TASK_ROOT"\n'
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


@dataclass(frozen=True)
class Bundle:
    """The zip on disk.

    Attributes:
        path: where it is; the name is its digest and ends in `.zip`, without which Pulumi's
            `FileArchive` does not take it for an archive.
        sha256: digest of its bytes, 64 hexadecimal digits.
        size_bytes: its length.
    """

    path: Path
    sha256: str
    size_bytes: int


def runtime_files() -> dict[str, bytes]:
    """The zip's files by name, in the order they are stored."""
    package = {
        f"{PACKAGE}/{source.relative_to(_SOURCE).as_posix()}": source.read_bytes()
        for source in _SOURCE.rglob("*.py")
    }
    files = {**package, "__main__.py": _MAIN.encode(), WRAPPER: _RUN.encode()}
    return dict(sorted(files.items()))


@cache
def runtime_digest() -> str:
    """The SHA-256 of the zip, 64 hexadecimal digits, without writing it; read once in a process."""
    return hashlib.sha256(_archive(runtime_files())).hexdigest()


def runtime_archive(cache_dir: Path | None = None) -> Bundle:
    """Write the zip to `cache_dir` unless it is there already.

    Safe for processes that do it at the same time, and for one that is killed while doing it.

    Args:
        cache_dir: where to keep it; `~/.cache/portway/runtime` by default.

    Raises:
        OSError: the directory cannot be written.
    """
    data = _archive(runtime_files())
    digest = hashlib.sha256(data).hexdigest()
    folder = cache_dir or Path.home() / ".cache" / "portway" / "runtime"
    path = folder / f"{digest}.zip"
    if not _holds(path, data):
        _write(path, data)
    return Bundle(path, digest, len(data))


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            mode = 0o755 if name == WRAPPER else 0o644
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        part.chmod(0o644)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
