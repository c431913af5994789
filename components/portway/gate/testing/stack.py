"""A test's resources as one stack: who is whose child, provider and source, and the injected region."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portway.errors import BadInput, Problem
from portway.gate.resource import PROVIDER_PREFIX
from portway.gate.tables import located
from portway.gate.testing.given import (
    PROJECT,
    ROOT_TYPE,
    STACK,
    Given,
    NotKnown,
    Output,
    Secret,
    is_list,
    is_mapping,
)

DEFAULT = "default"


@dataclass(frozen=True)
class Placed:
    """A resource whose references are resolved to URNs."""

    given: Given
    urn: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    parent: str
    provider: "Placed | None" = None
    depends_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])


def placed(
    resources: Sequence[Given], defaults: Mapping[str, Mapping[str, Any]]
) -> tuple[Placed, ...]:
    """``resources`` in their order, each after the provider that it is the first to need.

    ``defaults``: the configuration of each package's default provider.

    Raises:
        BadInput: a reference names no resource, or several; or two resources have one URN.
    """
    whole = _Stack(resources, defaults)
    return tuple(whole.every())


class _Stack:
    def __init__(
        self, resources: Sequence[Given], defaults: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._defaults = defaults
        self._given = resources
        self._urns: dict[int, str] = {}
        self._providers: dict[str, Placed] = {}
        self._by_name: dict[str, list[Given]] = {}
        for given in resources:
            self._by_name.setdefault(given.name, []).append(given)
            if given.known_urn:
                self._by_name.setdefault(given.known_urn, []).append(given)

    def every(self) -> Iterator[Placed]:
        seen: set[str] = set()
        for given in self._given:
            provider = self._provider(given)
            for one in (provider, self._placed(given, provider)):
                if one is None or (one is provider and one.urn in seen):
                    continue
                if one.urn in seen and given.is_provider:
                    continue
                if one.urn in seen:
                    message = "is registered twice; give one of the two another name"
                    raise BadInput([Problem(one.urn, message)])
                seen.add(one.urn)
                yield one

    def _provider(self, given: Given) -> Placed | None:
        if given.is_provider or not given.is_custom or given.type == ROOT_TYPE:
            return None
        said = given.provider
        if said is None:
            properties = self._defaults.get(given.package, {})
            said = Given(f"{PROVIDER_PREFIX}{given.package}", DEFAULT, properties)
        elif isinstance(said, str):
            said = self._named(said, f"the provider of {given.name}")
        urn = self._urn(said)
        if urn not in self._providers:
            self._providers[urn] = self._placed(said, None)
        return self._providers[urn]

    def _placed(self, given: Given, provider: Placed | None) -> Placed:
        inputs = given.props
        if provider is not None:
            inputs = injected(given, inputs, provider.inputs)
        return Placed(
            given=given,
            urn=self._urn(given),
            inputs=inputs,
            outputs=inputs if given.outputs is None else given.outputs,
            parent=self._reference(given.parent, f"the parent of {given.name}"),
            provider=provider,
            depends_on=dict(self._sources(given)),
        )

    def _sources(self, given: Given) -> Iterator[tuple[str, tuple[str, ...]]]:
        where = f"a source of {given.name}"
        for name in dict.fromkeys((*given.depends_on, *given.props)):
            said = (*given.depends_on.get(name, ()), *_outputs_in(given.props.get(name)))
            urns = dict.fromkeys(self._reference(one, f"{where}.{name}") for one in said)
            if urns:
                yield name, tuple(urns)

    def _reference(self, to: Given | str | None, where: str) -> str:
        if to is None:
            return ""
        if isinstance(to, str) and to.startswith("urn:pulumi:") and to not in self._by_name:
            return to
        return self._urn(self._named(to, where) if isinstance(to, str) else to)

    def _named(self, name: str, where: str) -> Given:
        found = self._by_name.get(name, [])
        if len(found) != 1:
            there = "several resources have" if found else "no resource has"
            raise BadInput([Problem(where, f"{there} the name {name!r}; refer to the resource")])
        return found[0]

    def _urn(self, given: Given) -> str:
        known = given.known_urn or self._urns.get(id(given))
        if known is None:
            above = self._reference(given.parent, f"the parent of {given.name}")
            chain = above.split("::")[2] if above else ROOT_TYPE
            types = given.type if chain == ROOT_TYPE else f"{chain}${given.type}"
            known = f"urn:pulumi:{STACK}::{PROJECT}::{types}::{given.name}"
            self._urns[id(given)] = known
        return known


def injected(
    given: Given, inputs: Mapping[str, Any], provider: Mapping[str, Any]
) -> Mapping[str, Any]:
    """``inputs`` with the provider's region, which pulumi-aws writes into them before any policy.

    It does so for every type that has a ``region``, where the program gave none and the provider has
    one in its own configuration; one from the environment of whoever runs Pulumi is not seen.
    """
    region = provider.get("region")
    if (
        given.package != "aws"
        or "region" not in located(given.type)
        or inputs.get("region") is not None
        or region is None
    ):
        return inputs
    return {**inputs, "region": region}


def _outputs_in(value: object) -> Iterator[Given | str]:
    if isinstance(value, Output):
        yield value.of
        yield from _outputs_in(value.value)
    elif isinstance(value, Secret):
        yield from _outputs_in(value.value)
    elif is_mapping(value):
        for child in value.values():
            yield from _outputs_in(child)
    elif is_list(value) and not isinstance(value, NotKnown):
        for child in value:
            yield from _outputs_in(child)
