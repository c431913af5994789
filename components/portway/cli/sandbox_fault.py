"""``portway sandbox fault``: rehearse what goes wrong in real clouds, and end it again."""

from pathlib import Path

import click
from rich.table import Table

from portway.cli.output import console, output_options, print_json, say
from portway.errors import BadInput, Problem
from portway.sandbox.layout import Layout
from portway.sandbox.rehearsals import (
    REHEARSALS,
    clear_rehearsals,
    rehearsed,
    set_rehearsal,
)
from portway.spec.project import find_project


@click.command("fault")
@click.argument("name", required=False)
@click.option("--times", type=click.IntRange(min=1), help="Strike so often, then never again.")
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True),
    help="Last so long from when it strikes first.",
)  # fmt: skip
@click.option("--clear", is_flag=True, help="End NAME, or everything that is set.")
@output_options
def fault(
    *, name: str | None, times: int | None, seconds: float | None, clear: bool,
    as_json: bool, no_color: bool,
) -> None:  # fmt: skip
    """Let NAME go wrong in the sandbox until it is cleared. Without NAME: what there is, what is set."""
    folder = Layout.of_project(find_project()).rehearsed
    if (name is None or clear) and (times is not None or seconds is not None):
        raise BadInput([Problem("--times, --seconds", "go with a NAME that is set")])
    if clear:
        ended = clear_rehearsals(folder, name)
        what = f"no longer set: {', '.join(ended)}" if ended else "nothing was set"
        print_json({"cleared": ended}) if as_json else say(what, no_color=no_color)
    elif name is not None:
        path = set_rehearsal(folder, name, times, seconds)
        if as_json:
            print_json({"set": name, "file": str(path)})
        else:
            found = REHEARSALS[name]
            say(f"set: {found.says}. It strikes: {found.strikes}.", no_color=no_color)
            say(f"end it with  portway sandbox fault {name} --clear", no_color=no_color)
    else:
        _list(folder, as_json=as_json, no_color=no_color)


def _list(folder: Path, *, as_json: bool, no_color: bool) -> None:
    now = rehearsed(folder)
    if as_json:
        print_json({
            "faults": [
                {"name": name, "says": one.says, "strikes": one.strikes, "set": name in now}
                for name, one in REHEARSALS.items()
            ]
        })  # fmt: skip
        return
    table = Table("", "fault", "what goes wrong", "strikes", box=None, pad_edge=False)
    for name, one in REHEARSALS.items():
        table.add_row("[red]set[/]" if name in now else "", name, one.says, one.strikes)
    console(no_color=no_color).print(table)
