"""Boundaries: the sets of places where data may be, and what is inside them.

Everything unknown is outside. ``boundaries.json`` says in which country each cloud region stands;
a boundary is a country, a union of countries, or a listed set of regions.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from portway.errors import BadInput, Problem
from portway.residency.tables import table

_TABLE = "boundaries.json"
_PATH = re.compile(r".*/(?:locations|regions|zones)/([^/]+)(?:/.*)?")
_GOOGLE_ZONE = re.compile(r"([a-z]+-[a-z]+\d+)-[a-z]")
_AWS_ZONE = re.compile(r"([a-z]+(?:-[a-z]+)+-\d+)[a-z]")


@dataclass(frozen=True)
class Boundary:
    """The intersection of the boundaries called ``names``; ``regions`` are all that lie inside."""

    names: tuple[str, ...]
    regions: frozenset[str]

    def contains(self, cloud_region: str) -> bool:
        """Whether a region (or a zone of one) is inside. An unknown place is outside."""
        return normalise_region(cloud_region) in self.regions

    def holds(self, place: str, token: str) -> bool:
        """Whether ``place``, as resources of the type ``token`` name places, is wholly inside."""
        del token
        return self.contains(place)

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


def normalise_region(text: str) -> str:
    """The region that ``text`` names: lower case, without path or zone letter.

    ``EUROPE-WEST4``, ``europe-west4-a``, ``projects/p/locations/europe-west4`` and ``eu-west-1a``
    lose their trimmings. Anything else comes back as it is, so that it is found to be unknown: an
    AWS Local Zone may stand in another country than its parent (``us-east-1-lim-1a`` is in Peru).
    """
    region = text.strip().lower()
    for shape in (_PATH, _GOOGLE_ZONE, _AWS_ZONE):
        match = shape.fullmatch(region)
        region = match.group(1) if match else region
    return region


def country_of(cloud_region: str) -> str | None:
    """The country a region stands in (``uk``, not ``gb``); None where it is not known."""
    return _countries().get(normalise_region(cloud_region))


@cache
def boundaries() -> dict[str, frozenset[str]]:
    """Every boundary by name with the cloud regions inside it; unions first."""
    countries = _countries()
    inside: dict[str, frozenset[str]] = {
        name: frozenset(region for region, country in countries.items() if country in members)
        for name, members in table(_TABLE)["unions"].items()
    }
    for country in sorted(set(countries.values())):
        inside[country] = frozenset(r for r, place in countries.items() if place == country)
    listed = table(_TABLE)["region_sets"].items()
    return inside | {name: frozenset(regions) for name, regions in listed}


@cache
def commercial_aws_regions() -> frozenset[str]:
    """The regions of the ``aws`` partition: where a ``global.`` profile may send a request."""
    aws = table(_TABLE)["countries"]["aws"]
    return frozenset(aws) - frozenset(table(_TABLE)["outside_aws_commercial"])


@cache
def _countries() -> dict[str, str]:
    by_cloud: dict[str, dict[str, str]] = table(_TABLE)["countries"]
    return {region: country for cloud in by_cloud.values() for region, country in cloud.items()}


def _unknown(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(name.lower(), names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{name!r} is not a boundary; {hint}choose among {', '.join(names)}"
