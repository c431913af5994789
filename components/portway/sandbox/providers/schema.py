"""What an installed provider SDK says about its resource types.

The SDK's generated sources are read as text, one class at a time: importing them would run the Pulumi
SDK and some packages take seconds. Names come out as the engine spells them (camelCase).
"""

import ast
import importlib.util
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from portway.errors import Missing

_GETTER = re.compile(
    r'@pulumi\.getter(?:\(name="([^"]+)"\))?\n.*?    def (\w+)\(self\) -> ([^\n]+):\n'
    r'(?:        """(.*?)""")?',
    re.DOTALL,
)
_FORCES = re.compile(
    r"forces? (?:a |the )?(?:new|replacement|re-?creat)|forces? new", re.IGNORECASE
)
_SECRETS = re.compile(r"additional_secret_outputs=(\[[^\]]*\])")
_PRIMITIVES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


class UnknownType(Exception):
    """The SDK has no such resource type; ``candidates`` are all it has."""

    def __init__(self, token: str, candidates: tuple[str, ...]) -> None:
        """Keep what was asked for and what there is."""
        self.token = token
        self.candidates = candidates
        super().__init__(token)


@dataclass(frozen=True)
class Shape:
    """What a property may hold.

    Attributes:
        kind: string, integer, number, boolean, list, map, object, document (JSON text, or the object it
            encodes), asset (a file or an archive) or any.
        item: shape of a list's or map's values.
        fields: where an object's properties are declared.
    """

    kind: str
    item: "Shape | None" = None
    fields: "Fields | None" = None


@dataclass(frozen=True)
class Property:
    """One input.

    Attributes:
        forces: its own documentation says that changing it forces a new resource.
    """

    name: str
    required: bool
    shape: Shape
    forces: bool = False


@dataclass(frozen=True)
class Fields:
    """The class in the SDK that declares an object's properties."""

    file: Path
    class_name: str

    def properties(self) -> dict[str, Property]:
        """Property name → property."""
        return _properties(self.file, self.class_name)


@dataclass(frozen=True)
class ResourceType:
    """One resource type.

    Attributes:
        token: such as ``aws:lambda/function:Function``.
        inputs: name → input.
        outputs: names of everything the resource reports; inputs are among them.
        secrets: outputs that the SDK declares secret.
    """

    token: str
    inputs: dict[str, Property]
    outputs: frozenset[str]
    secrets: frozenset[str]


class Sdk:
    """One installed provider SDK, such as ``pulumi_aws``."""

    def __init__(self, package: str) -> None:
        """Find the SDK of ``package`` without importing it.

        Raises:
            Missing: it is not installed.
        """
        self.package = package
        spec = importlib.util.find_spec(f"pulumi_{package}")
        if spec is None or not spec.submodule_search_locations:
            raise Missing(f"pulumi-{package} is not installed; run `pip install pulumi-{package}`")
        self.root = Path(spec.submodule_search_locations[0])
        self._types: dict[str, ResourceType] = {}

    @cached_property
    def _index(self) -> str:
        return (self.root / "__init__.py").read_text(encoding="utf-8")

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Every resource type token of the SDK."""
        pattern = rf'^   "({self.package}:[^"]+)": "\w+",?$'
        return tuple(re.findall(pattern, self._index, re.MULTILINE))

    def provider(self) -> dict[str, Property]:
        """Inputs of the package's provider resource: what its configuration may hold."""
        return _properties(self.root / "provider.py", "ProviderArgs")

    def resource(self, token: str) -> ResourceType:
        """What the SDK knows of ``token``.

        Raises:
            UnknownType: nothing.
        """
        found = self._types.get(token)
        if found is None:
            found = self._types[token] = self._read(token)
        return found

    def _read(self, token: str) -> ResourceType:
        file, class_name = self._locate(token)
        block = _block(file, class_name)
        arguments = re.search(r"args: (?:Optional\[)?'?(\w+Args)'?", block)
        inputs = _properties(file, arguments.group(1)) if arguments else {}
        outputs = frozenset(
            wire or python
            for wire, python, kind, _ in _GETTER.findall(block)
            if "pulumi.Output[" in kind
        )
        secrets = _SECRETS.search(block)
        names: list[str] = ast.literal_eval(secrets.group(1)) if secrets else []
        return ResourceType(token, inputs, outputs | inputs.keys(), frozenset(names))

    def _locate(self, token: str) -> tuple[Path, str]:
        at = self._index.find(f'"{token}": "')
        if at < 0:
            raise UnknownType(token, self.tokens)
        class_name = self._index[at + len(token) + 5 :].split('"', 1)[0]
        marker = '"fqn": "'
        start = self._index.rindex(marker, 0, at) + len(marker)
        module = self._index[start : self._index.index('"', start)]
        folder = self.root.joinpath(*module.split(".")[1:])
        likely = folder / f"{_snake(token.split(':')[1].rsplit('/', 1)[-1])}.py"
        declares = f'"{token}"'
        for file in (likely, *sorted(folder.glob("*.py"))):
            if (
                file.is_file()
                and f"\nclass {class_name}(" in _text(file)
                and declares in _text(file)
            ):
                return file, class_name
        raise UnknownType(token, self.tokens)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


