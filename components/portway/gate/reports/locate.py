"""Where in the repository a violation is shown: the line of the program, the stack file, the state."""

import ast
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from portway.engine.mirror import stack_config_dir
from portway.errors import BadInput, PortwayError
from portway.gate.record import Reported
from portway.gate.run import StackReport
from portway.spec.load import load_stack

_NOT_THE_PROGRAM = frozenset({"venv", "node_modules", "__pycache__", "site-packages", "tests"})
_MOST_FILES = 2_000
_PLACED = re.compile(r"^\s*[\w-]+:placement\s*:", re.M)


@dataclass(frozen=True)
class Place:
    """A line of a file. ``file`` is relative to the repository, with slashes; lines begin at 1."""

    file: str
    line: int = 1


@dataclass(frozen=True)
class Locator:
    """Finds places, relative to ``root``, the folder that a code host shows files of."""

    root: Path
    _known: dict[tuple[Path, str, str], Place | None] = field(
        default_factory=dict[tuple[Path, str, str], Place | None]
    )

    def stack(self, report: StackReport) -> Place:
        """Where the stack as a whole is shown."""
        if report.state is not None:
            return self._place(report.state)
        if report.project is None:
            return Place("Pulumi.yaml")
        file = _stack_file(report.project, report.stack)
        return self._place(file, _line(file, _PLACED))

    def violation(self, report: StackReport, said: Reported) -> Place:
        """Where one violation is shown: as near to its cause as is known."""
        if report.state is not None:
            quoted = re.compile(rf'"urn"\s*:\s*"{re.escape(said.urn)}"')
            return self._place(report.state, _line(report.state, quoted) if said.urn else 1)
        parts = said.urn.split("::")
        if report.project is not None and len(parts) == 4:  # noqa: PLR2004 - urn, project, type, name
            kind = re.split(r"[:/]", parts[2])[-1]
            found = self._call(report.project, kind, parts[3])
            if found is not None:
                return found
        return self.stack(report)

    def spec(self, report: StackReport, pack: str) -> Place | None:
        """The line of the spec that asks for what ``pack`` guards; None where there is no spec."""
        if report.project is None:
            return None
        try:
            stack = load_stack(report.project, report.stack)
            where = stack.where("residency" if pack == "residency" else "scaling.max")
        except (PortwayError, OSError, LookupError, ValueError):
            return None
        file, colon, line = where.rpartition(":")
        if not colon or not line.isdigit():
            return None
        return self._place(Path(file), int(line))

    def _call(self, project: Path, kind: str, name: str) -> Place | None:
        """Where the program makes a resource of a class and a name; None where that is not one line."""
        key = (project, kind, name)
        if key not in self._known:
            found = {
                self._place(file, line)
                for file in _program(project)
                if name in _text(file) and kind in _text(file)
                for line in _calls(file).get((kind, name), ())
            }
            self._known[key] = found.pop() if len(found) == 1 else None
        return self._known[key]

    def _place(self, file: Path, line: int = 1) -> Place:
        whole = file.absolute()
        inside = whole.is_relative_to(self.root)
        return Place((whole.relative_to(self.root) if inside else whole).as_posix(), line)


def locator_for(folder: Path) -> Locator:
    """A locator for the repository that ``folder`` is in; for the folder itself where it is in none."""
    start = folder.absolute()
    root = next((place for place in (start, *start.parents) if (place / ".git").exists()), start)
    return Locator(root)


def _stack_file(project: Path, stack: str) -> Path:
    try:
        folder = project / stack_config_dir(project)
    except (BadInput, UnicodeDecodeError):
        folder = project
    file = folder / f"Pulumi.{stack}.yaml"
    return file if file.is_file() else project / "Pulumi.yaml"


@cache
def _program(project: Path) -> tuple[Path, ...]:
    return tuple(_sources(project))


@cache
def _calls(file: Path) -> Mapping[tuple[str, str], tuple[int, ...]]:
    """By class and name, the lines where a file makes it."""
    lines: dict[tuple[str, str], tuple[int, ...]] = {}
    for kind, name, line in _made(file):
        lines[kind, name] = (*lines.get((kind, name), ()), line)
    return lines


def _sources(project: Path) -> Iterator[Path]:
    """The program's own files; environments and hidden folders are not even looked into."""
    left = _MOST_FILES
    for folder, inner, names in os.walk(project):
        inner[:] = sorted(name for name in inner if _belongs(Path(folder) / name))
        for name in sorted(names):
            if name.endswith(".py") and left:
                left -= 1
                yield Path(folder) / name


def _belongs(folder: Path) -> bool:
    """Whether a folder may be part of the program: another project's is not."""
    is_other = folder.name in _NOT_THE_PROGRAM or folder.name.startswith(".")
    return not is_other and not (folder / "Pulumi.yaml").exists()


def _made(file: Path) -> Iterator[tuple[str, str, int]]:
    """Class, name and line of every call such as ``gcp.storage.Bucket("data", …)``."""
    try:
        tree = ast.parse(_text(file))
    except (ValueError, SyntaxError, RecursionError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        named = [key.value for key in node.keywords if key.arg == "resource_name"]
        first = (node.args or named or [None])[0]
        called = node.func
        kind = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and kind:
            yield kind, first.value, node.lineno


@cache
def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _line(file: Path, pattern: re.Pattern[str]) -> int:
    found = pattern.search(_text(file))
    return 1 if found is None else _text(file).count("\n", 0, found.start()) + 1
