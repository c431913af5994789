"""Which paths the rules of the residency pack read, taken from what they read them off."""

from collections.abc import Iterator
from functools import cache

from portway.gate.inventory import Read, read_as_facts
from portway.gate.judged import FAMILIES, Row, family, read_by_hand
from portway.gate.tables import located, table

_REVIEWED = "reviewed.json"


def places(token: str) -> tuple[str, ...]:
    """The inputs in which the SDK lets a resource of type ``token`` say where it is."""
    return located(token)


@cache
def read_paths(token: str) -> tuple[Read, ...]:
    """What rules read on ``token``, the lines of the inventory itself not among it."""
    return (*read_by_hand(token), *read_as_facts(token))


def is_judged(token: str, path: str) -> bool:
    """Whether a rule reads ``path``, something beneath it, or the whole that it is part of."""
    return any(read.covers(path) for read in read_paths(token))


def rows() -> Iterator[tuple[str, str]]:
    """Every (type glob, path) that a table beside the rules names by hand."""
    for row in (row for name in FAMILIES for row in family(name)):
        yield row.type, row.path
        yield from ((row.type, path) for path in _conditions(row))
    for token, facts in table(_REVIEWED)["facts"].items():
        for what in ("region", "replicas", "model_routes"):
            yield from ((token, path) for path in facts.get(what, ()))
        if facts.get("inside"):
            yield token, facts["inside"]


def _conditions(row: Row) -> tuple[str, ...]:
    return (*row.when, *((row.within,) if row.within else ()))
