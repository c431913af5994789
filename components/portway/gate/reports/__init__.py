"""Reports of one run of the gate: each format a pure function to text, written whole or not at all."""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile

from portway.errors import BadInput, Problem
from portway.gate.report import GateReport
from portway.gate.reports.locate import Locator

FORMATS = ("sarif", "junit", "markdown")
"""Each has a module here with ``text(report, locator)``."""


def ready(files: Mapping[str, Path]) -> None:
    """Make sure that every report can be written, before anything is judged.

    Args:
        files: by format.

    Raises:
        BadInput: each file that cannot be written, or that two reports share.
    """
    problems: list[Problem] = []
    taken: dict[Path, str] = {}
    for name, file in files.items():
        reason = _obstacle(file)
        other = taken.setdefault(file.resolve(), name)
        if other != name:
            reason = f"is where the {other} report goes; name another file"
        if reason:
            problems.append(Problem(f"--{name}", reason, str(file)))
    if problems:
        raise BadInput(problems)


def write(files: Mapping[str, Path], report: GateReport, locator: Locator) -> None:
    """Write each report, in place of an older one only when it is whole."""
    for name, file in files.items():
        render: Callable[[GateReport, Locator], str] = import_module(f"{__name__}.{name}").text
        replace(file, render(report, locator))


def replace(file: Path, text: str) -> None:
    """Have ``file`` hold ``text``, all of it or, when that fails, what it held before."""
    target = file.resolve()
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=target.parent, prefix=f".{file.name}.", delete=False
    ) as part:
        part.write(text)
    try:
        Path(part.name).chmod(0o666 & ~_umask())
        Path(part.name).replace(target)
    except OSError:
        Path(part.name).unlink(missing_ok=True)
        raise


def _obstacle(file: Path) -> str:
    """Why ``file`` cannot be written, or nothing."""
    if file.is_dir():
        return "is a folder; name a file"
    folder = file.resolve().parent
    if not folder.is_dir():
        return "its folder does not exist; make it first"
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    return "" if not file.exists() or os.access(file, os.W_OK) else "is write-protected"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
