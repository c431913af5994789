"""Boundaries: the sets of places where data may be, and what is inside them.

Everything unknown is outside. ``boundaries.json`` says in which country each cloud region stands;
a boundary is a country, a union of countries, or a listed set of regions. ``places_of`` says what a
name stands for that is no region.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from portway.errors import BadInput, Problem
from portway.residency.places_of import countries, country_of, members, normalise_region
from portway.residency.tables import table

__all__ = [
    "Boundary",
    "boundaries",
    "boundary",
    "commercial_aws_regions",
    "country_of",
    "normalise_region",
]
_TABLE = "boundaries.json"


@dataclass(frozen=True)
class Boundary:
    """The intersection of the boundaries called ``names``; ``regions`` are all that lie inside."""

    names: tuple[str, ...]
    regions: frozenset[str]

    def holds(self, place: str, product: str | None = None) -> bool:
        """Whether all of ``place`` is inside, as ``product`` (a type token) understands the name.

        A multi-region is inside when every region of it is; a place nobody knows is outside.
        """
        reached = members(place, product)
        if reached is None:
            return False
        left = reached - self.regions
        return not left or left <= self.countries

    def contains(self, cloud_region: str) -> bool:
        """Whether a region (or a zone of one) is inside. An unknown place is outside."""
        return self.holds(cloud_region)

    @property
    def countries(self) -> frozenset[str]:
        """The countries that are inside whole; none where a boundary is a list of regions."""
        return frozenset[str].intersection(*map(_countries_of, self.names))

    def contains_all(self, cloud_regions: Iterable[str]) -> bool:
        """Whether every one is inside; False when there is none to judge."""
        regions = list(cloud_regions)
        return bool(regions) and all(map(self.contains, regions))

    def __str__(self) -> str:
        """``eu``, or ``eu and de``."""
        return " and ".join(self.names)


def boundary(names: Iterable[str]) -> Boundary:
    """The boundary that is inside every one of ``names``.

    Raises:
        BadInput: no name at all, one nobody knows (the message lists those that exist), or names
            that have no region in common. The path is ``residency``.
    """
    wanted = tuple(names)
    known = boundaries()
    problems = [Problem("residency", _unknown(name, known)) for name in wanted if name not in known]
    if not wanted:
        problems = [Problem("residency", "no boundary is named; write one, such as eu")]
    if problems:
        raise BadInput(problems)
    inside = known[wanted[0]]
    for name in wanted[1:]:
        inside &= known[name]
    if not inside:
        nowhere = f"no region is inside {' and '.join(wanted)}; a list means inside all of them"
        raise BadInput([Problem("residency", nowhere)])
    return Boundary(wanted, inside)


@cache
def boundaries() -> dict[str, frozenset[str]]:
    """Every boundary by name with the cloud regions inside it; unions first."""
    standing = countries()
    inside: dict[str, frozenset[str]] = {
        name: frozenset(region for region, country in standing.items() if country in within)
        for name, within in table(_TABLE)["unions"].items()
    }
    for country in sorted(set(standing.values())):
        inside[country] = frozenset(r for r, place in standing.items() if place == country)
    listed = table(_TABLE)["region_sets"].items()
    return inside | {name: frozenset(regions) for name, regions in listed}


@cache
def commercial_aws_regions() -> frozenset[str]:
    """The regions of the ``aws`` partition: where a ``global.`` profile may send a request."""
    aws = table(_TABLE)["countries"]["aws"]
    return frozenset(aws) - frozenset(table(_TABLE)["outside_aws_commercial"])


@cache
def _countries_of(name: str) -> frozenset[str]:
    if name in table(_TABLE)["region_sets"]:
        return frozenset()
    return frozenset(table(_TABLE)["unions"].get(name, [name]))


def _unknown(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(name.lower(), names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{name!r} is not a boundary; {hint}choose among {', '.join(names)}"
