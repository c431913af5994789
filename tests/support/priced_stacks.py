"""Whole stacks for what prices any program: resources of a test as the gate would see them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML

from portway.gate.resource import PROVIDER_PREFIX, SERVICE_TYPE, Provider, Resource, Stack
from portway.gate.testing import Given, from_document, from_program
from portway.gate.testing.given import NotKnown, Output, Secret
from portway.gate.testing.stack import Placed, placed
from portway.gate.values import UNKNOWN, View
from portway.inference_service import InferenceService
from portway.spec import InferenceServiceSpec
from portway.target import Placement
from support.mock_engine import UNKNOWN as MOCK_UNKNOWN
from support.mock_engine import deploy

ROOT = Path(__file__).resolve().parents[2]


def stack_of(
    given: Sequence[Given], defaults: Mapping[str, Mapping[str, Any]] | None = None
) -> Stack:
    """The stack that holds ``given``; ``defaults``: configuration of default providers."""
    return Stack.of(map(_seen, placed(given, defaults or {})))


def stack_of_rows(rows: Sequence[Mapping[str, Any]], **defaults: Mapping[str, Any]) -> Stack:
    """As ``stack_of``, of rows as example files hold them; ``aws={"region": …}`` and the like."""
    return stack_of(from_document([dict(row) for row in rows]), defaults)


def stack_of_project(stack: str) -> Stack:
    """What our own program registers for one of the repository's stacks."""
    yaml: Any = YAML(typ="safe")
    file = ROOT / "stacks" / f"Pulumi.{stack}.yaml"
    config: Mapping[str, Any] = yaml.load(file)["config"]
    return stack_of(from_program(ROOT, stack=stack, config=config))


def stack_of_service(spec: InferenceServiceSpec, placement: Placement) -> Stack:
    """What our component registers for one service, before any of it exists."""
    made = deploy(lambda: InferenceService(spec.name, spec, placement), preview=True).created
    services = {one.name: one.urn for one in made if one.type == SERVICE_TYPE}
    urns = {f"{one.type} {one.name}": one.urn for one in made}
    providers = {
        one.name: Provider(one.name, one.urn, View(_known(one.inputs)))
        for one in made
        if one.type.startswith(PROVIDER_PREFIX)
    }
    default = Provider("default", "urn:default", View({"region": placement.region}))
    return Stack.of(
        Resource(
            urn=one.urn,
            name=one.name,
            type=one.type,
            properties=View(_known(one.inputs)),
            provider=None if one.is_component else providers.get(one.provider, default),
            parent=None if one.type == SERVICE_TYPE else services.get(one.parent),
            depends_on={
                path: tuple(urns[source] for source in sources if source in urns)
                for path, sources in one.sources.items()
            },
        )
        for one in made
    )


def _known(value: Any) -> Any:
    """As ``_plain``, of what the mock engine keeps."""
    if value == MOCK_UNKNOWN:
        return UNKNOWN
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        if set(mapping) == {"(secret)"}:
            return _known(mapping["(secret)"])
        return {key: _known(child) for key, child in mapping.items()}
    if isinstance(value, list):
        return [_known(child) for child in cast("list[Any]", value)]
    return value


def _seen(one: Placed) -> Resource:
    held = one.provider
    provider = held and Provider(held.given.name, held.urn, View(_plain(held.inputs)))
    return Resource(
        urn=one.urn,
        name=one.given.name,
        type=one.given.type,
        properties=View(_plain(one.inputs)),
        provider=provider,
        parent=one.parent or None,
        depends_on=one.depends_on,
    )


def _plain(value: Any) -> Any:
    """As rules see it once the wire is behind."""
    if isinstance(value, NotKnown):
        return UNKNOWN
    if isinstance(value, Secret | Output):
        return _plain(value.value)
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        return {key: _plain(child) for key, child in mapping.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in cast("Sequence[Any]", value)]
    return value
