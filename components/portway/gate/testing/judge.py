"""A pack's judgement of resources, without an engine, account or network."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pulumi.runtime import proto

from portway.gate.session import utc_today
from portway.gate.testing.given import Given
from portway.gate.testing.packs import Config, analyzer_of
from portway.gate.testing.stack import Placed, placed
from portway.gate.testing.wire import struct

MANDATORY = "mandatory"
_RULE = re.compile(r"\[([^\[\]\s]+)\] ")


@dataclass(frozen=True)
class Violation:
    """One thing a pack says.

    Attributes:
        rule: the id in brackets that leads the message; the policy's name where there is none.
        urn: the resource, or "" for the stack as a whole.
        name: the resource's name, or "".
        level: ``mandatory`` (refused) or ``advisory`` (only reported).
        message: as it is printed, without the policy's description.
        policy: the policy of the pack that said it.
    """

    rule: str
    urn: str
    name: str
    level: str
    message: str
    policy: str


@dataclass(frozen=True)
class Judgement:
    """All that a pack says of some resources, in the order it says it.

    Attributes:
        judged: the URNs the pack was asked about, providers included.
    """

    violations: tuple[Violation, ...]
    judged: tuple[str, ...]

    @property
    def refusals(self) -> tuple[Violation, ...]:
        """What would stop a deployment."""
        return tuple(one for one in self.violations if one.level == MANDATORY)

    @property
    def passed(self) -> bool:
        """Whether nothing is refused. Nothing judged is no pass."""
        return bool(self.judged) and not self.refusals

    @property
    def rules(self) -> frozenset[str]:
        """The rules that refuse."""
        return frozenset(one.rule for one in self.refusals)

    def of(self, rule: str) -> tuple[Violation, ...]:
        """What one rule says, refusing or not."""
        return tuple(one for one in self.violations if one.rule == rule)


def judge(
    resources: Sequence[Given],
    pack: Path | str,
    config: Config | None = None,
    *,
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
    is_preview: bool = False,
    today: Callable[[], date] = utc_today,
) -> Judgement:
    """What the policy pack in folder ``pack`` says of ``resources``.

    Each is judged as it is registered, in the order given, then all together: with the SDK's own
    proxies, numbers as floats, secrets in clear, unknowns unreadable, the default provider of every
    package first, and the region of an AWS provider in the inputs of what it manages.

    Args:
        resources: from ``resource(…)``, ``from_document``, ``from_state`` or ``from_program``.
        pack: the folder with ``PulumiPolicy.yaml``; any Python pack, not only Portway's.
        config: as in a ``--policy-pack-config`` file; for Portway's packs also the options alone.
        defaults: configuration of default providers by package: ``{"aws": {"region": "eu-west-1"}}``.
        is_preview: judge as before a deployment, when nothing is created before the stack is known.
        today: the day by which exemptions of Portway's packs count; UTC's, unless a test says another.

    Raises:
        BadInput: a reference to no resource, or a configuration that the pack refuses.
        Missing: there is no pack in that folder.
    """
    analyzer = analyzer_of(Path(pack), config or {}, is_preview=is_preview, today=today)
    stack = placed(resources, defaults or {})
    names = {one.urn: one.given.name for one in stack}
    said: list[Violation] = []
    for one in stack:
        if not one.given.is_read:
            said += _said(analyzer.Analyze(_request(one), None), names, one.urn)
    said += _said(analyzer.AnalyzeStack(_whole(stack), None), names, "")
    return Judgement(tuple(said), tuple(names))


def _request(one: Placed) -> proto.AnalyzeRequest:
    request = proto.AnalyzeRequest(type=one.given.type, urn=one.urn, name=one.given.name)
    request.properties.CopyFrom(struct(one.inputs))
    request.options.parent = one.parent
    _add_provider(request, one)
    return request


def _whole(stack: Sequence[Placed]) -> proto.AnalyzeStackRequest:
    request = proto.AnalyzeStackRequest()
    for one in stack:
        row = request.resources.add(type=one.given.type, urn=one.urn, name=one.given.name)
        row.properties.CopyFrom(struct(one.outputs))
        row.parent = one.parent
        _add_provider(row, one)
        for name, urns in one.depends_on.items():
            row.propertyDependencies[name].urns.extend(urns)
    return request


def _add_provider(request: Any, one: Placed) -> None:  # noqa: ANN401 - untyped in the SDK
    if one.provider is not None:
        request.provider.CopyFrom(
            proto.AnalyzerProviderResource(
                type=one.provider.given.type,
                urn=one.provider.urn,
                name=one.provider.given.name,
                properties=struct(one.provider.inputs),
            )
        )


def _said(response: Any, names: Mapping[str, str], urn: str) -> list[Violation]:  # noqa: ANN401 - untyped in the SDK
    return [_violation(one, names, str(one.urn) or urn) for one in response.diagnostics]


def _violation(diagnostic: Any, names: Mapping[str, str], urn: str) -> Violation:  # noqa: ANN401 - untyped in the SDK
    text = str(diagnostic.message).removeprefix(f"{diagnostic.description}\n")
    found = _RULE.match(text)
    return Violation(
        rule=found.group(1) if found else str(diagnostic.policyName),
        urn=urn,
        name=names.get(urn, ""),
        level=proto.EnforcementLevel.Name(diagnostic.enforcementLevel).lower(),
        message=text,
        policy=str(diagnostic.policyName),
    )
