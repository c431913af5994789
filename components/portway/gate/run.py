"""The gate: a real preview with the packs on, read from the engine's events. It fails closed."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path

from portway.engine.engine import Engine
from portway.engine.environment import Places, engine_environment
from portway.engine.mirror import stack_config_dir
from portway.engine.stack import Outcome, Stack
from portway.engine.stack import Pack as EnginePack
from portway.errors import BadInput, Missing, PortwayError, Problem
from portway.gate.attest.events import State, states_of
from portway.gate.baseline import BASELINE, files_of, read_baselines
from portway.gate.billing.rates import NEWER
from portway.gate.config import CostConfig, PackConfig
from portway.gate.costs import COSTS, Costs
from portway.gate.costs import read as read_costs
from portway.gate.pack import Pack, load_pack
from portway.gate.record import Record, read_events
from portway.gate.session import utc_today
from portway.gate.staging import in_its_own_terms, looked_up, stage
from portway.price_lists.refresh import newer
from portway.registry import registered

PACKS = ("residency", "cost")
DEADLINE_SECONDS = 600.0
_AT_ONCE = min(4, os.cpu_count() or 1)
_NO_STACK_FILE = "gate"
_NO_PLUGIN = re.compile(r"no resource plugin 'pulumi-resource-(?P<name>[\w-]+)'.*", re.S)
_NO_STACK = re.compile(
    r"Preview failed: (?:organization name must be 'organization'|unknown stack \S+)$"
)
_NOT_READ = re.compile(r"Preview failed: (?P<what>resource '[^']*') does not exist$")
_JUDGE_STATE = "judge what is deployed instead: pulumi stack export --file state.json, then portway gate --state"


class Verdict(StrEnum):
    """How the judgement of one stack ended."""

    PASSED = "passed"
    REFUSED = "refused"
    FAILED = "failed"
    """It was not judged, or not wholly: never a pass."""


@dataclass(frozen=True)
class Subject:
    """One stack to judge: its project folder and its name."""

    project: Path
    stack: str


@dataclass(frozen=True)
class StackReport:
    """What the gate found out about one stack.

    Attributes:
        record: None when the preview could not even begin.
        faults: why it was not judged, or not wholly.
        project: the folder of its program; None for an exported state.
        state: the exported state; None for a program.
        hints: what of it no rule could see.
        resources: as the engine wrote them, secrets blanked.
        engine: its version.
        costs: as the cost pack has it; None where it did not get so far.
    """

    stack: str
    record: Record | None
    faults: tuple[str, ...]
    project: Path | None = None
    state: Path | None = None
    hints: tuple[str, ...] = ()
    resources: tuple[State, ...] = field(default=(), compare=False, repr=False)
    engine: str = field(default="", compare=False)
    costs: Costs | None = field(default=None, compare=False)

    @property
    def verdict(self) -> Verdict:
        """Failed before refused: what was not seen may be worse than what was."""
        if self.faults or self.record is None:
            return Verdict.FAILED
        return Verdict.REFUSED if self.record.refusals else Verdict.PASSED

    @property
    def judged(self) -> int:
        """How many resources every pack was asked about."""
        if self.record is None or not self.record.analysed:
            return 0
        every = frozenset[str].intersection(*self.record.analysed.values())
        return sum(urn in every for urn in self.record.registered)


@dataclass(frozen=True)
class Policies:
    """The packs to judge by, each with the organisation's configuration, already validated.

    Attributes:
        asked: files that say what stacks cost before, instead of those that are configured.
    """

    packs: tuple[Pack, ...]
    files: Mapping[str, Path]
    configs: Mapping[str, PackConfig] = field(default_factory=dict[str, PackConfig])
    asked: tuple[Path, ...] = ()

    @property
    def for_engine(self) -> tuple[EnginePack, ...]:
        """The packs as the engine is told of them."""
        return tuple(EnginePack(pack.folder, self.files[pack.name]) for pack in self.packs)

    @property
    def rates(self) -> Path:
        """Where the organisation keeps rates of its own: beside the configuration of the cost pack."""
        return self.files["cost"].parent / "rates"

    @property
    def environment(self) -> Mapping[str, str]:
        """What the packs' processes must know beside their configuration."""
        if "cost" not in self.files:
            return {}
        named = os.pathsep.join(map(str, self.baseline))
        return {NEWER: str(self.rates.resolve()), **({BASELINE: named} if named else {})}

    @property
    def baseline(self) -> tuple[Path, ...]:
        """The files that say what stacks cost before: those asked for, else the configuration's."""
        if self.asked:
            return tuple(file.resolve() for file in self.asked)
        config = self.configs.get("cost")
        return files_of(config) if isinstance(config, CostConfig) else ()


@dataclass(frozen=True)
class Workshop:
    """Where previews run: an engine and a closed set of folders with stand-in plugins."""

    engine: Engine
    places: Places


