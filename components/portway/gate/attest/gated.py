"""From what the gate found out to an attestation, and into a file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from portway.errors import Missing
from portway.gate.attest.document import Judged, Made, attestation
from portway.gate.attest.events import stack_of
from portway.gate.attest.hops import hops
from portway.gate.config import PackConfig, ResidencyConfig
from portway.gate.context import Declarations, ResidencyContext
from portway.gate.report import GateReport
from portway.gate.reports import replace
from portway.gate.run import StackReport, Verdict

_PACK = "residency"


def attest(report: GateReport) -> dict[str, Any]:
    """The attestation of a gate run; of a run that could not begin, one that attests nothing."""
    config = report.configs.get(_PACK) or ResidencyConfig()
    pack = next((one for one in report.packs if one.name == _PACK), None)
    made = Made(
        pack=_PACK,
        pack_version="" if pack is None else _version_of(pack.folder),
        rules=() if pack is None else tuple(rule.id for rule in pack.rules),
        configuration=config.model_dump(mode="json"),
        engine=next((one.engine for one in report.stacks if one.engine), ""),
    )
    return attestation([judged(one, config) for one in report.stacks], made)


def judged(report: StackReport, config: PackConfig) -> Judged:
    """One stack as the gate left it, with every hop of a prompt through it."""
    stack = stack_of(report.resources)
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


def write(document: Mapping[str, Any], file: Path) -> None:
    """Write ``document`` to ``file``, whole or not at all."""
    replace(file, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


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
