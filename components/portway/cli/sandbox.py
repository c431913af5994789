"""``portway sandbox``: start, stop and inspect the embedded clouds."""

import os
import shlex
from dataclasses import asdict
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from portway.cli.output import console, output_options, print_json, say
from portway.cli.sandbox_fault import fault
from portway.engine.teller import telling
from portway.errors import Missing
from portway.sandbox import control
from portway.sandbox.control import SandboxStatus, Serving
from portway.sandbox.which_kubernetes import Kubernetes
from portway.spec.project import find_project

_READINESS = {True: "[green]ready[/]", False: "[red]not ready[/]", None: "starting"}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """An embedded Google Cloud, AWS and Kubernetes on loopback. Nothing real is ever touched."""


command.add_command(fault)


@command.command()
@click.option(
    "--kubernetes",
    type=click.Choice([each.value for each in Kubernetes]),
    help="A real control plane, built with Go the first time, or the embedded API; kept from then on.",
)
@output_options
def start(*, kubernetes: str | None, as_json: bool, no_color: bool) -> None:
    """Start the embedded clouds; a second start changes nothing."""
    project = find_project()
    wanted = Kubernetes(kubernetes) if kubernetes else None
    with telling("sandbox") as teller:
        started = control.start(
            project, lambda text: say(text, no_color=no_color, err=True), wanted, teller
        )
    found = control.status(project)
    if as_json:
        print_json({"started": started, **_document(found)})
        return
    what = "started" if started else "already running"
    say(f"sandbox {what} (pid {found.pid}) in {found.root}", no_color=no_color)
    say('use it with plain pulumi:  eval "$(portway sandbox env)"', no_color=no_color)


@command.command()
@output_options
def stop(*, as_json: bool, no_color: bool) -> None:
    """Stop the embedded clouds and every process they started. What is deployed stays recorded."""
    ended = control.stop(find_project())
    if as_json:
        print_json({"ended": ended})
    elif ended:
        say(f"sandbox stopped; {ended} processes ended", no_color=no_color)
    else:
        say("the sandbox was not running", no_color=no_color)


@command.command()
@output_options
def status(*, as_json: bool, no_color: bool) -> None:
    """What is deployed, where it answers, and what runs."""
    found = control.status(find_project())
    if as_json:
        print_json(_document(found))
        return
    state = (
        f"running (pid {found.pid})"
        if found.pid
        else "not running; `portway sandbox start` starts it"
    )
    say(f"sandbox {found.root}: {state}", no_color=no_color)
    counts = ", ".join(f"{count} {cloud}" for cloud, count in sorted(found.resources.items()))
    say(f"deployed resources: {counts or 'none'}", no_color=no_color)
    say(f"kubernetes: {found.kubernetes.which} ({found.kubernetes.why})", no_color=no_color)
    if found.pid:
        say(f"processes: {found.processes} ({found.memory_mb} MB)", no_color=no_color)
    if found.serving:
        console(no_color=no_color).print(_table(found.serving))
    for stack, texts in found.unsettled.items():
        say(f"stack {stack} is not at rest:", no_color=no_color, bold=True)
        for text in texts:
            say(f"- {text}", no_color=no_color)
        say(f"`portway recover {stack}` proposes how to settle it and does it", no_color=no_color)


@command.command()
@click.argument("name", required=False)
@click.option(
    "-n",
    "--lines",
    default=50,
    show_default=True,
    type=click.IntRange(min=0),
    help="How many of the newest lines.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with lines as they come.")
@output_options
def logs(*, name: str | None, lines: int, follow: bool, as_json: bool, no_color: bool) -> None:
    """The log NAME, or every log: the daemon's, and one for each service that is deployed."""
    project = find_project()
    names = [name] if name else control.log_names(project)
    if not names:
        raise Missing("there are no logs yet; run `portway sandbox start`")
    if as_json and follow:
        raise click.UsageError("--json prints one document, so it cannot go with --follow")
    found = {each: control.last_lines(project, each, lines) for each in names}
    if as_json:
        print_json({"logs": found})
        return
    for each, last in found.items():
        if len(found) > 1:
            say(f"== {each}", no_color=no_color, bold=True)
        for line in last:
            click.echo(line)
    if follow:
        _follow(names, control.follow(project, names))


@command.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def env(*, as_json: bool) -> None:
    """Shell lines that make plain `pulumi` use the sandbox: eval "$(portway sandbox env)"."""
    from portway.engine.environment import difference  # noqa: PLC0415 - needs Pulumi

    closed = control.environment(find_project())
    to_set, to_unset = difference(closed, os.environ)
    if as_json:
        print_json({"set": to_set, "unset": list(to_unset)})
        return
    for variable in to_unset:
        click.echo(f"unset {shlex.quote(variable)}")
    for variable, value in sorted(to_set.items()):
        click.echo(f"export {variable}={shlex.quote(value)}")


def _follow(names: list[str], lines: Any) -> None:  # noqa: ANN401 - a generator of pairs
    try:
        for name, line in lines:
            click.echo(f"{name}: {line}" if len(names) > 1 else line)
    except KeyboardInterrupt:
        return


def _document(found: SandboxStatus) -> dict[str, Any]:
    document = asdict(found)
    return {**document, "root": str(found.root), "running": found.pid is not None}


def _table(serving: tuple[Serving, ...]) -> Table:
    table = Table("deployed", "endpoint", "instances", "state", box=None, pad_edge=False)
    for each in serving:
        state = _READINESS[each.ready]
        if each.message:
            state = f"{state}: {escape(each.message)}"
        table.add_row(escape(each.resource), each.endpoint or "-", str(each.instances), state)
    return table
