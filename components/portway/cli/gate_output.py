"""What ``portway gate`` shows people: progress while it works, then the verdicts and why."""

import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from portway.cli.output import console, is_plain, say
from portway.gate.report import GateReport, Kind
from portway.gate.run import StackReport, Verdict

COLOURS = {Verdict.PASSED: "green", Verdict.REFUSED: "red", Verdict.FAILED: "magenta"}


@contextmanager
def progress(total: int, *, no_color: bool) -> Generator[Callable[[StackReport], object]]:
    """Show on stderr how far the run is; nothing at all where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second that not every verb needs
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    err = Console(stderr=True, no_color=is_plain(no_color=no_color) or None)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    lock = threading.Lock()
    with Progress(*columns, console=err, transient=True) as shown:
        task = shown.add_task("judging", total=total)

        def done(report: StackReport) -> None:
            with lock:
                colour = COLOURS[report.verdict]
                line = f"[{colour}]{report.verdict:<7}[/] {escape(report.stack)}"
                shown.console.print(line, highlight=False)
                shown.advance(task)

        yield done


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
