"""``portway gate``: previews with both policy packs on; no login, no credentials, no network."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from portway.cli.output import console, output_options, print_json, say
from portway.errors import BadInput, Problem
from portway.gate.record import Reported
from portway.gate.run import (
    StackReport,
    Subject,
    Verdict,
    load_policies,
    run_gate,
    subjects_of,
)
from portway.gate.workshop import policies_folder, workshop
from portway.spec.load import load_stack, plan_stack
from portway.spec.project import find_project, stack_names

_EXIT_CODES = {Verdict.PASSED: 0, Verdict.REFUSED: 1, Verdict.FAILED: 3}
_COLOURS = {Verdict.PASSED: "green", Verdict.REFUSED: "red", Verdict.FAILED: "magenta"}


@click.command()
@click.argument("stacks", nargs=-1)
@click.option(
    "--program",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Judge this Pulumi Python program instead, also one that uses none of our components.",
)
@output_options
def command(*, stacks: tuple[str, ...], program: Path | None, as_json: bool, no_color: bool) -> int:
    """Preview STACKS (all, when none is named) with both packs on, and say what they refuse.

    The real engine runs the program against stand-in plugins in a folder that is thrown away:
    no login, no credentials, no network, and nothing is created. The packs and their configuration
    are those in ``policies/``.

    Exit code 0: every stack passed; 1: a rule refused; 2: bad input or configuration; 3: a stack
    could not be judged wholly, which is never a pass.
    """
    policies = load_policies(policies_folder(_project()))
    subjects = subjects_of(program.resolve(), stacks) if program else _own(stacks)

    def progress(report: StackReport) -> None:
        say(f"{report.stack}: {report.verdict}", no_color=no_color, err=True)

    with workshop() as place:
        reports = run_gate(subjects, policies, place, progress)
    if as_json:
        print_json(as_document(reports))
    else:
        _print(reports, no_color=no_color)
    return max(_EXIT_CODES[report.verdict] for report in reports)


def as_document(reports: Sequence[StackReport]) -> dict[str, object]:
    """The report for programs."""
    return {
        "passed": all(report.verdict is Verdict.PASSED for report in reports),
        "stacks": [
            {
                "stack": report.stack,
                "verdict": report.verdict.value,
                "judged": report.judged,
                "violations": [_violation(one) for one in _refusals(report)],
                "advice": [_violation(one) for one in _advice(report)],
                "faults": list(report.faults),
            }
            for report in reports
        ],
    }


def _violation(said: Reported) -> dict[str, str]:
    return {
        "rule": said.rule,
        "pack": said.pack,
        "resource": said.resource,
        "urn": said.urn,
        "message": said.message,
    }


def _own(stacks: tuple[str, ...]) -> tuple[Subject, ...]:
    """Stacks of this project. What is wrong in a spec is said before any engine starts.

    Raises:
        BadInput: every problem of every stack.
    """
    project = find_project()
    problems: list[Problem] = []
    names = tuple(dict.fromkeys(stacks)) or stack_names(project)
    for name in names:
        try:
            plan_stack(load_stack(project, name))
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))
    return tuple(Subject(project, name) for name in names)


def _project() -> Path | None:
    try:
        return find_project()
    except BadInput:
        return None


def _print(reports: Sequence[StackReport], *, no_color: bool) -> None:
    out = console(no_color=no_color)
    table = Table("stack", "resources judged", "refused", "verdict", box=None, pad_edge=False)
    for report in reports:
        colour = _COLOURS[report.verdict]
        table.add_row(
            escape(report.stack),
            str(report.judged),
            str(len(_refusals(report))),
            f"[{colour}]{report.verdict}[/]",
        )
    out.print(table)
    for report in reports:
        for one in _refusals(report):
            _line(report.stack, f"[{one.rule or one.policy}]", one.message, no_color=no_color)
        for one in _advice(report):
            _line(
                report.stack, f"advice [{one.rule or one.policy}]", one.message, no_color=no_color
            )
        for fault in report.faults:
            _line(report.stack, "not judged:", fault, no_color=no_color)


def _line(stack: str, lead: str, text: str, *, no_color: bool) -> None:
    say("", no_color=no_color)
    say(f"{stack}: {lead}", no_color=no_color, bold=True)
    say(f"  {text}", no_color=no_color)


def _refusals(report: StackReport) -> Sequence[Reported]:
    return () if report.record is None else report.record.refusals


def _advice(report: StackReport) -> Sequence[Reported]:
    return () if report.record is None else report.record.advice
