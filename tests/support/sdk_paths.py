"""Which property paths a resource type of a pinned provider SDK has, read from the SDK's own text.

``exists("aws:s3/bucketLogging:BucketLogging", "targetBucket")`` and ``paths_of(type)`` read the
argument classes of ``pulumi_aws``, ``pulumi_gcp`` and ``pulumi_kubernetes`` without importing them,
which would take a minute. Paths are spelt as Pulumi spells them: ``replicas[].regionName``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from portway.gate.values import steps

_TOKEN = re.compile(r"super\((\w+), __self__\)\.__init__\(\s*'([^']+)'")
_CLASS = re.compile(
    r"^@pulumi\.input_type\nclass (\w+):\n(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL
)
_PROPERTY = re.compile(
    r"@pulumi\.getter(?:\(name=\"([^\"]+)\"\))?\n(?:    @_utilities\.deprecated\(\"{3}[\s\S]*?\"{3}\)\n)?"
    r"    def (\w+)\(self\) -> (.+):\n"
)
_NESTED = re.compile(r"'(?:_(\w+)\.)?([\w.]*?)(\w+)Args'")


@dataclass(frozen=True)
class Field:
    """One input: how often it is a list, whether it is a mapping by name, and the class of a block."""

    lists: int
    is_mapping: bool
    block: tuple[Path, str] | None


def exists(token: str, path: str) -> bool:
    """Whether resources of type ``token`` take the input ``path`` (``a[].b``)."""
    start = _arguments(token)
    return start is not None and _reaches(start, list(steps(path)))


def paths_of(token: str, *, depth: int = 6) -> tuple[str, ...]:
    """Every input path of ``token`` that ends in a value, to ``depth`` blocks; empty when unknown."""
    start = _arguments(token)
    return () if start is None else tuple(sorted(set(_paths(start, "", depth))))


@cache
def types_of(package: str) -> Mapping[str, tuple[Path, str]]:
    """Each resource type of ``package`` and the folder and name of its argument class."""
    spec = find_spec(f"pulumi_{package}")
    if spec is None or spec.origin is None:
        raise LookupError(f"pulumi-{package} is not installed")
    found: dict[str, tuple[Path, str]] = {}
    for file in sorted(Path(spec.origin).parent.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        for name, token in _TOKEN.findall(text):
            arguments = f"{name}InitArgs" if f"class {name}InitArgs:" in text else f"{name}Args"
            if ":" in token:
                found[token] = (file, arguments)
    return found


def _arguments(token: str) -> tuple[Path, str] | None:
    return types_of(token.split(":", 1)[0]).get(token)


def _reaches(block: tuple[Path, str], rest: list[str | int | None]) -> bool:
    field = _fields(block).get(str(rest[0]))
    if field is None:
        return False
    after = rest[1:]
    lists = 0
    while after and not isinstance(after[0], str):
        lists, after = lists + 1, after[1:]
    if lists != field.lists:
        return False
    if field.is_mapping:
        return field.block is None or len(after) < 2 or _reaches(field.block, after[1:])
    if not after:
        return True
    return field.block is not None and _reaches(field.block, after)


def _paths(block: tuple[Path, str], prefix: str, depth: int) -> Iterator[str]:
    for name, field in _fields(block).items():
        path = f"{prefix}{name}{'[]' * field.lists}"
        if field.block is None:
            yield path
        elif depth:
            yield from _paths(field.block, f"{path}.", depth - 1)


@cache
def _fields(block: tuple[Path, str]) -> Mapping[str, Field]:
    file, name = block
    body = _classes(file).get(name) or _classes(file.parent / "_inputs.py").get(name, "")
    return {
        (camel or snake): _field(file.parent, annotation)
        for camel, snake, annotation in _PROPERTY.findall(body)
    }


def _field(folder: Path, annotation: str) -> Field:
    nested = _NESTED.search(annotation)
    block: tuple[Path, str] | None = None
    if nested is not None:
        package, inner, name = nested.groups()
        root = folder
        if package is not None:
            root = _root(folder) / package / inner.replace(".", "/").strip("/")
        block = (root / "_inputs.py", f"{name}Args")
    lists = annotation.count("Sequence[")
    return Field(lists, "Mapping[" in annotation, block)


def _root(folder: Path) -> Path:
    while not folder.name.startswith("pulumi_"):
        folder = folder.parent
    return folder


@cache
def _classes(file: Path) -> Mapping[str, str]:
    return dict(_CLASS.findall(file.read_text(encoding="utf-8"))) if file.exists() else {}
