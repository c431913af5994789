"""YAML read for people: every value knows its line, every fault is a sentence.

Only plain YAML 1.2 values are built. Aliases are followed, but a document that grows without
measure through them is refused, as is one that is larger than any spec could be.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from stat import S_ISREG
from typing import Any, Literal, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, NodeEvent
from ruamel.yaml.nodes import MappingNode, SequenceNode

from portway.errors import BadInput, Problem

MAX_BYTES = 262_144
MAX_VALUES = 10_000
MAX_DEPTH = 32
MAX_DIGITS = 100

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """One YAML mapping with the line of every key.

    Attributes:
        file: the file's name as shown to people.
        data: the mapping, made of plain Python values.
        lines: 1-based line by path; a path is the keys and list positions that lead to a value.
        problems: what is wrong with it although it could be read: keys given twice.
    """

    file: str
    data: Mapping[str, Any]
    lines: Mapping[Path_, int]
    problems: tuple[Problem, ...] = ()

    def where(self, path: Path_) -> str:
        """``file:line`` of ``path``, or of what is nearest above it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return f"{self.file}:{self.lines[path[:length]]}"
        return self.file


def read_document(path: Path) -> Document:
    """Read ``path`` as one YAML mapping.

    Raises:
        BadInput: it is not a file, cannot be read, is too large, not UTF-8, not YAML, empty, or no
            mapping. The problem says which, with the line where there is one.
    """
    file = shown(path)
    return parse_document(_text(path, file), file)


def parse_document(text: str, file: str) -> Document:
    """``text`` as one YAML mapping; ``file`` is its name in messages.

    Raises:
        BadInput: as ``read_document`` does.
    """
    root = _compose(text, file)
    if root is None or (_kind(root) == "scalar" and not root.value):
        raise _bad(f"{file}:1", "the file is empty; describe the service or the stack in it")
    builder = _Builder(file)
    if _kind(root) != "mapping":
        raise _bad(
            _at(file, root), f"holds {kind_of(builder.build(root))}; write `key: value` lines"
        )
    data = builder.build(root)
    return Document(file, data, builder.lines, tuple(builder.problems))


def shown(path: Path) -> str:
    """``path`` as people know it: relative to the working directory where it lies beneath it."""
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except (ValueError, OSError, RuntimeError):  # RuntimeError: links in a circle, before 3.13
        return path.as_posix()


def kind_of(value: object) -> str:
    """What a value is, in plain words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return "text"
    return "a whole number" if isinstance(value, int) else "a number"


def _text(path: Path, file: str) -> str:
    if path.is_dir():
        raise _bad(file, "is a folder; give a YAML file")
    try:
        # opening a pipe or a device could wait for ever
        if not S_ISREG(path.stat().st_mode):
            raise _bad(file, "is no ordinary file; give a YAML file")
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _bad(
            file, "there is no such file; check its name, or write it with `portway new`"
        ) from None
    except OSError as error:
        raise _bad(
            file, f"cannot be read: {error.strerror or error}; check its permissions"
        ) from None
    if len(raw) > MAX_BYTES:
        raise _bad(file, f"is larger than {MAX_BYTES // 1024} KiB; a spec or a stack is one page")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _bad(f"{file}:{line}", "is not UTF-8 text; save the file as UTF-8") from None


def _compose(text: str, file: str) -> Any:  # noqa: ANN401 - ruamel's nodes are untyped
    yaml = cast("Any", YAML(typ="rt", pure=True))
    try:
        _measure(yaml.parse(text), file)
        return yaml.compose(text)
    except MarkedYAMLError as marked:
        error = cast("Any", marked)
        mark = error.problem_mark or error.context_mark
        where = f"{file}:{mark.line + 1}" if mark else file
        raise _bad(where, f"is not YAML: {_plainly(error)}") from None
    except (YAMLError, ValueError) as error:
        raise _bad(
            file, f"is not YAML: {str(error).splitlines()[0]}; save it as plain text"
        ) from None


def _measure(events: Iterable[Any], file: str) -> None:
    """Refuse what is too deep or too long before it is composed, which would take minutes."""
    values = depth = 0
    for event in events:
        values += isinstance(event, NodeEvent)
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _bad(_at(file, event), "is nested too deeply; a spec is three levels deep")
        if values > 2 * MAX_VALUES:  # keys are nodes too
            raise _bad(_at(file, event), f"holds more than {MAX_VALUES} values; a spec is one page")


def _kind(node: object) -> Literal["mapping", "sequence", "scalar"]:
    if isinstance(node, MappingNode):
        return "mapping"
    return "sequence" if isinstance(node, SequenceNode) else "scalar"


def _plainly(error: Any) -> str:  # noqa: ANN401 - ruamel's errors are untyped
    problem = str(error.problem or error.context or "it cannot be understood")
    if "'\\t'" in problem:
        return "a tab stands where only spaces may; indent with spaces"
    if "expected a single document" in problem or "expected a single document" in str(
        error.context
    ):
        return "a second document starts here; keep one document in the file"
    hint = "check quotes, brackets and indentation from this line up"
    return f"{problem}; {hint}"


def _at(file: str, node: Any) -> str:  # noqa: ANN401 - ruamel's nodes are untyped
    return f"{file}:{node.start_mark.line + 1}"


def _bad(where: str, message: str) -> BadInput:
    return BadInput([Problem("", message, where)])


class _Builder:
    """Builds plain values from nodes; records lines and keys given twice."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path_, int] = {}
        self.problems: list[Problem] = []
        self._values = 0

    def build(self, node: Any, path: Path_ = ()) -> Any:  # noqa: ANN401 - YAML holds anything
        """The value of ``node``; every path in it gets the line it starts at."""
        self._values += 1
        if self._values > MAX_VALUES:
            message = f"holds more than {MAX_VALUES} values once its aliases are followed"
            raise _bad(_at(self.file, node), f"{message}; write the values out")
        if len(path) > MAX_DEPTH:
            raise _bad(_at(self.file, node), "is nested too deeply; a spec is three levels deep")
        self.lines.setdefault(path, node.start_mark.line + 1)
        if _kind(node) == "mapping":
            return self._mapping(node, path)
        if _kind(node) == "sequence":
            return [self.build(item, (*path, place)) for place, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: Any, path: Path_) -> dict[str, Any]:  # noqa: ANN401 - untyped
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if _kind(key_node) != "scalar":
                raise _bad(_at(self.file, key_node), "a key is not a word; write `key: value`")
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in built:
                first = self.lines[(*path, key)]
                message = f"is given twice, first on line {first}; keep one"
                dotted = ".".join(map(str, (*path, key)))
                self.problems.append(Problem(dotted, message, f"{self.file}:{line}"))
                continue
            self.lines[(*path, key)] = line
            built[key] = self.build(value_node, (*path, key))
        return built

    def _scalar(self, node: Any) -> Any:  # noqa: ANN401 - YAML holds anything
        text, tag = str(node.value), str(node.tag).removeprefix("tag:yaml.org,2002:")
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        try:
            if tag == "int":
                return _whole_number(text)
            if tag == "float":
                number = float(text.replace("_", ""))
                return number if isfinite(number) else text
        except ValueError:
            return text
        return text


def _whole_number(text: str) -> int | str:
    digits = text.replace("_", "")
    # CPython refuses to turn longer text into a number, and no figure in a spec is that long
    if len(digits) > MAX_DIGITS:
        return text
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    for prefix, base in (("0x", 16), ("0o", 8), ("0b", 2)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    return sign * int(digits)
