"""Rows of the cost tables: which properties of which types cost money unseen, and what is too much.

A rule of the cost pack that is a table names a family here; every cloud has its file of rows in
``data/judged_cost``. A row says a limit with its reason, never a price: amounts come from the rates.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast

from pydantic import TypeAdapter

from portway.errors import Missing
from portway.gate.amounts import at_maximum
from portway.gate.context import CostContext
from portway.gate.links import beside
from portway.gate.resource import Resource, Stack
from portway.gate.rows import applies, is_refused, omissions
from portway.gate.rule import Violation
from portway.gate.values import Known, Unknown, shown

Judge = Callable[[Resource, CostContext, Stack | None], Iterator[Violation]]
Cost = Callable[[Resource, Stack | None], str]
Reads = Literal["most", "least", "flag", "set", "exists"]
_FOLDER = files("portway.gate").joinpath("data", "judged_cost")


@dataclass(frozen=True)
class Row:
    """One property of a resource type, and how its values are judged.

    Attributes:
        reads: ``most`` and ``least`` compare a number with ``limit``; a ``flag`` is one of
            ``refused``, or none of ``allowed``; ``set`` refuses any value at all; ``exists`` is
            about the resource itself, whatever it says (its ``path`` is only named).
        says: the middle of the message: what the property makes the resource do.
        do: the way out.
        limit: the most, or the least, that passes.
        omitted: why leaving it out costs; "" where that is fine.
        within: path of the block that must be set for the omission to count.
        given: path at which anything must be set for the row to apply.
        when: by path, the values with which the row applies; null stands for a value left out.
        unless: types; one of them that hangs on the resource (or names it) says what the row misses.
        advises: worth saying, refused by nobody.
    """

    type: str
    path: str
    reads: Reads
    says: str
    do: str
    limit: Decimal | None = None
    refused: tuple[Any, ...] = ()
    allowed: tuple[Any, ...] = ()
    omitted: str = ""
    within: str = ""
    given: str = ""
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    unless: tuple[str, ...] = ()
    advises: bool = False


_ROWS = TypeAdapter(tuple[Row, ...])


@cache
def family(name: str) -> tuple[Row, ...]:
    """Every row of one family, of all clouds.

    Raises:
        Missing: a table that ships with the package is absent or broken.
    """
    tables = (_table(file).get(name, []) for file in _files())
    return tuple(row for table in tables for row in _ROWS.validate_python(table))


def rows() -> tuple[tuple[str, Row], ...]:
    """Every row of every family, with the family's name."""
    names = (name for file in _files() for name in _table(file))
    return tuple((name, row) for name in dict.fromkeys(names) for row in family(name))


def judge_family(name: str, cost: Cost = at_maximum) -> Judge:
    """The judgement of one resource by the rows of family ``name``; ``cost`` ends its statements."""

    def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
        del context
        for row in by_type(name).get(resource.type, ()):
            if _is_about(row, resource) and not _is_said_beside(row, resource, stack):
                yield from _of_row(row, resource, lambda: cost(resource, stack))

    return judge


def number(value: object) -> Decimal | None:
    """``value`` as a number, given as one or as its text; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def _is_about(row: Row, resource: Resource) -> bool:
    is_given = not row.given or bool(resource.properties.every(row.given))
    return is_given and applies(row.when, resource)


def _is_said_beside(row: Row, resource: Resource, stack: Stack | None) -> bool:
    """Whether something else says what the row misses; before the stack is known, it may."""
    if not row.unless:
        return False
    return stack is None or next(beside(resource, stack, row.unless), None) is not None


def _of_row(row: Row, resource: Resource, cost: Callable[[], str]) -> Iterator[Violation]:
    if row.reads == "exists":
        message = f"{resource} {row.says}{cost()}; {row.do}"
        yield Violation(message, resource.urn, row.path, advice=row.advises)
        return
    if row.omitted:
        for path in omissions(row.path, row.within, resource):
            message = f"{resource} does not set {path}: {row.omitted}{cost()}; {row.do}"
            yield Violation(message, resource.urn, path, advice=row.advises)
    for seen in resource.properties.every(row.path):
        if row.reads == "set":
            problem, undetermined = row.says, False
        elif isinstance(seen, Unknown):
            problem, undetermined = "cannot be judged: it is known only after deployment", True
        else:
            problem, undetermined = _problem(row, seen), False
        if problem is not None:
            message = f"{resource} {problem} ({seen.path}){cost()}; {row.do}"
            yield Violation(message, resource.urn, seen.path, undetermined, row.advises)


def _problem(row: Row, seen: Known) -> str | None:
    """What is wrong with a value that is known; None: nothing."""
    if row.reads == "flag":
        return row.says if is_refused(seen.value, row.refused, row.allowed) else None
    given, limit = number(seen.value), row.limit or Decimal(0)
    if given is None:
        return f"{row.says} {shown(seen.value)}, which is no number"
    if row.reads == "most":
        return f"{row.says} {given}, more than {limit}" if given > limit else None
    return f"{row.says} {given}, less than {limit}" if given < limit else None


@cache
def by_type(name: str) -> Mapping[str, list[Row]]:
    """The rows of family ``name``, by the type they are about."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in family(name):
        found[row.type].append(row)
    return found


def _files() -> list[str]:
    return sorted(file.name for file in _FOLDER.iterdir())


@cache
def _table(name: str) -> dict[str, Any]:
    """One table, by its file.

    Raises:
        Missing: it is absent or broken.
    """
    try:
        return cast("dict[str, Any]", json.loads(_FOLDER.joinpath(name).read_text("utf-8")))
    except (OSError, ValueError) as error:
        what = f"gate/data/judged_cost/{name} cannot be read: {error}; reinstall portway"
        raise Missing(what) from error
