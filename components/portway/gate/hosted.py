"""Which models that somebody else hosts a text names, beside Bedrock: Vertex AI and other APIs.

Vertex AI is where its host, or the location in a path, says; its host without a region is ``global``,
which may answer from anywhere. Of other APIs nobody knows where they answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from portway.gate.endpoints import VERTEX, Use, data_fault, data_hosts, known
from portway.gate.hosts import is_listed
from portway.gate.routes import Refusal
from portway.gate.tables import table
from portway.gate.values import shown
from portway.residency.boundary import Boundary

_PLACE: Final = r"[a-z]+(?:-[a-z]+)*\d*"
_HOST: Final = re.compile(
    rf"(?i)(?<![\w.-])(?:(?P<before>{_PLACE})-aiplatform\.googleapis\.com"
    rf"|aiplatform\.(?P<after>{_PLACE})\.rep\.googleapis\.com"
    rf"|[\w-]+\.(?P<own>{_PLACE})-[\w-]+\.prediction\.vertexai\.goog"
    rf"|aiplatform\.googleapis\.com)(?![\w.-])"
)
_PUBLISHED: Final = re.compile(r"(?i)locations/(?P<place>[a-z0-9-]+)/publishers/(?P<who>[\w-]+)/")
_VERTEX_MARKS: Final = ("aiplatform", "publishers/", "vertexai.goog")
GLOBAL: Final = "global"


@dataclass(frozen=True)
class Hosted:
    """A hosted model, or the endpoint of one, that a text names.

    Attributes:
        name: as it may be shown in a message.
        host: the host that is called, or "" where only a location is named.
        place: where a vendor with regions says it answers; None where nobody knows.
        widens: the vendor may answer from the whole multi-region.
        said: what a vendor without regions says of the place.
    """

    name: str
    host: str
    place: str | None = None
    widens: bool = False
    said: str = ""


@lru_cache(maxsize=8192)
def hosted(text: str) -> tuple[Hosted, ...]:
    """Every hosted model or endpoint of one that ``text`` names; nothing else of it is kept."""
    found = [
        Hosted(f"{listed.who}'s API", host, said=listed.said)
        for host, listed in data_hosts(text)
        if listed.use is Use.MODEL
    ]
    if any(mark in text.lower() for mark in _VERTEX_MARKS):
        found += _vertex(text)
    return tuple(found)


def hosted_refusal(one: Hosted, boundary: Boundary, hosts: tuple[str, ...]) -> Refusal | None:
    """Why ``one`` is refused; None where all that can answer is inside, or its host is listed."""
    if one.host and is_listed(one.host, hosts):
        return None
    if one.place is not None:
        return location_refusal(one.place, boundary, widens=one.widens)
    listed = known(one.host)
    found = None if listed is None else data_fault(one.host, listed, hosts)
    if found is None:
        return None
    why = f"where it answers from is not known ({found.why}), and nobody has listed its host"
    return Refusal(why, undetermined=True)


def location_refusal(place: str, boundary: Boundary, *, widens: bool = False) -> Refusal | None:
    """Why Vertex AI at the location ``place`` is refused; None where it answers inside."""
    place = place.strip().lower()
    if place == GLOBAL:
        return Refusal("a global endpoint may answer from any region")
    if not boundary.holds(place, VERTEX):
        return Refusal(f"it answers from {shown(place)}, outside the boundary {boundary}")
    if place in table("hosts.json")["vertex"]["no_guarantee"]:
        why = f"Google promises no place for what is asked in {shown(place)}"
        return Refusal(why, undetermined=True)
    if widens and place.startswith("europe-") and not _stays(place, boundary):
        why = "a publisher's model asked there may be served anywhere in Google's EU multi-region"
        return Refusal(f"{why}, which is not inside the boundary {boundary}", undetermined=True)
    return None


def is_location_variable(name: str) -> bool:
    """Whether SDKs read the location of Vertex AI from the variable ``name``."""
    return name.lstrip("-").replace("-", "_").upper() in _location_variables()


def _vertex(text: str) -> Iterator[Hosted]:
    published = [match["place"].lower() for match in _PUBLISHED.finditer(text)]
    for match in _HOST.finditer(text):
        place = (match["before"] or match["after"] or match["own"] or GLOBAL).lower()
        name = f"Vertex AI in {shown(place)}"
        yield Hosted(name, match[0].lower(), place, widens=bool(published))
    for place in dict.fromkeys(published):
        yield Hosted(f"a model of Vertex AI in {shown(place)}", "", place, widens=True)


def _stays(place: str, boundary: Boundary) -> bool:
    """Whether the whole multi-region is inside, or ``place`` (London, Zurich) is no part of it."""
    return place in ("europe-west2", "europe-west6") or boundary.holds("eu", VERTEX)


@cache
def _location_variables() -> frozenset[str]:
    return frozenset(table("hosts.json")["location_variables"]["names"])
