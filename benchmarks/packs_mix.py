"""The resources of ``bench_packs.py``: our own three stacks and the clean sets of the corpus, repeated."""

import json
from collections.abc import Mapping
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any, cast

from google.protobuf import json_format
from pulumi.runtime import proto
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import unknown_checking_proxy
from ruamel.yaml import YAML

from portway.gate.policy import settle
from portway.gate.resource import Provider, Resource
from portway.gate.testing import from_document
from portway.gate.testing.given import OUTPUT_KEY, is_list
from portway.gate.testing.stack import Placed, placed
from portway.gate.testing.wire import struct
from portway.gate.values import View

ROOT = Path(__file__).resolve().parents[1]
PROVIDERS = {
    "aws": {"region": "eu-central-1"},
    "gcp": {"project": "shop", "region": "europe-west4"},
    "kubernetes": {"context": "prod"},
}
GOLDEN = ("chat@cloud-run", "chat@lambda-bedrock", "chat@kubernetes")


def resources(count: int) -> tuple[Placed, ...]:
    """At least ``count`` resources in one stack: the sets of the mix, repeated under new names."""
    rows: list[dict[str, Any]] = []
    for number, mixed in enumerate(cycle(_mix())):
        if len(rows) >= count:
            break
        rows += [_renamed(row, f"{number}-") for row in mixed]
    given = placed(from_document(rows), PROVIDERS)
    return tuple(one for one in given if not one.given.is_provider)


@cache
def _mix() -> tuple[list[dict[str, Any]], ...]:
    """Resource sets as documents: our three stacks, then the clean sets of the corpus for the EU."""
    sets: list[list[dict[str, Any]]] = []
    for name in GOLDEN:
        rows = json.loads((ROOT / f"tests/golden/{name}.resources.json").read_text("utf-8"))
        sets.append([{"props": row.get("inputs", {}), **_head(row)} for row in rows])
    yaml: Any = YAML(typ="safe")
    for file in sorted(ROOT.glob("tests/corpus/residency/clean/*_apps.yaml")):
        sets += [one["resources"] for one in yaml.load(file)["sets"] if "config" not in one]
    return tuple(sets)


def _head(row: Mapping[str, Any]) -> dict[str, Any]:
    is_component = row["type"].startswith("portway:")
    return {"type": row["type"], "name": row["name"], "component": is_component}


def _renamed(row: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """``row`` and its references to others of its set, under names of their own."""

    def name(said: str) -> str:
        head, colons, tail = said.rpartition("::")
        return f"{head}{colons}{prefix}{tail}"

    def reference(value: object) -> object:
        if isinstance(value, dict):
            said = cast("dict[str, object]", value)
            found = {key: reference(child) for key, child in said.items()}
            return found | ({OUTPUT_KEY: name(str(said[OUTPUT_KEY]))} if OUTPUT_KEY in said else {})
        return [reference(one) for one in cast("list[object]", value)] if is_list(value) else value

    renamed = {key: reference(value) for key, value in row.items()}
    renamed["name"] = name(row.get("name", "it"))
    for key in {"parent", "provider"} & set(row):
        renamed[key] = name(row[key]) if isinstance(row[key], str) else row[key]
    sources: Mapping[str, list[str]] = row.get("from", {})
    return renamed | {"from": {key: [name(one) for one in said] for key, said in sources.items()}}


def fill(one: Placed, request: proto.AnalyzeRequest | proto.AnalyzerResource) -> None:
    """Make ``request`` the engine's message about a resource."""
    request.type, request.urn, request.name = one.given.type, one.urn, one.given.name
    request.properties.CopyFrom(struct(one.inputs))
    if one.provider is not None:
        said = one.provider
        request.provider.CopyFrom(
            proto.AnalyzerProviderResource(
                type=said.given.type,
                urn=said.urn,
                name=said.given.name,
                properties=struct(said.inputs),
            )
        )
    if isinstance(request, proto.AnalyzerResource):
        for name, urns in one.depends_on.items():
            request.propertyDependencies[name].urns.extend(urns)


def settled(one: Placed) -> Resource:
    """The resource as rules see it."""
    provider = None
    if one.provider is not None:
        said = one.provider
        provider = Provider(said.given.name, said.urn, View(settle(_read(said.inputs))))
    return Resource(
        urn=one.urn,
        name=one.given.name,
        type=one.given.type,
        properties=View(settle(_read(one.inputs))),
        provider=provider,
        depends_on=one.depends_on,
    )


def _read(properties: Mapping[str, Any]) -> object:
    """``properties`` as the SDK hands them to a policy."""
    said: Any = json_format.MessageToDict(struct(properties))
    return unknown_checking_proxy(deserialize_properties(said))
