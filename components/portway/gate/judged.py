"""Rows of the judged tables: which properties of which types say where data goes, and how to read them.

A rule of the residency pack that is a table names a family here; every cloud has its file of rows in
``data/judged``. Rows are data, so that an inventory can count them and a reader can check them.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, cast

from pydantic import TypeAdapter

from portway.errors import Missing
from portway.gate.context import ResidencyContext
from portway.gate.inventory import Read, left_to
from portway.gate.places import At, places, reading
from portway.gate.readings import Look, Problem, Reads, read
from portway.gate.resource import Resource, Stack
from portway.gate.rows import applies, is_refused, omissions
from portway.gate.rule import Violation
from portway.gate.values import Known, Unknown

FAMILIES = ("copies", "logs", "keys", "edges", "network", "movement", "compute")
_FOLDER = files("portway.gate").joinpath("data", "judged")
_INVENTORY = "inventory.json"
_WHOLE = ("set", "text")
"""Readings that read everything beneath a path."""
Judge = Callable[[Resource, ResidencyContext, Stack | None], Iterator[Violation]]


@dataclass(frozen=True)
class Row:
    """One property of a resource type (both globs), and how its values are judged.

    Attributes:
        says: the middle of the message: what the property makes the resource do.
        do: the way out; "" for the usual one of its reading.
        refused: values that are refused, for a flag.
        allowed: values besides which every other is refused, for a flag.
        omitted: why leaving it out leaks; "" where that is fine.
        within: path of the block that must be set for the omission to count.
        nearest: what is left out is kept in the multi-region nearest to the resource, as its vendor
            documents; that leaks only where the multi-region is not wholly inside.
        when: by path, the values with which the row applies; null stands for a value left out.
    """

    type: str
    path: str
    reads: Reads
    says: str
    do: str = ""
    refused: tuple[Any, ...] = ()
    allowed: tuple[Any, ...] = ()
    omitted: str = ""
    within: str = ""
    nearest: bool = False
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])


_ROWS = TypeAdapter(tuple[Row, ...])


@cache
def family(name: str) -> tuple[Row, ...]:
    """Every row that people wrote of one family, of all clouds.

    Raises:
        Missing: a table that ships with the package is absent or broken.
    """
    clouds = sorted(file.name for file in _FOLDER.iterdir() if file.name != _INVENTORY)
    tables = (_table(cloud).get(name, []) for cloud in clouds)
    return tuple(row for table in tables for row in _ROWS.validate_python(table))


@cache
def rows_of(name: str, token: str) -> tuple[Row, ...]:
    """The rows of family ``name`` about resources of type ``token``, then those of the inventory."""
    lines = left_to(name, token, read_by_hand(token))
    left = (Row(token, line.path, line.reads, line.says) for line in lines)
    return (*_by_hand(name, token), *left)


@cache
def read_by_hand(token: str) -> tuple[Read, ...]:
    """What the rows that people wrote read on resources of type ``token``."""
    rows = (row for name in FAMILIES for row in _by_hand(name, token))
    return tuple(dict.fromkeys(Read(row.path, row.reads in _WHOLE) for row in rows))


@cache
def _by_hand(name: str, token: str) -> tuple[Row, ...]:
    by_type = _by_type(name)
    globs = (row for row in by_type.get(_package(token), ()) if fnmatchcase(token, row.type))
    return (*globs, *by_type.get(token, ()))


@cache
def judged_paths(token: str) -> tuple[str, ...]:
    """Every path that some row reads on resources of type ``token``."""
    return tuple(dict.fromkeys(row.path for name in FAMILIES for row in rows_of(name, token)))


def judge_family(name: str) -> Judge:
    """The judgement of one resource by the rows of family ``name``."""

    def judge(
        resource: Resource, context: ResidencyContext, stack: Stack | None
    ) -> Iterator[Violation]:
        if context.boundary is None:
            return
        look = Look(resource, context.boundary, context, stack)
        for row in rows_of(name, resource.type):
            if applies(row.when, resource):
                yield from _of_row(row, look)

    return judge


def _of_row(row: Row, look: Look) -> Iterator[Violation]:
    resource = look.resource
    if row.omitted and not (row.nearest and _nearest_is_inside(look)):
        for path in omissions(row.path, row.within, resource):
            message = f"{resource} does not set {path}: {row.omitted}; {row.do or 'set it'}"
            yield Violation(message, resource.urn, path)
    for seen in resource.properties.every(row.path):
        for problem in _problems(row, seen, look):
            yield _violation(row, resource, problem)


def _problems(row: Row, seen: Known | Unknown, look: Look) -> Iterator[Problem]:
    if row.reads == "set":
        yield Problem(seen.path, "")
    elif row.reads == "flag":
        yield from _of_flag(row, seen)
    else:
        yield from read(row.reads, seen, look)


def _of_flag(row: Row, seen: Known | Unknown) -> Iterator[Problem]:
    if isinstance(seen, Unknown):
        yield Problem(seen.path, "known only after deployment", undetermined=True)
        return
    if is_refused(seen.value, row.refused, row.allowed):
        yield Problem(seen.path, "")


def _violation(row: Row, resource: Resource, problem: Problem) -> Violation:
    given = " ".join(part for part in (row.says, problem.given) if part)
    why = f": {problem.why}" if problem.why else ""
    do = row.do or problem.do or "remove it"
    message = f"{resource} {given} ({problem.path}){why}; {do}"
    return Violation(message, resource.urn, problem.path, problem.undetermined)


def _nearest_is_inside(look: Look) -> bool:
    """Whether the multi-regions nearest to where the resource stands are wholly inside."""
    facts = reading(look.resource).facts
    if not facts.region:
        return False
    found = list(places(look.resource, facts, look.context.clusters))
    return bool(found) and all(
        isinstance(one, At) and look.boundary.holds(_multi_region(one.region), look.resource.type)
        for one in found
    )


def _multi_region(region: str) -> str:
    """The nearest of Google's multi-regions: whatever is neither European nor American is Asian."""
    continent = region.strip().lower().partition("-")[0]
    return {"europe": "eu", "us": "us", "northamerica": "us", "southamerica": "us"}.get(
        continent, "asia"
    )


@cache
def _by_type(name: str) -> Mapping[str, list[Row]]:
    """Rows by type, and those whose type is a glob by package."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in family(name):
        found[_package(row.type) if set("*?[") & set(row.type) else row.type].append(row)
    return found


def _package(token: str) -> str:
    return token.partition(":")[0]


@cache
def _table(name: str) -> dict[str, Any]:
    """One table, by its file.

    Raises:
        Missing: it is absent or broken.
    """
    try:
        return cast("dict[str, Any]", json.loads(_FOLDER.joinpath(name).read_text("utf-8")))
    except (OSError, ValueError) as error:
        what = f"gate/data/judged/{name} cannot be read: {error}; reinstall portway"
        raise Missing(what) from error