def load_policies(
    folder: Path,
    files: Mapping[str, Path] | None = None,
    today: Callable[[], date] = utc_today,
    baseline: Sequence[Path] = (),
) -> Policies:
    """Both packs in ``folder``, each with its file of ``files``, else with ``<pack>.json`` beside it.

    Args:
        folder: where the packs are.
        files: by pack, its configuration.
        today: UTC.
        baseline: files that say what stacks cost before, instead of those that are configured.

    Raises:
        Missing: a pack or its configuration is absent.
        BadInput: everything wrong in the configurations, in the baselines, and in the rates beside them.
    """
    packs = tuple(load_pack(folder / name) for name in PACKS)
    files = {pack.name: folder / f"{pack.name}.json" for pack in packs} | dict(files or {})
    problems: list[Problem] = []
    configs: dict[str, PackConfig] = {}
    for pack in packs:
        try:
            configs[pack.name] = pack.configure_from(files[pack.name], today)
        except BadInput as error:
            problems += [problem.at(str(files[pack.name])) for problem in error.problems]
    policies = Policies(packs, files, configs, tuple(baseline))
    try:
        read_baselines(policies.baseline)
    except BadInput as error:
        problems += error.problems
    for target in registered():
        try:
            newer(policies.rates, target)
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)
    return policies


def subjects_of(program: Path, stacks: Sequence[str] = ()) -> tuple[Subject, ...]:
    """The stacks to judge of any Pulumi Python program: those named, else all that have a file.

    A program without stack files is judged once, without configuration.

    Raises:
        BadInput: there is no Pulumi.yaml, or a named stack has no file.
    """
    try:
        folder = program / stack_config_dir(program)
    except UnicodeDecodeError as error:
        raise BadInput([Problem("Pulumi.yaml", f"is not UTF-8: {error}", str(program))]) from None
    known = sorted(
        file.name[len("Pulumi.") : -len(".yaml")] for file in folder.glob("Pulumi.*.yaml")
    )
    strange = [name for name in stacks if name not in known]
    if strange:
        there = f"there are {', '.join(known)}" if known else "there are no stack files"
        raise BadInput(
            [Problem("", f"there is no stack {n!r}; {there}", str(folder)) for n in strange]
        )
    names = tuple(dict.fromkeys(stacks)) or tuple(known) or (_NO_STACK_FILE,)
    return tuple(Subject(program, name) for name in names)


def run_gate(
    subjects: Sequence[Subject],
    policies: Policies,
    workshop: Workshop,
    on_done: Callable[[StackReport], object] = lambda _: None,
    deadline_seconds: float | None = None,
) -> tuple[StackReport, ...]:
    """Preview every subject with every pack on; nothing is created and no login is needed.

    Args:
        subjects: judged a few at a time; the reports are in their order.
        policies: the packs and their configuration.
        workshop: where to work.
        on_done: told of each report as soon as it is there, from whatever thread made it.
        deadline_seconds: how long a preview may take before it is stopped and counts as failed.

    Raises:
        Missing: there is nothing to judge.
    """
    if not subjects:
        raise Missing("there is no stack to judge, and a gate that judges nothing is no gate")

    def judge(numbered: tuple[int, Subject]) -> StackReport:
        number, subject = numbered
        shown = workshop.places.root / f"project-{number}"
        report = _judge(subject, policies, workshop, shown, deadline_seconds)
        on_done(report)
        return report

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(judge, enumerate(subjects)))


def _judge(
    subject: Subject,
    policies: Policies,
    workshop: Workshop,
    shown: Path,
    deadline_seconds: float | None,
) -> StackReport:
    def failed(fault: str) -> StackReport:
        return StackReport(subject.stack, None, (fault,), subject.project)

    costs = shown.with_name(f"{shown.name}.costs.json")
    try:
        stage(subject.project, shown)
        environment = {
            **engine_environment(workshop.places, workshop.engine, project=shown),
            **policies.environment,
            COSTS: str(costs),
        }
        stack = Stack(shown, subject.stack, workshop.engine, environment, deadline_seconds)
        outcome = stack.preview(policies.for_engine)
    except PortwayError as error:
        return failed(str(error))
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        return failed(f"the preview of {subject.project} could not begin: {reason}")
    record = read_events(outcome.events, outcome.errors)
    faults = faults_of(outcome, record, policies)
    return StackReport(
        subject.stack,
        record,
        tuple(in_its_own_terms(fault, subject.project, shown) for fault in faults),
        subject.project,
        hints=tuple(looked_up(shown, subject.stack)),
        resources=states_of(outcome.events),
        engine=str(workshop.engine.version),
        costs=read_costs(costs),
    )


def faults_of(outcome: Outcome, record: Record, policies: Policies) -> tuple[str, ...]:
    """Why ``outcome`` proves less than a whole judgement by every pack; empty when it is whole."""
    if outcome.out_of_time:
        return (f"{outcome.out_of_time} with --timeout",)
    told = tuple(_explained(error) for error in record.errors)
    faults = (*told, *record.gaps(pack.name for pack in policies.packs))
    if not outcome.succeeded and not record.refusals and not faults:
        return (outcome.stderr.strip() or "the engine failed and did not say why",)
    return faults


def _explained(error: str) -> str:
    """``error``, in the terms of who wrote the program where the engine speaks of our stand-ins."""
    error = _NO_PLUGIN.sub(_no_stand_in, error.strip())
    if _NO_STACK.match(error):
        return (
            "the program reads the outputs of another stack (StackReference), which no gate without "
            f"a login can see; take them from configuration, or {_JUDGE_STATE}"
        )
    return _NOT_READ.sub(
        r"the program looks up \g<what> in the cloud (get), which no gate without credentials can "
        f"see; name it as a literal, or {_JUDGE_STATE}",
        error,
    )


def _no_stand_in(found: re.Match[str]) -> str:
    return (
        f"the program uses the provider {found['name']}, for which there is no stand-in here; "
        f"{_JUDGE_STATE}"
    )
