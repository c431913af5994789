"""``portway gate``: previews with both policy packs on; no login, no credentials, no network."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from portway.advice.policy_price import promises
from portway.cli.gate_output import judged_line, show, wrote
from portway.cli.output import output_options, print_json, say
from portway.cli.price import estimated, policy_prices, targets_of
from portway.cli.progress import progress
from portway.errors import BadInput, PortwayError, Problem
from portway.gate.attest.gated import attest as attestation_of
from portway.gate.attest.gated import write as write_attestation
from portway.gate.exported import read_states
from portway.gate.notes import notes
from portway.gate.report import GateReport
from portway.gate.reports import FORMATS, ready, write
from portway.gate.reports.github import annotations as annotated
from portway.gate.reports.json import document
from portway.gate.reports.locate import Locator, locator_for
from portway.gate.run import (
    DEADLINE_SECONDS,
    Policies,
    StackReport,
    Subject,
    load_policies,
    run_gate,
    subjects_of,
)
from portway.gate.session import utc_today
from portway.gate.state import judge_states
from portway.gate.workshop import config_files, policies_folder, workshop
from portway.spec.load import load_stack, plan_stack
from portway.spec.project import find_project, stack_names, stacks_folder

_FILE = click.Path(dir_okay=True, path_type=Path)


@dataclass(frozen=True)
class Asked:
    """What the command line asks for: stacks of a program, or exported states."""

    stacks: tuple[str, ...]
    program: Path | None
    states: tuple[Path, ...]
    deadline_seconds: float
    baseline: tuple[Path, ...] = ()

    @property
    def home(self) -> Path:
        """Where the organisation's configuration is looked for, from here upward."""
        try:
            return find_project()
        except BadInput:
            return Path.cwd()


def _report_options(function: Callable[..., object]) -> Callable[..., object]:
    helps = {
        "sarif": "Write SARIF 2.1.0 for code-scanning tools.",
        "junit": "Write JUnit XML for CI systems.",
        "markdown": "Write Markdown for a pull-request comment.",
    }
    for name in reversed(FORMATS):
        function = click.option(f"--{name}", type=_FILE, metavar="FILE", help=helps[name])(function)
    return function


@click.command()
@click.argument("stacks", nargs=-1)
@click.option(
    "--program",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Judge this Pulumi Python program instead, also one that uses none of our components.",
)
@click.option(
    "--state",
    "states",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Judge what was deployed: the JSON of `pulumi stack export`. May be given more than once.",
)
@click.option(
    "--baseline",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Compare costs with what was: a `pulumi stack export`, or the --json of an earlier run.",
)
@_report_options
@click.option(
    "--attest",
    type=_FILE,
    metavar="FILE",
    help="Write where every hop of a prompt is, and why; `portway verify FILE` judges it again.",
)
@click.option(
    "--annotations/--no-annotations",
    default=None,
    help="Mark the lines in GitHub's logs, on stderr. On by itself in GitHub Actions.",
)
@click.option(
    "--timeout",
    "deadline_seconds",
    type=click.FloatRange(min=1),
    default=DEADLINE_SECONDS,
    show_default=f"{DEADLINE_SECONDS:g}",
    metavar="SECONDS",
    help="Stop a preview that takes longer; it then counts as not judged.",
)
@output_options
def command(
    *,
    stacks: tuple[str, ...],
    program: Path | None,
    states: tuple[Path, ...],
    baseline: tuple[Path, ...],
    attest: Path | None,
    annotations: bool | None,
    deadline_seconds: float,
    as_json: bool,
    no_color: bool,
    **reports: Path | None,
) -> int:
    """Preview STACKS (all, when none is named) with both packs on, and say what they refuse.

    The real engine runs the program against stand-in plugins in a folder that is thrown away:
    no login, no credentials, no network, and nothing is created. The packs are those in
    policies/, and so is their configuration: policies/residency.json, policies/cost.json.

    Exit code 0: every stack passed; 1: a rule refused; 2: bad input or configuration; 3: a stack
    could not be judged wholly, which is never a pass. Reports are written whatever the outcome.
    With --attest, a stack that passes and yet has a hop nobody can place ends with 1.
    """
    asked = Asked(stacks, program, states, deadline_seconds, baseline)
    files = {name: file for name, file in reports.items() if file is not None}
    ready(files if attest is None else {**files, "attest": attest})
    locator = locator_for(asked.home if program is None else program)
    marks = os.environ.get("GITHUB_ACTIONS") == "true" if annotations is None else annotations
    try:
        report = _judged(asked, no_color=no_color)
    except PortwayError as error:
        failed = GateReport((), (), {}, utc_today(), faults=(str(error),), ended=error.exit_code)
        _hand_over(failed, files, locator, marks=marks)
        _attested(failed, attest, no_color=no_color)
        raise
    if "markdown" in files:
        report = replace(report, prices=_prices(asked, report))
    _hand_over(report, files, locator, marks=marks)
    is_attested = _attested(report, attest, no_color=no_color)
    if as_json:
        print_json(document(report))
    else:
        show(report, no_color=no_color)
        wrote(files, no_color=no_color)
    return report.exit_code or int(not is_attested)


