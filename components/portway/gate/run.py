"""The gate: a real preview with the packs on, read from the engine's events. It fails closed."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from portway.engine.engine import Engine
from portway.engine.environment import Places, engine_environment
from portway.engine.mirror import mirror, stack_config_dir
from portway.engine.stack import Pack as EnginePack
from portway.engine.stack import Stack
from portway.errors import BadInput, Missing, PortwayError, Problem
from portway.gate.pack import Pack, load_pack
from portway.gate.record import Record, read_events

PACKS = ("residency", "cost")
_AT_ONCE = 2
_NO_STACK_FILE = "gate"


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
    """

    stack: str
    record: Record | None
    faults: tuple[str, ...]

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
    """The packs to judge by, each with the organisation's configuration, already validated."""

    packs: tuple[Pack, ...]
    files: Mapping[str, Path]


@dataclass(frozen=True)
class Workshop:
    """Where previews run: an engine and a closed set of folders with stand-in plugins."""

    engine: Engine
    places: Places


def load_policies(folder: Path) -> Policies:
    """Both packs in ``folder`` with ``<pack>.json`` beside them.

    Raises:
        Missing: a pack or its configuration is absent.
        BadInput: everything wrong in the configurations.
    """
    packs = tuple(load_pack(folder / name) for name in PACKS)
    files = {pack.name: folder / f"{pack.name}.json" for pack in packs}
    problems: list[Problem] = []
    for pack in packs:
        try:
            pack.configure_from(files[pack.name])
        except BadInput as error:
            problems += [problem.at(str(files[pack.name])) for problem in error.problems]
    if problems:
        raise BadInput(problems)
    return Policies(packs, files)


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
) -> tuple[StackReport, ...]:
    """Preview every subject with every pack on; nothing is created and no login is needed.

    Raises:
        Missing: there is nothing to judge.
    """
    if not subjects:
        raise Missing("there is no stack to judge, and a gate that judges nothing is no gate")

    def judge(numbered: tuple[int, Subject]) -> StackReport:
        number, subject = numbered
        report = _judge(subject, policies, workshop, workshop.places.root / f"project-{number}")
        on_done(report)
        return report

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(judge, enumerate(subjects)))


def _judge(subject: Subject, policies: Policies, workshop: Workshop, shown: Path) -> StackReport:
    try:
        mirror(subject.project, shown)
        _close(shown / "Pulumi.yaml")
        environment = engine_environment(workshop.places, workshop.engine, project=shown)
        stack = Stack(shown, subject.stack, workshop.engine, environment)
        packs = [EnginePack(pack.folder, policies.files[pack.name]) for pack in policies.packs]
        outcome = stack.preview(packs)
    except PortwayError as error:
        return StackReport(subject.stack, None, (str(error),))
    except (OSError, ValueError, LookupError, TypeError) as error:
        fault = f"the preview of {subject.project} could not begin: {type(error).__name__}: {error}"
        return StackReport(subject.stack, None, (fault,))
    record = read_events(outcome.events, outcome.errors)
    faults = [*record.errors, *record.gaps(pack.name for pack in policies.packs)]
    if not outcome.succeeded and not record.refusals and not faults:
        faults = [outcome.stderr.strip() or "the engine failed and did not say why"]
    return StackReport(subject.stack, record, tuple(faults))


def _close(file: Path) -> None:
    """Have the program run in our interpreter's environment, with the stand-ins as its only plugins.

    Raises:
        BadInput: it is not a Python program.
    """
    yaml: Any = YAML()
    try:
        loaded: object = yaml.load(file.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise BadInput([Problem("Pulumi.yaml", f"is not YAML: {error}", str(file))]) from None
    except FileNotFoundError:
        raise BadInput([Problem("Pulumi.yaml", "is not there; give the file this name")]) from None
    if not isinstance(loaded, dict) or not isinstance(
        cast("dict[str, Any]", loaded).get("name"), str
    ):
        message = "must be a mapping with the name and the runtime of the project"
        raise BadInput([Problem("Pulumi.yaml", message, str(file.resolve()))])
    settings = cast("dict[str, Any]", loaded)
    runtime = settings.get("runtime")
    name = cast("dict[str, Any]", runtime).get("name") if isinstance(runtime, dict) else runtime
    if name != "python":
        message = f"is {name!r}; the gate runs Python programs only"
        raise BadInput([Problem("runtime", message, str(file.resolve()))])
    settings["runtime"] = {"name": "python", "options": {"virtualenv": sys.prefix}}
    settings.pop("plugins", None)
    part = file.with_suffix(".part")
    with part.open("w", encoding="utf-8") as written:
        yaml.dump(settings, written)
    shutil.move(part, file)
