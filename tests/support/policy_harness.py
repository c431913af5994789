"""Run a pack as the engine does, without the engine: same messages, proxies, floats and unknowns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

from google.protobuf import struct_pb2
from pulumi.runtime import proto

from portway.gate.pack import Pack, load_pack
from portway.gate.policy import Analyzer, PolicySet

POLICIES = Path(__file__).parents[2] / "policies"
UNKNOWN = "<unknown>"
SECRET = "<secret>"
_UNKNOWN_ON_THE_WIRE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"


@cache
def pack_named(name: str) -> Pack:
    """One of the repository's packs."""
    return load_pack(POLICIES / name)


@dataclass(frozen=True)
class Given:
    """A resource as an example writes it: ``<unknown>`` and ``{<secret>: value}`` stand for both."""

    type: str
    name: str = "it"
    props: Mapping[str, Any] = field(default_factory=dict[str, Any])
    provider: Mapping[str, Any] | None = None
    parent: str | None = None
    from_: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    @property
    def urn(self) -> str:
        return f"urn:pulumi:dev::proj::{self.type}::{self.name}"

    @property
    def package(self) -> str:
        return self.type.split(":")[0]


@dataclass(frozen=True)
class Said:
    """One diagnostic of a pack."""

    policy: str
    level: str
    text: str
    name: str

    @property
    def rule(self) -> str:
        """The id that leads the message, below the policy's own description."""
        return self.text.split("\n", 1)[1].split("]")[0].removeprefix("[")


class Run:
    """One run of one pack over resources, in order, then over the stack they make."""

    def __init__(
        self, pack: str, config: Mapping[str, Mapping[str, Any]], *, is_preview: bool = False
    ) -> None:
        policies = PolicySet(pack_named(pack))
        self.analyzer: Any = Analyzer(policies)
        about = proto.AnalyzerStackConfigureRequest(stack="dev", project="proj", dry_run=is_preview)
        self.analyzer.ConfigureStack(about, None)
        request = proto.ConfigureAnalyzerRequest()
        for policy in policies.policies:
            said = request.policyConfig[policy.name]
            said.properties.update(config.get(policy.name, {}))
            assert policy.enforcement_level is not None
            said.enforcementLevel = getattr(proto, policy.enforcement_level.name)
        self.analyzer.Configure(request, _Context())

    def resource(self, given: Given, parents: Mapping[str, Given]) -> list[Said]:
        request = proto.AnalyzeRequest(type=given.type, urn=given.urn, name=given.name)
        _fill(request, given, parents)
        return _said(self.analyzer.Analyze(request, None), given.name, parents)

    def stack(self, resources: Sequence[Given]) -> list[Said]:
        by_name = {given.name: given for given in resources}
        request = proto.AnalyzeStackRequest()
        for given in resources:
            one = request.resources.add(type=given.type, urn=given.urn, name=given.name)
            _fill(one, given, by_name)
            one.parent = by_name[given.parent].urn if given.parent else ""
            for name, sources in given.from_.items():
                one.propertyDependencies[name].urns.extend(by_name[s].urn for s in sources)
        return _said(self.analyzer.AnalyzeStack(request, None), "", by_name)


class Refused(Exception):
    """The analyzer aborted a call."""


class _Context:
    def abort(self, code: Any, details: str) -> None:
        raise Refused(details)


def run(
    pack: str,
    resources: Sequence[Given],
    config: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    is_preview: bool = False,
) -> list[Said]:
    """Everything ``pack`` says about ``resources``."""
    by_name = {given.name: given for given in resources}
    going = Run(pack, config or {}, is_preview=is_preview)
    said = [one for given in resources for one in going.resource(given, by_name)]
    return said + going.stack(resources)


def example_resources(example: Mapping[str, Any]) -> list[Given]:
    """The resources of one example: a list, or the example itself when it is one."""
    alone = {key: value for key, value in example.items() if key != "name"}
    rows = example.get("resources", [alone])
    return [
        Given(
            type=row["type"],
            name=row.get("name", "it"),
            props=row.get("props", {}),
            provider=row.get("provider"),
            parent=row.get("parent"),
            from_=row.get("from", {}),
        )
        for row in rows
    ]


def _fill(request: Any, given: Given, by_name: Mapping[str, Given]) -> None:
    request.properties.CopyFrom(_struct(given.props))
    if given.parent:
        request.options.parent = by_name[given.parent].urn
    if given.provider is not None:
        name = given.provider.get("name", "default")
        kind = f"pulumi:providers:{given.package}"
        request.provider.CopyFrom(
            proto.AnalyzerProviderResource(
                type=kind,
                urn=f"urn:pulumi:dev::proj::{kind}::{name}",
                name=name,
                properties=_struct(given.provider.get("props", {})),
            )
        )


def _struct(value: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(_wire(value))
    return struct


def _wire(value: Any) -> Any:
    if value == UNKNOWN:
        return _UNKNOWN_ON_THE_WIRE
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        if list(mapping) == [SECRET]:
            return {_SIGNATURE: _SECRET_SIGNATURE, "value": _wire(mapping[SECRET])}
        return {key: _wire(item) for key, item in mapping.items()}
    return [_wire(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _said(response: Any, name: str, by_name: Mapping[str, Given]) -> list[Said]:
    names = {given.urn: given.name for given in by_name.values()}
    return [
        Said(
            policy=one.policyName,
            level=proto.EnforcementLevel.Name(one.enforcementLevel).lower(),
            text=one.message,
            name=names.get(one.urn, name),
        )
        for one in response.diagnostics
    ]
