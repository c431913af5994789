"""What ``portway gate`` shows people: the verdicts and why."""

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from portway.cli.output import console, say
from portway.gate.report import GateReport, Kind
from portway.gate.run import StackReport, Verdict

COLOURS = {Verdict.PASSED: "green", Verdict.REFUSED: "red", Verdict.FAILED: "magenta"}


def judged_line(report: StackReport) -> str:
    """What is left behind when one stack is judged."""
    return f"[{COLOURS[report.verdict]}]{report.verdict:<7}[/] {escape(report.stack)}"


def show(report: GateReport, *, no_color: bool) -> None:
    """The table of verdicts, then every refusal, piece of advice, fault and note."""
    out = console(no_color=no_color)
    table = Table("stack", "resources judged", "refused", "verdict", box=None, pad_edge=False)
    for stack in report.stacks:
        refused = [one for one in report.said(stack) if one.kind is Kind.REFUSED]
        verdict = f"[{COLOURS[stack.verdict]}]{stack.verdict}[/]"
        table.add_row(escape(stack.stack), str(stack.judged), str(len(refused)), verdict)
    out.print(table)
    for stack in report.stacks:
        for one in report.said(stack):
            lead = {Kind.REFUSED: "", Kind.EXEMPT: "exempt ", Kind.ADVICE: "advice "}[one.kind]
            _line(stack.stack, f"{lead}[{one.id}]", one.reported.message, no_color=no_color)
        for fault in stack.faults:
            _line(stack.stack, "not judged:", fault, no_color=no_color)
    for stack in report.stacks:
        if stack.costs is not None and stack.costs.change:
            _line(stack.stack, "costs", stack.costs.change, no_color=no_color)
    for note in report.notes:
        _line("note", "", note, no_color=no_color)
    say("", no_color=no_color)
    words = f"{report.headline}; {report.scope}"
    say(words, no_color=no_color, bold=True, fg=COLOURS[report.verdict])


def wrote(files: dict[str, Path], *, no_color: bool) -> None:
    """Say on stderr which reports were written."""
    for name, file in files.items():
        say(f"{name}: {file}", no_color=no_color, err=True)


def _line(stack: str, lead: str, text: str, *, no_color: bool) -> None:
    say("", no_color=no_color)
    say(f"{stack}: {lead}".rstrip(" "), no_color=no_color, bold=True)
    say(f"  {text}", no_color=no_color)
