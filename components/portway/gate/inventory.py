"""The rows that ``make inventory`` writes: properties that say a place and that no row by hand reads.

The inventory is made of the text of the pinned SDKs; what people wrote about a property goes before
it, so a table may gain or lose a row without the inventory being made anew.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from portway.gate.tables import NO_FACTS, located, table, table_facts, target_facts

_TABLE = "judged/inventory.json"
_REVIEWED = "reviewed.json"


@dataclass(frozen=True)
class Read:
    """A path that is read; ``is_whole``: with everything beneath it."""

    path: str
    is_whole: bool = False

    def covers(self, path: str) -> bool:
        """Whether reading this reads ``path``: as itself, beneath it, or as the whole it is part of."""
        bare = path.removesuffix("[]")
        if bare == self.path.removesuffix("[]") or _is_under(self.path, path):
            return True
        return self.is_whole and _is_under(path, self.path)


@dataclass(frozen=True)
class Listed:
    """One line of the inventory: a path of a type, how to read it, and the middle of its message."""

    path: str
    reads: Any
    says: str


def left_to(family: str, token: str, read: tuple[Read, ...]) -> Iterator[Listed]:
    """The lines of ``family`` about resources of type ``token``, less what is ``read`` already."""
    others = (*read, *read_as_facts(token))
    for listed in _by_type(family).get(token, ()):
        if not any(one.covers(listed.path) for one in others):
            yield listed


@cache
def read_as_facts(token: str) -> tuple[Read, ...]:
    """What rules read on ``token`` off the SDK's lists of places, the reviewed facts and the targets'."""
    found = [Read(path) for path in located(token)]
    found += [Read(path) for path in table(_REVIEWED).get("zones", {}).get(token, ())]
    for facts in (table_facts(_REVIEWED, token) or NO_FACTS, target_facts().get(token, NO_FACTS)):
        found += [Read(path) for path in facts.region]
        inside = (facts.inside,) if facts.inside else ()
        found += [
            Read(path, is_whole=True) for path in (*facts.replicas, *facts.model_routes, *inside)
        ]
    return tuple(dict.fromkeys(found))


@cache
def _by_type(family: str) -> Mapping[str, list[Listed]]:
    found: dict[str, list[Listed]] = {}
    for group in table(_TABLE).get(family, ()):
        for token, paths in group["types"].items():
            lines = [Listed(path, group["reads"], group["says"]) for path in paths]
            found.setdefault(token, []).extend(lines)
    return found


def _is_under(path: str, above: str) -> bool:
    return path.startswith((f"{above}.", f"{above}["))
