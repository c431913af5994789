"""The small changes of mutation testing: each is a function of a rule with one thing in it changed.

mutmut says what is changed and how. Nothing is written: a changed function is put in place of the
one that is loaded, in a process of its own (``trials.py``).
"""

import ast
import difflib
import gc
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import cast

import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import MutationVisitor, deep_replace, group_by_top_level_node
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

_CAST = re.compile(r"cast\((?:\"[^\"]*\"|None),")


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        name: the module, the function and a number, as mutmut has them.
        file: where the function is.
        function: as Python qualifies it: ``View.get``.
        change: the lines that differ, with ``-`` and ``+``.
        source: the whole function, changed.
        lines: those of the file of which one runs whenever the change makes a difference.
    """

    name: str
    file: Path
    function: str
    change: str
    source: str
    lines: frozenset[int]

    @property
    def key(self) -> str:
        """What identifies it when lines above it move: its function and its change."""
        return f"{self.name.rpartition('__mutmut_')[0]}: {' '.join(self.change.split())}"

    @property
    def is_for_the_type_checker(self) -> bool:
        """Whether only the type that a ``cast`` names is changed: nothing reads it as it runs."""
        lines = self.change.splitlines()
        before, after = ("".join(one[1:] for one in lines if one[:1] == sign) for sign in "-+")
        return before != after and _CAST.sub("cast(", before) == _CAST.sub("cast(", after)


@dataclass(frozen=True)
class _Function:
    """A function as it is written: below which class, in which lines, with which statements."""

    holder: str
    node: cst.FunctionDef
    written: ast.FunctionDef

    @property
    def qualified(self) -> str:
        return f"{self.holder}.{self.written.name}" if self.holder else self.written.name

    @property
    def mangled(self) -> str:
        return f"xǁ{self.holder}ǁ{self.written.name}" if self.holder else f"x_{self.written.name}"

    def lines_of(self, line: int) -> range:
        """The lines of the statement in ``line``, without the blocks below it."""
        below = (one for one in ast.walk(self.written) if one is not self.written)
        ranges = [_lines(one) for one in below if isinstance(one, ast.stmt)]
        whole = range(self.written.lineno, (self.written.end_lineno or self.written.lineno) + 1)
        return min((one for one in ranges if line in one), key=len, default=whole)


def mutants(file: Path, module: str) -> Iterator[Mutant]:
    """Every mutant of what is in ``file``, which is loaded as ``module``.

    Functions with decorators are left alone, as mutmut leaves them.
    """
    text = file.read_text(encoding="utf-8")
    visitor = MutationVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    tree = MetadataWrapper(cst.parse_module(text)).visit(visitor)
    changes = group_by_top_level_node(visitor.mutations)
    for function in _functions(tree, ast.parse(text)):
        before = _code(function.node)
        for number, change in enumerate(changes.get(function.node, ()), 1):
            after = _code(deep_replace(function.node, change.original_node, change.mutated_node))
            shown, lines = _difference(function, before, after)
            name = f"{module}.{function.mangled}__mutmut_{number}"
            yield Mutant(name, file, function.qualified, shown, after, lines)


def put_in(mutant: Mutant, module: ModuleType) -> None:
    """Make the function that is loaded do what its mutant does, whoever holds it already."""
    space = dict(vars(module))
    exec(_compiled(mutant), space)  # noqa: S102 - our own code
    changed = _plain(space[mutant.function.rpartition(".")[2]])
    found: object = module
    for name in mutant.function.split("."):
        found = vars(found)[name]
    function = _plain(found)
    _put_inside(function.__code__, changed.__code__)
    function.__code__ = changed.__code__
    function.__defaults__ = changed.__defaults__
    function.__kwdefaults__ = changed.__kwdefaults__


def _put_inside(before: CodeType, after: CodeType) -> None:
    """The same for the functions that it has made and given away: the judges of families of rules."""
    made = {one.co_name: one for one in before.co_consts if isinstance(one, CodeType)}
    for one in after.co_consts:
        if isinstance(one, CodeType) and one.co_name.isidentifier() and one.co_name in made:
            gc.unfreeze()
            for holder in gc.get_referrers(made[one.co_name]):
                if isinstance(holder, FunctionType):
                    with suppress(ValueError):  # it closes over fewer names: left as it is
                        holder.__code__ = one


def _compiled(mutant: Mutant):  # noqa: ANN202 - a code object
    return compile(mutant.source, str(mutant.file), "exec", dont_inherit=True)


def _plain(found: object) -> FunctionType:
    return cast("FunctionType", getattr(found, "__func__", found))


def _functions(tree: cst.Module, written: ast.Module) -> Iterator[_Function]:
    for node, one in zip(tree.body, written.body, strict=True):
        if isinstance(node, cst.FunctionDef) and isinstance(one, ast.FunctionDef):
            yield _Function("", node, one)
        elif isinstance(node, cst.ClassDef) and isinstance(one, ast.ClassDef):
            for child, method in zip(node.body.body, one.body, strict=True):
                if isinstance(child, cst.FunctionDef) and isinstance(method, ast.FunctionDef):
                    yield _Function(one.name, child, method)


@cache
def _code(node: object) -> str:
    return cst.Module([cast("cst.FunctionDef", node)]).code


def _difference(function: _Function, before: str, after: str) -> tuple[str, frozenset[int]]:
    """The lines that differ, and the lines of the file whose statements are changed."""
    was, now = before.split("\n"), after.split("\n")
    head = next(n for n, line in enumerate(was) if line.startswith("def "))
    shown, touched = list[str](), set[int]()
    for what, i, j, k, m in difflib.SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if what != "equal":
            shown += [f"-{line}" for line in was[i:j]] + [f"+{line}" for line in now[k:m]]
            for n in range(i, max(j, i + 1)):
                touched.update(function.lines_of(n - head + function.written.lineno))
    return "\n".join(shown), frozenset(touched)


def _lines(statement: ast.stmt) -> range:
    blocks: list[ast.stmt] = getattr(statement, "body", [])
    cases: list[ast.match_case] = getattr(statement, "cases", [])
    starts = [*(one.lineno for one in blocks[:1]), *(one.pattern.lineno for one in cases[:1])]
    end = (statement.end_lineno or statement.lineno) + 1
    return range(statement.lineno, min([end, *starts]))