@cache
def _classes(file: Path) -> dict[str, slice]:
    """Where in the file each class is; a class ends where the next one starts."""
    text = _text(file)
    starts = [found.start() + 1 for found in re.finditer(r"\nclass ", text)]
    names = [re.split(r"\W", text[at + 6 : at + 206], maxsplit=1)[0] for at in starts]
    ends = [*starts[1:], len(text)]
    return {n: slice(a, b) for n, a, b in zip(names, starts, ends, strict=True)}


def _block(file: Path, class_name: str) -> str:
    where = _classes(file).get(class_name)
    return _text(file)[where] if where else ""


@cache
def _properties(file: Path, class_name: str) -> dict[str, Property]:
    block = _block(file, class_name)
    signature = re.search(r"def __init__\((.*?)\):\n", block, re.DOTALL)
    if signature is None:
        return {}
    function = ast.parse(f"def init({signature.group(1)}): ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    getters = {python: (wire or python, text) for wire, python, _, text in _GETTER.findall(block)}
    found: dict[str, Property] = {}
    for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        wire, text = getters.get(argument.arg, (argument.arg, ""))
        shape = _shape(argument.annotation, file) if argument.annotation else Shape("any")
        found[wire] = Property(wire, default is None, shape, bool(_FORCES.search(text)))
    return found


def _shape(node: ast.expr, file: Path) -> Shape:
    match node:
        case ast.Constant(value=str() as text):
            return _named(text, file)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return Shape(_PRIMITIVES.get(name, "asset" if name in ("Asset", "Archive") else "any"))
        case ast.Subscript(value=ast.Name(id=outer) | ast.Attribute(attr=outer), slice=inner):
            return _generic(outer, inner, file)
        case _:
            return Shape("any")


def _generic(outer: str, inner: ast.expr, file: Path) -> Shape:
    options = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    match outer:
        case "Sequence":
            return Shape("list", item=_shape(options[0], file))
        case "Mapping":
            return Shape("map", item=_shape(options[-1], file))
        case "Union":
            return _union([_shape(option, file) for option in options])
        case _:
            return _shape(options[0], file)


def _union(shapes: list[Shape]) -> Shape:
    objects = [shape for shape in shapes if shape.kind == "object"]
    kinds = {shape.kind for shape in shapes}
    if objects and "string" in kinds:
        return Shape("document", fields=objects[0].fields)
    if objects:
        return objects[0]
    return shapes[0] if len(kinds) == 1 else Shape("any")


def _named(text: str, file: Path) -> Shape:
    name = text.rsplit(".", 1)[-1]
    if not name.endswith(("Args", "ArgsDict")):
        return Shape("string")  # an enumeration, or a resource given by its id
    folder = file.parent.parent if text.startswith("_root_inputs.") else file.parent
    declared = folder / "_inputs.py"
    args = name.removesuffix("Dict")
    if "." in text and not text.startswith("_root_inputs."):
        return Shape("any")
    return (
        Shape("object", fields=Fields(declared, args))
        if args in _classes(declared)
        else Shape("any")
    )
