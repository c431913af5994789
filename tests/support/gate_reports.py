"""Runs of the gate as reports see them, made without an engine."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from portway.gate.config import PackConfig, ResidencyConfig
from portway.gate.exemption import Exemption
from portway.gate.record import Record, Reported
from portway.gate.report import GateReport
from portway.gate.reports.locate import Locator
from portway.gate.run import StackReport
from support.packs import pack_named

TODAY = date(2026, 11, 21)
REGION = "residency-region-inside-boundary"
GPUS = "cost-gpus-within-limit"
URN = "urn:pulumi:{stack}::shop::gcp:storage/bucket:Bucket::{name}"
NASTY = 'is in "us" <b>&amp;</b> | `x` *y* @ann #12 https://evil.example/?a=%41 ]]> \x00\x1b[31m\u2028 é, :: line 1\r\nline 2\x85'
"""What no report may stumble over."""

EXEMPT = Exemption(
    rule=REGION, urn="*::old", reason="moving | out", owner="ann", expires=date(2026, 12, 24)
)


def said(
    name: str = "data",
    message: str = "is in us-central1 (location), outside the boundary eu",
    *,
    rule: str = REGION,
    level: str = "mandatory",
    stack: str = "prod",
) -> Reported:
    urn = URN.format(stack=stack, name=name) if name else ""
    pack = rule.split("-", maxsplit=1)[0]
    return Reported(pack, pack, rule, level, urn, message)


def record(*reported: Reported, stack: str = "prod") -> Record:
    urns = tuple(URN.format(stack=stack, name=name) for name in ("data", "old"))
    asked = {"cost": frozenset(urns), "residency": frozenset(urns)}
    return Record(frozenset(asked), urns, asked, frozenset(asked), reported)


def stack_report(
    *reported: Reported, stack: str = "prod", project: Path | None = None
) -> StackReport:
    return StackReport(stack, record(*reported, stack=stack), (), project)


def run_of(
    *stacks: StackReport,
    notes: tuple[str, ...] = (),
    faults: tuple[str, ...] = (),
    configs: Mapping[str, PackConfig] | None = None,
) -> GateReport:
    packs = (pack_named("residency"), pack_named("cost"))
    config = {"residency": ResidencyConfig(boundary=("eu",), exemptions=(EXEMPT,))}
    return GateReport(stacks, packs, configs or config, TODAY, notes, faults)


def everything(project: Path | None = None) -> GateReport:
    """A passed, a refused and a failed stack, with one of everything that can be said."""
    return run_of(
        stack_report(stack="dev", project=project),
        stack_report(
            said(),
            said(message="its replica is in us-east1"),
            said("old", level="advisory"),
            said("", "the whole stack may hold 8 GPUs", rule=GPUS),
            said("data", "somebody might", rule=GPUS, level="advisory"),
            said("data", NASTY, rule="not-ours"),
            project=project,
        ),
        StackReport("late", None, ("the program crashed: " + NASTY,), project),
        notes=("residency.json: clusters.prod-us: no stack speaks of it",),
    )


def nowhere() -> Locator:
    return Locator(Path("/nowhere"))
