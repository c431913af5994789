"""Which models and inference profiles a text names, and where Bedrock may serve them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from portway.gate.values import shown
from portway.residency.boundary import Boundary
from portway.residency.profiles import destinations
from portway.residency.tables import table

_GEOGRAPHY = r"(?:global|us-gov|us|eu|apac|jp|au|ca|in|sa)"
_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*|\*):bedrock:(?P<region>[^:\s]*):(?P<account>[^:\s]*):"
    r"(?P<kind>[a-z*-]+)(?:/(?P<name>[A-Za-z0-9.:*?_-]+))?"
)
# A digit or a hyphen is in every model's name, so that a host name such as `eu.example.com` is not
# taken for a profile.
_MODEL = r"(?=[A-Za-z0-9.]*[-0-9])[A-Za-z0-9][A-Za-z0-9.:-]*"
_VENDOR = "|".join(table("bedrock_profiles.json")["providers"])
# Before a vendor that Bedrock has, whatever is not a part of a host name is a geography, also one
# that nobody knows yet; other vendors need a geography that is known, and no path before it.
_BARE = re.compile(
    rf"(?<![\w.@-])(?!(?:api|com|docs|www)\.)(?:[a-z]{{2,10}}(?:-[a-z]{{2,6}})?)\.(?:{_VENDOR})\.{_MODEL}"
    rf"|(?<![\w./@-]){_GEOGRAPHY}\.[a-z0-9][a-z0-9-]*\.{_MODEL}"
)
_PLAIN = re.compile(rf"(?<![\w.@-])(?:{_VENDOR})\.{_MODEL}")
_SAFE = re.compile(rf"(?:[a-z-]+\.)?(?:{_VENDOR})\.[A-Za-z0-9.:_-]+")
_UPSTREAM = re.compile(r"(?<![\w/:-])bedrock:(?P<model>arn:\S+|[A-Za-z0-9][A-Za-z0-9.:_-]*)")
_HOST = re.compile(r"bedrock[a-z-]*\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)")
_OPAQUE = frozenset({"application-inference-profile", "prompt-router", "default-prompt-router"})
"""Kinds of ARN that do not say what they lead to."""
_LONGEST = 100


@dataclass(frozen=True)
class Route:
    """One model, profile or Bedrock endpoint that a text names.

    Attributes:
        name: as it may be shown in a message.
        source: the region that the text itself fixes, or None.
        is_plain: the name of a model, which is nowhere before somebody calls it.
    """

    name: str
    model: str | None
    source: str | None = None
    is_plain: bool = False


@dataclass(frozen=True)
class Refusal:
    """Why a route may leave the boundary; ``undetermined`` when nobody can tell."""

    why: str
    undetermined: bool = False


def without_models(text: str) -> str:
    """``text`` without the ARNs of Bedrock in it: what they lead to is judged by their routes."""
    return _ARN.sub("", text) if ":bedrock:" in text else text


def routes(text: str) -> tuple[Route, ...]:
    """Every route named in ``text``, in order; nothing else of it is kept."""
    return _routes(text) if "." in text or ":" in text else ()


@lru_cache(maxsize=8192)
def _routes(text: str) -> tuple[Route, ...]:
    found = [
        *((match, Route(_safe(match["model"]), match["model"])) for match in _upstreams(text)),
        *((match, _of_arn(match)) for match in _ARN.finditer(text)),
        *((match, Route(match[0], None, match["region"])) for match in _HOST.finditer(text)),
    ]
    for names, is_plain in ((_BARE, False), (_PLAIN, True)):
        taken = [match.span() for match, _ in found]
        found += [
            (match, Route(_safe(match[0]), match[0], is_plain=is_plain))
            for match in names.finditer(text)
            if not any(start <= match.start() < end for start, end in taken)
        ]
    return tuple(route for _, route in sorted(found, key=lambda pair: pair[0].start()))


def _safe(model: str) -> str:
    """``model`` for a message: what has the shape of a model's name; a password may stand there too."""
    return model[:_LONGEST] if _SAFE.fullmatch(model) else f"a model ({shown(model)})"


def _upstreams(text: str) -> Iterator[re.Match[str]]:
    return (match for match in _UPSTREAM.finditer(text) if not match["model"].startswith("arn:"))


def refusal(route: Route, called_from: str | None, boundary: Boundary) -> Refusal | None:
    """Why ``route``, called from ``called_from`` unless it fixes its own source, is refused.

    None when everything that can serve it is inside ``boundary``.
    """
    source = route.source if route.source is not None else called_from
    if source == "" or (source is not None and re.search(r"[*?]", source)):
        where = "no region" if source == "" else "a pattern of regions"
        return Refusal(f"its ARN names {where}, which allows every region")
    if route.model is not None and re.search(r"[*?]", route.model):
        return _pattern(route.model, source, boundary)
    if source is None and route.is_plain:
        return None
    if source is None:
        return Refusal("the region it is called from cannot be told", undetermined=True)
    if route.model is None:
        reached: frozenset[str] | None = frozenset({source})
    else:
        reached = destinations(route.model, source)
    return _outside(reached, source, boundary)


def _outside(reached: frozenset[str] | None, source: str, boundary: Boundary) -> Refusal | None:
    if reached is None:
        why = f"where it is served from when called from {shown(source)} is not known"
        return Refusal(why, undetermined=True)
    outside = sorted(region for region in reached if not boundary.contains(region))
    if not outside:
        return None
    first = ", ".join(map(shown, outside[:3]))
    more = f" and {len(outside) - 3} more" if len(outside) > 3 else ""  # noqa: PLR2004
    return Refusal(f"it may be served from {first}{more}, outside the boundary {boundary}")


def _pattern(model: str, source: str | None, boundary: Boundary) -> Refusal | None:
    """A name with wildcards in a policy: as wide as the widest name it allows."""
    geography, dot, rest = model.partition(".")
    if not dot or re.search(r"[*?]", geography):
        if source is not None and not re.search(r"[*?]", source) and boundary.contains(source):
            return Refusal(
                "it allows every model and profile, so profiles that leave the boundary too"
            )
        return Refusal("it allows every model and profile in a region outside the boundary")
    if source is None:
        return Refusal("the region it is called from cannot be told", undetermined=True)
    # A name no rule knows reads as the whole geography.
    widest = rest if not re.search(r"[*?]", rest) else "any.model"
    return _outside(destinations(f"{geography}.{widest}", source), source, boundary)


def _of_arn(match: re.Match[str]) -> Route:
    region, kind, name = match["region"], match["kind"], match["name"] or ""
    called = f"{kind}/{name}"[:_LONGEST] if name else kind
    if "*" in kind:
        return Route(called, "*", region)
    if kind in _OPAQUE:
        return Route(called, f"{kind}.{name}", region)
    if kind in ("inference-profile", "guardrail-profile"):
        return Route(called, name or "*", region)
    # A foundation model, and whatever else has a region of its own, is served there.
    return Route(called, None, region)
