"""One hop, its places, and the verdict over them, which anybody can recompute from what is recorded."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from portway.residency.boundary import Boundary
from portway.residency.profiles import destinations


class Verdict(StrEnum):
    """What can be said of a hop."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    UNDETERMINED = "undetermined"
    DECLARED = "declared"
    """The organisation's configuration says so, without naming a place that could be looked up."""


class Basis(StrEnum):
    """What says that a place is one."""

    PROPERTY = "property"
    PROVIDER = "provider"
    CONFIGURATION = "configuration"
    PROFILE = "profile"
    """The table of Bedrock's inference profiles, for the model and the region it is called from."""
    HOST = "host"
    SAME_PLACE = "same-place"
    """It happens inside another hop, and so where that one is."""


@dataclass(frozen=True)
class Place:
    """A place and what says so.

    Attributes:
        place: as it was given; None where nobody could read one.
        path: the property, configuration key or table that says it.
    """

    place: str | None
    path: str
    basis: Basis


@dataclass(frozen=True)
class Hop:
    """One station of a prompt.

    Attributes:
        kind: entry, compute, model, logs, stores, keys, call or other.
        type: the resource's type token, by which names of places are read; "" where it is none.
        model: what is called, for a model.
        called_from: the region a model is called from, where its places follow from that.
        note: why it is undetermined, or what configuration says.
    """

    kind: str
    type: str
    name: str
    urn: str
    places: tuple[Place, ...]
    model: str = ""
    called_from: str = ""
    note: str = ""

    def verdict(self, boundary: Boundary) -> Verdict:
        """Over the recorded places, by the installed tables."""
        return judged(self, boundary)


def judged(hop: Hop, boundary: Boundary) -> Verdict:
    """Outside if any place is; undetermined if any is not known; inside only if every one is."""
    if hop.places and all(_is_declared(place) for place in hop.places):
        return Verdict.DECLARED
    verdicts = {_of_place(place, hop.type, boundary) for place in hop.places}
    if hop.called_from and hop.model:
        verdicts.add(_of_profile(hop, boundary))
    for worst in (Verdict.OUTSIDE, Verdict.UNDETERMINED, Verdict.INSIDE):
        if worst in verdicts:
            return worst
    return Verdict.UNDETERMINED


def kept_to(places: Iterable[Place]) -> frozenset[str]:
    """The names of the places that are known."""
    return frozenset(one.place for one in places if one.place is not None)


def _is_declared(place: Place) -> bool:
    return place.place is None and place.basis is Basis.CONFIGURATION


def _of_place(place: Place, product: str, boundary: Boundary) -> Verdict:
    if place.place is None:
        return Verdict.UNDETERMINED
    return Verdict.INSIDE if boundary.holds(place.place, product or None) else Verdict.OUTSIDE


def _of_profile(hop: Hop, boundary: Boundary) -> Verdict:
    """Where the table says that Bedrock may serve the model, whatever the hop lists."""
    reached = destinations(hop.model, hop.called_from)
    if reached is None:
        return Verdict.UNDETERMINED
    return Verdict.INSIDE if boundary.contains_all(reached) else Verdict.OUTSIDE
