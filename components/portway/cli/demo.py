"""``portway demo``: the guided tour, in the sandbox, with no cloud account."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import click
from rich.table import Table

from portway.cli.output import console, output_options, print_json, say
from portway.cli.price import estimated
from portway.demo.ask import QUESTION
from portway.demo.tour import Stop, deploy_and_ask, refusals
from portway.engine.find import find_engine
from portway.errors import BadInput, Problem
from portway.gate.run import StackReport, Verdict
from portway.pricing.estimate import Monthly
from portway.sandbox import control
from portway.sandbox.layout import Layout
from portway.sandbox.which_kubernetes import Kubernetes, best
from portway.spec.load import load_stack
from portway.spec.project import find_project

REFUSED = Path("examples") / "refused"
UNEXPECTED = 1


@click.command()
@click.option(
    "--kubernetes",
    type=click.Choice([each.value for each in Kubernetes]),
    help="The real control plane where it is built, unless the embedded one is asked for.",
)
@output_options
def command(*, kubernetes: str | None, as_json: bool, no_color: bool) -> int:
    """Deploy the example service on all three targets, ask each a question, show two refusals.

    The real Pulumi engine runs against the sandbox on this machine, with both policy packs on. The
    sandbox stays up, so that you can go on from here; `portway sandbox stop` ends it.

    Exit code 0: all answered and both refused; 1: something else happened.
    """
    started_at = time.monotonic()
    project = find_project()
    if not (project / REFUSED).is_dir():
        raise BadInput([Problem("", f"{project} has no {REFUSED}; run the demo in a clone of Portway")])  # fmt: skip
    wanted = Kubernetes(kubernetes) if kubernetes else best(Layout.of_project(project))
    with ExitStack() as stack:
        tell = _teller(stack, no_color=no_color)
        # the gate has a sandbox of its own, so both can go on at once
        gate = stack.enter_context(ThreadPoolExecutor(1)).submit(refusals, project / REFUSED)
        control.start(project, tell, wanted)
        stops = deploy_and_ask(project, find_engine(), control.environment(project), tell)
        tell("gating two stacks that must be refused")
        reports = gate.result()
    if as_json:
        print_json(_document(stops, reports))
    else:
        _print(stops, reports, time.monotonic() - started_at, no_color=no_color)
    return 0 if all(report.verdict is Verdict.REFUSED for report in reports) else UNEXPECTED


def _teller(stack: ExitStack, *, no_color: bool) -> Callable[[str], None]:
    """Progress on stderr: a spinner that names the step on a terminal, a line a step elsewhere."""
    from rich.console import Console  # noqa: PLC0415 - only here, for a live line on stderr

    err = Console(stderr=True, highlight=False, emoji=False, no_color=no_color or None)
    if not err.is_terminal:
        return lambda text: say(f"demo: {text}", no_color=True, err=True)
    status = stack.enter_context(err.status("demo: starting"))
    return lambda text: status.update(f"demo: {text}")


def _print(
    stops: Sequence[Stop], reports: Sequence[StackReport], seconds: float, *, no_color: bool
) -> None:
    out = console(no_color=no_color)
    table = Table(box=None, pad_edge=False)
    for name in ("target", "region", "endpoint"):
        table.add_column(name, no_wrap=True)
    for name in ("first token", "USD a month"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for stop in stops:
        milliseconds = f"{stop.answer.first_token_seconds * 1000:.0f} ms"
        verdict = "[green]allowed, answered[/]"
        monthly = _shown(_monthly(stop.stack))
        table.add_row(stop.target, stop.region, stop.endpoint, milliseconds, monthly, verdict)
    for report in reports:
        target = report.stack.rpartition(".")[2]
        verdict = f"[red]{report.verdict}[/] by {_packs(report)}"
        table.add_row(target, _region(report), "nothing was created", "", "", verdict)
    out.print(table)
    for report in reports:
        for message in _messages(report)[:1]:
            say(f"\n{report.stack} is {report.verdict}:", no_color=no_color, bold=True)
            say(f"  {message}", no_color=no_color)
    say(f"\nasked: {QUESTION}", no_color=no_color)
    for stop in stops:
        say(f"{stop.target:>15}: {stop.answer.text}", no_color=no_color)
    say(f"\nTook {seconds:.0f} s. The sandbox is up. Next:", no_color=no_color, bold=True)
    for line in _NEXT:
        say(f"  {line}", no_color=no_color)


_NEXT = (
    "portway sandbox status                   what runs, and where",
    'eval "$(portway sandbox env)"            then plain pulumi: pulumi stack ls, pulumi up …',
    "portway plan chat.prod.cloud-run         what a target intends to create",
    "portway price chat.prod.cloud-run        what it costs a month, and what that assumes",
    "portway gate                             judge every stack, as CI does",
    "portway new                              a service of your own",
    "portway sandbox stop                     end everything",
)


def _monthly(stack: str) -> Monthly | None:
    project = find_project()
    return estimated(load_stack(project, stack), project).estimate.monthly


def _shown(monthly: Monthly | None) -> str:
    """What is expected and the most it can be, in whole dollars."""
    if monthly is None:
        return "unpriced"
    return f"{monthly.expected:,.0f} to {monthly.ceiling:,.0f}"


def _plain(monthly: Monthly | None) -> dict[str, str] | None:
    return None if monthly is None else monthly.as_document()


def _messages(report: StackReport) -> list[str]:
    if report.record is None or report.faults:
        return list(report.faults)
    return [f"[{one.rule}] {one.message}" for one in report.record.refusals]


def _packs(report: StackReport) -> str:
    refusals = () if report.record is None else report.record.refusals
    return ", ".join(dict.fromkeys(one.pack for one in refusals)) or "nobody"


def _region(report: StackReport) -> str:
    """The placement's region: a message need not name one."""
    return load_stack(find_project() / REFUSED, report.stack).placement.region


def _document(stops: Sequence[Stop], reports: Sequence[StackReport]) -> dict[str, object]:
    return {
        "answered": [
            {
                "stack": stop.stack, "target": stop.target, "region": stop.region,
                "endpoint": stop.endpoint, "model_identity": stop.model_identity,
                "first_token_seconds": round(stop.answer.first_token_seconds, 3),
                "up_seconds": round(stop.up_seconds, 1), "violations": stop.violations,
                "monthly_usd": _plain(_monthly(stop.stack)),
            }
            for stop in stops
        ],
        "refused": [
            {"stack": report.stack, "verdict": report.verdict.value, "messages": _messages(report)}
            for report in reports
        ],
    }  # fmt: skip
