"""Where in the repository a violation is shown: the line of the program, the stack file, the state."""

import ast
import re
from collections.abc import Iterator
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
    _known: dict[Path, dict[tuple[str, str], Place]] = field(
        default_factory=dict[Path, dict[tuple[str, str], Place]]
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
            found = self._calls(report.project).get((kind, parts[3]))
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

    def _calls(self, project: Path) -> dict[tuple[str, str], Place]:
        """By class and name, where the program makes a resource; left out where that is not one line."""
        if project not in self._known:
            found: dict[tuple[str, str], set[Place]] = {}
            for file in _sources(project):
                for kind, name, line in _made(file):
                    found.setdefault((kind, name), set()).add(self._place(file, line))
            self._known[project] = {key: at.pop() for key, at in found.items() if len(at) == 1}
        return self._known[project]

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


def _sources(project: Path) -> Iterator[Path]:
    found = 0
    for file in sorted(project.rglob("*.py")):
        inner = file.relative_to(project).parts
        if any(part in _NOT_THE_PROGRAM or part.startswith(".") for part in inner):
            continue
        found += 1
        if found > _MOST_FILES:
            return
        yield file


def _made(file: Path) -> Iterator[tuple[str, str, int]]:
    """Class, name and line of every call such as ``gcp.storage.Bucket("data", …)``."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError, RecursionError):
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
