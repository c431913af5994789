"""Numbers, names and places read off a resource for its bill; what cannot be read says so."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final, cast

from portway.gate.billing.cannot import CannotPrice
from portway.gate.places import At, places, reading
from portway.gate.quantities import quantity as read
from portway.gate.resource import Resource
from portway.gate.values import Known, Missing, Unknown, shown

_NUMBER: Final = re.compile(r"\d{1,12}(?:\.\d{1,9})?")
GIB: Final = Decimal(1024**3)
_LATER: Final = "is known only after deployment; make it a literal"
_ZONE: Final = re.compile(r"([a-z]+-[a-z]+\d+)-[a-z]|([a-z]{2}(?:-[a-z]+){1,2}-\d)[a-z]")
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,60}")


def known(resource: Resource, path: str) -> object:
    """The value at ``path``; None where it is not set.

    Raises:
        CannotPrice: it is known only after deployment.
    """
    seen = resource.properties.get(path)
    if isinstance(seen, Unknown):
        raise CannotPrice(seen.path, f"{seen.path} {_LATER}")
    return None if isinstance(seen, Missing) else seen.value


def number(resource: Resource, path: str, default: Decimal | None = None) -> Decimal:
    """The number at ``path``, given as such or as its text.

    Raises:
        CannotPrice: it is no number of at least 0, not known yet, or missing without a default.
    """
    value = known(resource, path)
    if value is None:
        if default is None:
            raise CannotPrice(path, f"{path} is not set")
        return default
    return as_number(value, path)


def as_number(value: object, path: str) -> Decimal:
    """``value`` as a number of at least 0.

    Raises:
        CannotPrice: it is none.
    """
    text = str(value) if isinstance(value, int | float | str) else ""
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        raise CannotPrice(path, f"{path} is {shown(value)}, which is no number")
    return Decimal(text)


def whole(resource: Resource, path: str, default: int | None = None) -> int:
    """As ``number``, rounded up."""
    found = number(resource, path, None if default is None else Decimal(default))
    return int(found.to_integral_value(rounding="ROUND_CEILING"))


def name(resource: Resource, path: str, default: str | None = None) -> str:
    """The name at ``path``, of a machine, a tier or the like: lower case, without its URL.

    Raises:
        CannotPrice: it is no name, not known yet, or missing without a default.
    """
    value = known(resource, path)
    if value is None:
        if default is None:
            raise CannotPrice(path, f"{path} is not set")
        return default
    text = value.strip().rpartition("/")[2] if isinstance(value, str) else ""
    if not _SAFE.fullmatch(text):
        raise CannotPrice(path, f"{path} is {shown(value)}, which names nothing that is sold")
    return text.lower()


def flag(resource: Resource, path: str, *, default: bool) -> bool:
    """The truth at ``path``; providers take ``"true"`` for true.

    Raises:
        CannotPrice: it is not known yet.
    """
    value = known(resource, path)
    return default if value is None else str(value).lower() == "true"


def quantity(value: object, path: str) -> Decimal:
    """A Kubernetes quantity (``500m``, ``16Gi``, ``1``) in its base unit: cores, bytes, devices.

    Raises:
        CannotPrice: it is none.
    """
    found = read(value)
    if found is None or found < 0:
        raise CannotPrice(path, f"{path} is {shown(value)}, which is no quantity")
    return found


def mappings(resource: Resource, path: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The mappings at ``path`` with their own paths; what is something else is left out.

    Raises:
        CannotPrice: one of them is known only after deployment.
    """
    for seen in resource.properties.every(path):
        if isinstance(seen, Unknown):
            raise CannotPrice(seen.path, f"{seen.path} {_LATER}")
        if isinstance(seen.value, Mapping):
            yield seen.path, cast("Mapping[str, object]", seen.value)


def count(resource: Resource, path: str) -> int | None:
    """How many values are set at ``path``: a list's items, whatever they are; None where none is.

    Raises:
        CannotPrice: the list itself is known only after deployment.
    """
    value = known(resource, path)
    if isinstance(value, list | tuple):
        return len(cast("list[object]", value))
    return None if value is None else 1


def region(resource: Resource) -> str:
    """The region whose rates count for ``resource``: its own, its provider's or its zone's.

    Raises:
        CannotPrice: nobody says, or it is not known yet.
    """
    facts = reading(resource).facts
    if not facts.region:
        provider = resource.provider
        told = () if provider is None else provider.properties.first(("region", "zone"))
        for seen in told:
            if isinstance(seen, Known):
                return in_region(str(seen.value))
        raise CannotPrice("", "neither it nor its provider says in which region it is")
    for place in places(resource, facts, {}):
        if isinstance(place, At):
            return in_region(place.region)
        raise CannotPrice(place.path, place.why)
    raise CannotPrice("", "neither it nor its provider says in which region it is")


def in_region(place: str) -> str:
    """The region of a region or a zone, in lower case.

    Raises:
        CannotPrice: it has not the shape of one, and what it is instead could be a secret.
    """
    text = place.strip().lower().rpartition("/")[2]
    if shown(text) != text:
        raise CannotPrice("", f"it is in {shown(place)}, which is no region")
    found = _ZONE.fullmatch(text)
    return (found[1] or found[2]) if found else text
