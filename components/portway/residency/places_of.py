"""What a name of a place stands for: a region, a zone of one, or several regions at once.

One name may mean different places in different products (Spanner's ``eur5`` reaches London), so a
product may be named by the type token of a resource: ``gcp:storage/bucket:Bucket``.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import Any

from portway.residency.tables import table

_REGIONS = "boundaries.json"
_TABLE = "places.json"
_GOOGLE_PATH = re.compile(r"(?:^|/)(?:locations|regions|zones|instanceconfigs)/([^/?#\s]+)")
_GOOGLE_ZONE = re.compile(r"([a-z]+-[a-z]+\d+)-[a-z]")
_ARN = re.compile(r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]+):.*", re.DOTALL)
_AWS_REGION = r"[a-z]+(?:-[a-z]+)+-\d+"
_AWS_ZONE = re.compile(rf"({_AWS_REGION})[a-z]")
_AWS_ZONE_ID = re.compile(r"([a-z]+\d)-az\d+")
_LOCAL = re.compile(rf"(?P<region>{_AWS_REGION})-(?P<city>[a-z]{{3}})-\d[a-z]?")
_LOCAL_ID = re.compile(r"(?P<id>[a-z]+\d)-(?P<city>[a-z]{3})\d-az\d+")
_WAVELENGTH = re.compile(
    rf"(?P<region>{_AWS_REGION})-wl\d-?(?P<city>[a-z]{{3}})(?:\d|-wlz-?\d)"
    r"|(?P<id>[a-z]+\d)-wl\d-(?P<city_of_id>[a-z]{3})-wlz-?\d"
)


@lru_cache(maxsize=8192)
def members(name: str, product: str | None = None) -> frozenset[str] | None:
    """Where data may be when a resource says that it is in ``name``.

    Args:
        name: a region, a zone, a zone id, a multi-region, a Google path or self-link, an ARN; case
            and surrounding space do not matter.
        product: type token of the resource; None for a name whose product is not known, which then
            stands for every place that any product calls so.

    Returns:
        Regions and, for a zone that stands away from its region, its country (``pl``) beside the
        region that runs it; None for a name that is not known to mean anything.
    """
    place = normalise_region(name)
    if place in countries():
        return frozenset({place})
    return _away(place) or _group(place, product) or _renamed(place, product)


def normalise_region(text: str) -> str:
    """The region that ``text`` names: lower case, without ARN, path, zone letter or zone id.

    ``EUROPE-WEST4``, ``europe-west4-a``, ``projects/p/locations/europe-west4``, ``eu-west-1a`` and
    ``euw1-az2`` lose their trimmings. Anything else comes back in lower case, so that it is found
    to be unknown: an AWS Local Zone may stand in another country than its region
    (``us-east-1-lim-1a`` is in Peru), and an Outpost stands wherever its owner put it.
    """
    place = _named_in(text.strip().lower())
    for shape in (_GOOGLE_ZONE, _AWS_ZONE):
        match = shape.fullmatch(place)
        place = match.group(1) if match else place
    by_id = _AWS_ZONE_ID.fullmatch(place)
    return table(_TABLE)["zone_ids"].get(by_id.group(1), place) if by_id else place


def country_of(place: str) -> str | None:
    """The country a region or a zone stands in (``uk``, not ``gb``); None where it is not known."""
    region = normalise_region(place)
    return countries().get(region) or _zone_country(region)


@cache
def countries() -> dict[str, str]:
    """By region of either cloud, the country it stands in."""
    by_cloud: dict[str, dict[str, str]] = table(_REGIONS)["countries"]
    return {region: country for cloud in by_cloud.values() for region, country in cloud.items()}


@cache
def google_regions() -> frozenset[str]:
    """Google's regions."""
    return frozenset(table(_REGIONS)["countries"]["gcp"])


def _named_in(text: str) -> str:
    """The place that an ARN or a Google path names; ``text`` itself where there is none, or several."""
    arn = _ARN.fullmatch(text)
    if arn is not None:
        # An Outpost's ARN names the region that runs it, not the building it stands in.
        return text if arn["service"] in ("outposts", "s3-outposts") else arn["region"]
    found = set(_GOOGLE_PATH.findall(text)) if "/" in text else set[str]()
    return found.pop() if len(found) == 1 else text


def _away(place: str) -> frozenset[str] | None:
    """A Local or Wavelength Zone: its country, and the region that runs it."""
    country = _zone_country(place)
    if country is None:
        return None
    return frozenset({country, _zone_of(place)[1]})


def _zone_country(place: str) -> str | None:
    kind, region, city = _zone_of(place)
    return _zones(kind).get(f"{region}-{city}") if kind else None


def _zone_of(place: str) -> tuple[str, str, str]:
    """Kind, region and city of a zone away from its region; empty where it is none."""
    ids: dict[str, str] = table(_TABLE)["zone_ids"]
    for kind, shape in (("wavelength", _WAVELENGTH), ("local", _LOCAL), ("local", _LOCAL_ID)):
        match = shape.fullmatch(place)
        if match is not None:
            found = match.groupdict()
            region = found.get("region") or ids.get(found.get("id") or "", "")
            return kind, region, found["city"] or found["city_of_id"]
    return "", "", ""


@cache
def _zones(kind: str) -> dict[str, str]:
    by_country: dict[str, list[str]] = table(_TABLE)["local_zones"][kind]
    return {zone: country for country, zones in by_country.items() for zone in zones}


def _group(place: str, product: str | None) -> frozenset[str] | None:
    """The regions of a multi-region, in ``product`` or in every product that has the name."""
    groups: list[dict[str, Any]] = table(_TABLE)["groups"]
    found = [
        row["members"][place] for row in groups if place in row["members"] and _is(row, product)
    ]
    return frozenset(region for members in found for region in _expanded(members)) or None


def _renamed(place: str, product: str | None) -> frozenset[str] | None:
    """A region under a name that only one product gives it."""
    if product is None:
        return None
    for row in table(_TABLE)["aliases"]:
        if place in row["names"] and _is(row, product):
            return frozenset({row["names"][place]})
    for row in table(_TABLE)["prefixes"]:
        region = place.removeprefix(row["prefix"])
        if region != place and _is(row, product) and region in countries():
            return frozenset({region})
    return None


def _is(row: dict[str, Any], product: str | None) -> bool:
    return product is None or any(fnmatchcase(product, pattern) for pattern in row["products"])


def _expanded(shorthands: Iterable[str]) -> Iterable[str]:
    for written in shorthands:
        if written.startswith("@"):
            inside: list[str] = table(_REGIONS)["unions"].get(written[1:], [written[1:]])
            yield from (region for region in google_regions() if countries()[region] in inside)
        else:
            yield from (region for region in google_regions() if fnmatchcase(region, written))
