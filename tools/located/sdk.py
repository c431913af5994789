"""The input properties of a Pulumi SDK, read from its text: importing one takes a minute.

What is read: the list of resources in the package's ``__init__``, the signature of each resource's
``…Args`` class (its inputs, no outputs) and those of the nested ``…Args`` in ``_inputs.py``.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from portway.gate.values import steps

_REGISTERED = re.compile(r'resource_modules="""\n(.*?)\n"""', re.DOTALL)
_CLASS = re.compile(r"^class (\w+Args):$", re.MULTILINE)
_CAMEL = re.compile(r'@pulumi\.getter\(name="([^"]+)"\)\n.*?    def (\w+)\(self\)', re.DOTALL)
_NESTED = re.compile(r"'(?:_([\w.]+)\.)?(\w+Args)'")
_SIGNATURE = "    def __init__(__self__, *,"


class UnreadableSdk(Exception):
    """The SDK is absent, or written in a way that this reader does not know."""


@dataclass(frozen=True)
class Property:
    """One property of a block.

    Attributes:
        step: its name, with ``[]`` for a list.
        block: the folder and the class of the block it holds, if any.
        is_text: whether it may hold text: not a block, a number or a truth value.
    """

    step: str
    block: tuple[str, str] | None = None
    is_text: bool = False


@dataclass(frozen=True)
class _Source:
    """One file with ``…Args`` classes: its text, and where each class begins."""

    text: str
    starts: Mapping[str, int]

    @classmethod
    def of(cls, text: str) -> "_Source":
        return cls(text, {match[1]: match.start() for match in _CLASS.finditer(text)})

    def chunk(self, name: str) -> str:
        return _upto_next_class(self.text, self.starts[name])


class Sdk:
    """One SDK's resource types and their input properties.

    Attributes:
        package: ``aws``, ``gcp`` or ``kubernetes``.
    """

    def __init__(self, package: str, root: Path | None = None) -> None:
        """Read the SDK at ``root``, by default the one that is installed.

        Raises:
            UnreadableSdk: it is not installed.
        """
        self.package = package
        self._root = root or _installed(package)
        self._sources: dict[str, _Source] = {}
        self._blocks: dict[tuple[str, str], tuple[Property, ...]] = {}
        self._inputs: dict[str, tuple[Property, ...]] = {}

    @property
    def name(self) -> str:
        """``pulumi-aws 7.51.1``."""
        try:
            return f"pulumi-{self.package} {version(f'pulumi-{self.package}')}"
        except PackageNotFoundError as error:
            raise UnreadableSdk(f"pulumi-{self.package} is not installed") from error

    @cached_property
    def types(self) -> Mapping[str, tuple[str, str]]:
        """By type token: the folder (``dynamodb``, ``apps/v1``) and the name of its class."""
        match = _REGISTERED.search((self._root / "__init__.py").read_text("utf-8"))
        if match is None:
            raise UnreadableSdk(f"pulumi-{self.package} lists its resources in a new way")
        modules: list[dict[str, Any]] = json.loads(match[1])
        found: dict[str, tuple[str, str]] = {}
        for module in modules:
            folder = "/".join(module["fqn"].split(".")[1:])
            found.update((token, (folder, name)) for token, name in module["classes"].items())
        return dict(sorted(found.items()))

    def properties(self, token: str) -> tuple[Property, ...]:
        """The top-level inputs of ``token``.

        Raises:
            UnreadableSdk: its class is not where it should be.
        """
        if token not in self._inputs:
            self._inputs[token] = _members(self._arguments(token), self.types[token][0])
        return self._inputs[token]

    def block(self, key: tuple[str, str]) -> tuple[Property, ...]:
        """The properties of the nested block ``key``: folder and class name."""
        if key not in self._blocks:
            folder, name = key
            source = self._source(folder)
            if name not in source.starts:
                raise UnreadableSdk(f"{folder} has no class {name}; teach tools/located to read it")
            self._blocks[key] = _members(source.chunk(name), folder)
        return self._blocks[key]

    def has(self, token: str, path: str) -> bool:
        """Whether ``token`` has an input at ``path``; below a free map or text, anything is there."""
        if token not in self.types:
            return False
        properties, is_walked = self.properties(token), True
        found: Property | None = None
        for step in steps(path):
            if not isinstance(step, str):
                if found is not None and not found.step.endswith("[]") and found.block is not None:
                    return False
                is_walked = True
                continue
            if not is_walked:
                return False  # a list whose items are named without being walked
            found = next((one for one in properties if one.step.removesuffix("[]") == step), None)
            if found is None:
                return False
            if found.block is None:
                return True
            properties, is_walked = self.block(found.block), not found.step.endswith("[]")
        return found is not None

    def _arguments(self, token: str) -> str:
        """The text of the class that holds the inputs of ``token``."""
        folder, name = self.types[token]
        likely = (_snake(name), _snake(token.split(":")[1].rpartition("/")[2]), name)
        files = (self._root / folder / f"{stem}.py" for stem in dict.fromkeys(likely))
        others = (file for _ in "." for file in sorted((self._root / folder).glob("[!_]*.py")))
        for file in chain(files, others):
            text = file.read_text("utf-8") if file.exists() else ""
            for arguments in (f"{name}Args", f"{name}InitArgs"):
                start = text.find(f"\nclass {arguments}:\n")
                if start >= 0:
                    return _upto_next_class(text, start + 1)
        raise UnreadableSdk(f"{token} has no class {name}Args; teach tools/located to read it")

    def _source(self, folder: str) -> _Source:
        if folder not in self._sources:
            text = (self._root / folder / "_inputs.py").read_text("utf-8")
            self._sources[folder] = _Source.of(text)
        return self._sources[folder]


def walk(sdk: Sdk, token: str) -> Iterator[tuple[str, Property]]:
    """Every input of ``token`` with its path, blocks before what they hold.

    A block that is met again inside itself is not entered again.
    """

    def inside(
        properties: tuple[Property, ...], prefix: str, met: tuple[tuple[str, str], ...]
    ) -> Iterator[tuple[str, Property]]:
        for one in properties:
            path = f"{prefix}{one.step}"
            yield path, one
            if one.block is not None and one.block not in met:
                yield from inside(sdk.block(one.block), f"{path}.", (*met, one.block))

    yield from inside(sdk.properties(token), "", ())


def _upto_next_class(text: str, start: int) -> str:
    end = text.find("\nclass ", start)
    return text[start : len(text) if end < 0 else end]


def _members(chunk: str, folder: str) -> tuple[Property, ...]:
    start = chunk.find(_SIGNATURE)
    if start < 0:
        return ()  # a class without members has no keyword to ask for
    signature = chunk[start : chunk.index("):\n", start)]
    camel = {snake: name for name, snake in _CAMEL.findall(chunk)}
    found: list[Property] = []
    for line in signature.split("\n")[1:]:
        snake, _, annotation = line.strip().rstrip(",").removesuffix(" = None").partition(": ")
        nested = _NESTED.search(annotation)
        block = None if nested is None else (_folder(nested[1], folder), nested[2])
        step = camel.get(snake, snake)
        if annotation.startswith("pulumi.Input") and "Sequence[" in annotation:
            step += "[]"
        is_text = block is None and ("_builtins.str" in annotation or "Any" in annotation)
        found.append(Property(step, block, is_text))
    return tuple(found)


def _folder(qualifier: str | None, folder: str) -> str:
    """Where a block is: ``'_meta.v1.ObjectMetaArgs'`` in ``meta/v1``, a bare name right here."""
    return qualifier.replace(".", "/") if qualifier else folder


def _snake(name: str) -> str:
    """``VpcIpamPool`` as the file that holds it is called."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _installed(package: str) -> Path:
    spec = find_spec(f"pulumi_{package}")
    if spec is None or spec.origin is None:
        raise UnreadableSdk(f"pulumi-{package} is not installed")
    return Path(spec.origin).parent
