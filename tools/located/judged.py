"""Which paths the rules of the residency pack read, taken from what they read them off."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache

from portway.gate.judged import FAMILIES, Row, rows_by_hand
from portway.gate.tables import NO_FACTS, located, table, table_facts, target_facts
from portway.target import ResourceFacts

_WHOLE = ("set", "text")
_REVIEWED = "reviewed.json"


@cache
def places(token: str) -> tuple[str, ...]:
    """The paths that say where a resource of type ``token`` itself is."""
    return tuple(dict.fromkeys((*located(token), *_facts(token, "region"))))


@cache
def read_paths(token: str) -> tuple[tuple[str, bool], ...]:
    """The paths that rules read on ``token`` beside its place; True where all beneath is read too.

    Rows that the inventory itself wrote are not among them.
    """
    found = {row.path: row.reads in _WHOLE for row in _by_hand() if fnmatchcase(token, row.type)}
    for what in ("replicas", "model_routes", "inside"):
        found.update(dict.fromkeys(_facts(token, what), True))
    return tuple(found.items())


@cache
def _by_hand() -> tuple[Row, ...]:
    return tuple(row for name in FAMILIES for row in rows_by_hand(name))


def is_judged(token: str, path: str) -> bool:
    """Whether a rule reads ``path``, something beneath it, or the whole that it is part of."""
    for read, is_whole in (*read_paths(token), *((place, False) for place in places(token))):
        if _bare(path) == _bare(read) or _is_under(read, path):
            return True
        if is_whole and _is_under(path, read):
            return True
    return False


def rows() -> Iterator[tuple[str, str]]:
    """Every (type glob, path) that a table beside the rules names by hand."""
    for row in _by_hand():
        yield row.type, row.path
        yield from ((row.type, path) for path in _conditions(row))
    for token, facts in table(_REVIEWED)["facts"].items():
        for what in ("region", "replicas", "model_routes"):
            yield from ((token, path) for path in facts.get(what, ()))
        if facts.get("inside"):
            yield token, facts["inside"]


def _conditions(row: Row) -> tuple[str, ...]:
    return (*row.when, *((row.within,) if row.within else ()))


def _facts(token: str, what: str) -> tuple[str, ...]:
    said: list[str] = []
    for facts in _said(token):
        value: tuple[str, ...] | str | None = getattr(facts, what)
        said += [value] if isinstance(value, str) else value or ()
    return tuple(said)


@cache
def _said(token: str) -> tuple[ResourceFacts, ResourceFacts]:
    return table_facts(_REVIEWED, token) or NO_FACTS, target_facts().get(token, NO_FACTS)


def _is_under(path: str, above: str) -> bool:
    return path.startswith((f"{above}.", f"{above}["))


def _bare(path: str) -> str:
    return path.removesuffix("[]")