def _attested(report: GateReport, file: Path | None, *, no_color: bool) -> bool:
    """Whether every stack is attested, as was written to ``file``; also true where nobody asked."""
    if file is None:
        return True
    made = attestation_of(report)
    write_attestation(made, file)
    for one in made["stacks"]:
        if one["verdict"] != "attested":
            say(f"{one['stack']}: {one['verdict']}, not attested", no_color=no_color, err=True)
    return bool(made["attested"])


def _hand_over(
    report: GateReport, files: dict[str, Path], locator: Locator, *, marks: bool
) -> None:
    write(files, report, locator)
    for line in annotated(report, locator) if marks else ():
        click.echo(line, err=True)


def _judged(asked: Asked, *, no_color: bool) -> GateReport:
    """Judge what was asked for.

    Raises:
        PortwayError: nothing could be judged.
    """
    _refuse_contradictions(asked)
    places = [asked.home] if asked.program is None else [asked.home, asked.program.resolve()]
    policies = load_policies(
        policies_folder(asked.home), config_files(places), baseline=asked.baseline
    )
    if asked.states:
        states = read_states(asked.states)
        with progress(len(states), "judging", no_color=no_color) as step, workshop() as place:
            found = judge_states(
                states, policies, place, lambda one: step(judged_line(one)), asked.deadline_seconds
            )
        return _report(found, policies, every_stack=False)
    subjects = _subjects(asked)
    with progress(len(subjects), "judging", no_color=no_color) as step, workshop() as place:
        found = run_gate(
            subjects, policies, place, lambda one: step(judged_line(one)), asked.deadline_seconds
        )
    is_theirs = all(_is_for(file, subjects) for file in policies.files.values())
    return _report(found, policies, every_stack=not asked.stacks and is_theirs)


def _report(
    found: tuple[StackReport, ...],
    policies: Policies,
    *,
    every_stack: bool,
) -> GateReport:
    today = utc_today()
    hints = tuple(hint for report in found for hint in report.hints)
    said = notes(policies, found, today, every_stack=every_stack)
    return GateReport(found, policies.packs, policies.configs, today, (*hints, *said))


def _prices(asked: Asked, report: GateReport) -> tuple[str, ...]:
    """What the promises of our own stacks cost, a sentence for each stack and promise.

    A stack that cannot be priced has none: what is wrong with it is said elsewhere.
    """
    if asked.program is not None or asked.states:
        return ()
    project = find_project()
    targets = targets_of(project)
    found: list[str] = []
    for stack in report.stacks:
        try:
            loaded = load_stack(project, stack.stack)
            names = promises(loaded.spec, loaded.placement, targets)
            prices = policy_prices(loaded, estimated(loaded, project), names, targets)
        except BadInput:
            continue
        found += [f"{one.stack}: {one.sentence}" for one in prices]
    return tuple(found)


def _refuse_contradictions(asked: Asked) -> None:
    """Raises: BadInput: a program and a state at once."""
    if asked.states and (asked.stacks or asked.program is not None):
        message = "judges what was deployed; leave out STACKS and --program"
        raise BadInput([Problem("--state", message)])


def _is_for(file: Path, subjects: tuple[Subject, ...]) -> bool:
    """Whether a configuration file belongs to the repository of every program judged."""
    repository = file.resolve().parent.parent
    return all(subject.project.resolve().is_relative_to(repository) for subject in subjects)


def _subjects(asked: Asked) -> tuple[Subject, ...]:
    """The stacks to judge. What is wrong in a spec is said before any engine starts.

    Raises:
        BadInput: every problem of every stack.
    """
    if asked.program is not None:
        return subjects_of(asked.program.resolve(), asked.stacks)
    project = find_project()
    problems: list[Problem] = []
    names = tuple(dict.fromkeys(asked.stacks)) or stack_names(project)
    for name in names:
        try:
            plan_stack(load_stack(project, name))
        except BadInput as error:
            problems += error.problems
    if problems and not _uses_portway(project):
        message = (
            "no stack here names a spec; to judge a program of any kind: portway gate --program ."
        )
        raise BadInput([Problem("", message, str(project))])
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))
    return tuple(Subject(project, name) for name in names)


def _uses_portway(project: Path) -> bool:
    files = stacks_folder(project).glob("Pulumi.*.yaml")
    return any("portway:" in file.read_text(encoding="utf-8", errors="replace") for file in files)
