"""From what the gate found out to an attestation, and into a file."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from portway.errors import BadInput, Missing, Problem
from portway.gate.attest.document import Judged, Made, attestation
from portway.gate.attest.events import Event, stack_of
from portway.gate.attest.hops import hops
from portway.gate.config import ResidencyConfig
from portway.gate.context import Declarations, ResidencyContext
from portway.gate.run import Policies, StackReport, Verdict

_PACK = "residency"


def judged(report: StackReport, events: Iterable[Event], config: ResidencyConfig) -> Judged:
    """One stack as the gate left it, with every hop of a prompt through it.

    Args:
        report: the gate's.
        events: the engine's own, or ``events_of_state``.
        config: the residency pack's.
    """
    stack = stack_of(events)
    declarations = Declarations()
    for resource in stack.resources:
        declarations.add(resource)
    context = declarations.context(config, None, is_final=True)
    said = report.record.reported if report.record is not None else ()
    lacking = frozenset(one.rule for one in said)
    inside = context.boundary if isinstance(context, ResidencyContext) else None
    found = hops(stack, context, lacking) if isinstance(context, ResidencyContext) else ()
    return Judged(
        stack=report.stack,
        boundary=inside,
        has_passed=report.verdict is Verdict.PASSED,
        resources=report.judged,
        advice=sum(one.level != "mandatory" for one in said),
        hops=found,
    )


def attest(
    reports: Sequence[tuple[StackReport, Iterable[Event]]], policies: Policies, engine: str
) -> dict[str, Any]:
    """The attestation of a gate run.

    Args:
        reports: each with the events it was made from.
        policies: the packs and their configuration.
        engine: its version.
    """
    pack = next(one for one in policies.packs if one.name == _PACK)
    config = pack.configure_from(policies.files[_PACK])
    if not isinstance(config, ResidencyConfig):
        raise TypeError(f"the {_PACK} pack is configured by {type(config).__name__}")
    made = Made(
        pack=pack.name,
        pack_version=_version_of(pack.folder),
        rules=tuple(rule.id for rule in pack.rules),
        configuration=config.model_dump(mode="json"),
        engine=engine,
    )
    return attestation([judged(one, events, config) for one, events in reports], made)


def events_of_state(resources: Iterable[Mapping[str, Any]]) -> tuple[Event, ...]:
    """The resources of an exported state as events, so that both are read in one way."""
    return tuple(
        {"resourcePreEvent": {"metadata": {"op": "same", "new": one}}}
        for one in resources
        if not one.get("delete")
    )


def write(document: Mapping[str, Any], file: Path) -> None:
    """Write ``document`` to ``file``, whole or not at all.

    Raises:
        BadInput: there is no such folder.
    """
    if not file.parent.is_dir():
        message = f"there is no folder {file.parent}; make it first"
        raise BadInput([Problem("--attest", message)])
    part = file.with_name(f"{file.name}.part")
    part.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(file)


def _version_of(pack: Path) -> str:
    """The version of the pack in this folder.

    Raises:
        Missing: its ``PulumiPolicy.yaml`` is not there.
    """
    file = pack / "PulumiPolicy.yaml"
    yaml: Any = YAML(typ="safe")
    try:
        said: Mapping[str, Any] = yaml.load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Missing(f"{file}: cannot be read: {error.strerror}; restore it") from error
    return str(said.get("version", ""))
