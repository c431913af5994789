"""The models a stack calls or runs: Bedrock's by profile and region, its own in their containers."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from portway.gate.attest.hop import Basis, Hop, Place
from portway.gate.calls import Call, bedrock_calls
from portway.gate.context import ResidencyContext
from portway.gate.hosted import Hosted, hosted, hosted_refusal
from portway.gate.hosts import is_listed
from portway.gate.resource import Resource, Stack
from portway.gate.settings import settings
from portway.gate.tables import table
from portway.gate.values import Known
from portway.residency.boundary import Boundary
from portway.residency.profiles import destinations

_TABLE = "hops.json"
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@:-]{0,199}")
_FOLDER = re.compile(
    r"(?:[a-z0-9]+:/)?/(?:[^/]+/)*(?P<name>[A-Za-z0-9][\w.-]{0,99}/[A-Za-z0-9][\w.-]{0,99})/[0-9a-f]{40}"
)
"""A folder of weights that says which they are: repository and commit are its last three names."""

_OPTION = "--model"
_IMAGE = re.compile(
    r"(?:.*/)?(?P<name>(?:vllm|text-generation-inference|tgi|sglang|ollama|triton)[\w.-]*)(?:[:@].*)?"
)


def bedrock_hops(stack: Stack, context: ResidencyContext) -> Iterator[Hop]:
    """One hop for each model that something calls, with every region that may serve it.

    Where nothing is seen to call any, what identities are allowed to call stands for it.
    """
    calls = bedrock_calls(stack, context)
    seen = [call for call in calls if not call.is_grant] or list(calls)
    yield from dict.fromkeys(map(_bedrock_hop, seen))


def container_hops(resource: Resource, places: tuple[Place, ...]) -> Iterator[Hop]:
    """The models that containers of ``resource`` serve themselves, where the containers are."""
    for path in table(_TABLE)["containers"]:
        for seen in resource.properties.every(path):
            if isinstance(seen, Known) and isinstance(seen.value, dict):
                container = cast("dict[str, Any]", seen.value)
                model = _served(container)
                if model is not None:
                    same = tuple(replace(place, basis=Basis.SAME_PLACE) for place in places)
                    yield _hop(resource, same, model=model, note=f"served by {seen.path}")


def hosted_hops(resource: Resource, context: ResidencyContext) -> Iterator[Hop]:
    """The models of other vendors, and of Vertex AI, that ``resource`` tells a program to call."""
    if context.boundary is None:
        return
    for setting in settings(resource):
        if setting.value is not None and setting.is_whole:
            for one in hosted(setting.value):
                yield _hosted_hop(resource, one, setting.path, context, context.boundary)


def _hosted_hop(
    resource: Resource, one: Hosted, path: str, context: ResidencyContext, boundary: Boundary
) -> Hop:
    if one.host and is_listed(one.host, context.hosts):
        named = (Place(None, "hosts", Basis.CONFIGURATION),)
        return _hop(resource, named, model=one.name, note=f"calls {one.host}")
    no = hosted_refusal(one, boundary, context.hosts)
    places = [] if one.place is None else [Place(one.place, path, Basis.HOST)]
    # A vendor's word alone names no place that could be looked up again.
    if not places or (no is not None and no.undetermined):
        places.append(Place(None, path, Basis.HOST))
    return _hop(resource, tuple(places), model=one.name, note=one.said if no is None else no.why)


def _bedrock_hop(call: Call) -> Hop:
    name, model = call.route.name, call.route.model
    if call.region is None:
        unknown = (Place(None, call.path, Basis.PROPERTY),)
        return _hop(
            call.resource, unknown, model=name, note="the region it is called from is not known"
        )
    if model is None:
        return _hop(call.resource, (Place(call.region, call.path, Basis.HOST),), model=name)
    reached = destinations(model, call.region)
    if reached is None:
        note = f"no table says where it is served when called from {call.region}"
        return _hop(call.resource, (Place(None, call.path, Basis.PROFILE),), model=name, note=note)
    places = tuple(Place(one, call.path, Basis.PROFILE) for one in sorted(reached))
    # A name that may not be repeated cannot be looked up again; its places still can.
    source = call.region if destinations(name, call.region) == reached else ""
    return _hop(call.resource, places, model=name, called_from=source)


def _served(container: dict[str, Any]) -> str | None:
    """The model a container is told to serve; what its image is called where it is not told."""
    words = [*_words(container.get("command")), *_words(container.get("commands"))]
    words += _words(container.get("args"))
    for index, word in enumerate(words):
        if word == _OPTION and index + 1 < len(words):
            return _safe(words[index + 1])
        if isinstance(word, str) and word.startswith(f"{_OPTION}="):
            return _safe(word.removeprefix(f"{_OPTION}="))
    image = container.get("image")
    found = _IMAGE.fullmatch(image) if isinstance(image, str) else None
    return found["name"] if found else None


def _words(value: object) -> list[object]:
    return list(cast("list[object]", value)) if isinstance(value, list) else []


def _safe(word: object) -> str:
    """A model's name as it may be written down; whatever has another shape may be a secret."""
    folder = _FOLDER.fullmatch(word) if isinstance(word, str) else None
    if folder is not None:
        return folder["name"]
    is_name = isinstance(word, str) and _MODEL.fullmatch(word) is not None
    return str(word) if is_name else "a model whose name cannot be shown"


def _hop(
    resource: Resource,
    places: tuple[Place, ...],
    *,
    model: str,
    called_from: str = "",
    note: str = "",
) -> Hop:
    return Hop(
        "model", resource.type, resource.name, resource.urn, places, model, called_from, note
    )
