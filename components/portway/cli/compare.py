"""``portway compare``: what moving a service from one stack to another changes."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from portway.cli.output import console, output_options, print_json
from portway.cli.price import estimated
from portway.errors import BadInput
from portway.models import find
from portway.portability.compare import Comparison, Difference, Relation, Side, Weight, compare
from portway.pricing.estimate import Monthly
from portway.registry import load_target
from portway.spec.load import load_stack
from portway.spec.project import find_project

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_FIGURES: Final = (("floor", "floor"), ("expected", "expected"), ("ceiling", "ceiling"))
_MARKS: Final = {Weight.BREAKS: "red", Weight.UNKNOWN: "yellow", Weight.CHANGES: "dim"}
_MODEL: Final = {
    Relation.EQUAL: "the same weights, revision and precision",
    Relation.DIFFERENT: "another model",
    Relation.UNKNOWN: "not knowable: one end does not publish revision or precision",
}


@click.command()
@click.argument("stack_a")
@click.argument("stack_b")
@click.option("--markdown", "markdown", is_flag=True, help="Write Markdown, for a pull request.")
@output_options
@click.pass_context
def command(
    context: click.Context, *, stack_a: str, stack_b: str, markdown: bool, as_json: bool, no_color: bool
) -> None:  # fmt: skip
    """Say what moving a service from STACK_A to STACK_B changes: model, abilities, boundary, price.

    Pure: no network, no Pulumi, no credentials. Exit code 1 where the move would break the spec of
    STACK_A: something it asks for that STACK_B does not give.
    """
    if markdown and as_json:
        raise click.UsageError("--markdown and --json are two forms of one answer; give one")
    project = find_project()
    made = compare(*both_sides(project, stack_a, stack_b))
    if as_json:
        print_json(made.as_document())
    elif markdown:
        click.echo("\n".join(_markdown(made)))
    else:
        _print(console(no_color=no_color), made)
    context.exit(1 if made.breaking else 0)


def both_sides(project: Path, *stacks: str) -> list[Side]:
    """Each of ``stacks``, read, planned and priced.

    Raises:
        BadInput: everything wrong with any of them.
    """
    sides: list[Side] = []
    problems: list[BadInput] = []
    for stack in stacks:
        try:
            sides.append(_side(project, stack))
        except BadInput as error:
            problems.append(error)
    if problems:
        every = [problem for error in problems for problem in error.problems]
        raise BadInput(list(dict.fromkeys(every)))
    return sides


def _side(project: Path, stack: str) -> Side:
    loaded = load_stack(project, stack)
    found = estimated(loaded, project)
    model, target = find(loaded.spec.model), load_target(loaded.placement.target)
    return Side(stack, loaded.spec, model, target, found.plan, found)


def _print(on: "Console", made: Comparison) -> None:
    on.print(f"[bold]{made.before.stack}[/] → [bold]{made.after.stack}[/]")
    on.print()
    on.print(f"model  {_MODEL[made.model]}")
    on.print()
    on.print(_prices(made))
    if made.both is not None:
        expected, most = f"{made.both.expected:,.2f}", f"{made.both.at_most:,.2f}"
        on.print(f"\n[dim]while both run: {expected} USD an hour, {most} at most[/]")
    on.print()
    on.print(_differences(made))
    on.print()
    count = len(made.breaking)
    said = (
        "[green]the move breaks nothing that the spec asks for[/]"
        if not count
        else f"[red]the move breaks the spec: {count} of the above[/]"
    )
    on.print(said)


def _prices(made: Comparison) -> "RenderableType":
    from rich.table import Table  # noqa: PLC0415 - only people need it

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("USD a month")
    for heading in ("now", "after", "change"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in _price_rows(made):
        table.add_row(*row)
    return table


def _price_rows(made: Comparison) -> list[tuple[str, str, str, str]]:
    now, after = made.before.monthly, made.after.monthly
    rows: list[tuple[str, str, str, str]] = []
    for name, field in _FIGURES:
        if field == "expected" and made.before.spec.traffic is None:
            continue
        one, other = _figure(now, field), _figure(after, field)
        change = "" if one is None or other is None else f"{other - one:+,.2f}"
        rows.append((name, _amount(one), _amount(other), change))
    return rows


def _figure(monthly: Monthly | None, field: str) -> Decimal | None:
    found: Decimal | None = None if monthly is None else getattr(monthly, field)
    return found


def _amount(usd: Decimal | None) -> str:
    return "unpriced" if usd is None else f"{usd:,.2f}"


def _differences(made: Comparison) -> "RenderableType":
    from rich.table import Table  # noqa: PLC0415 - only people need it
    from rich.text import Text  # noqa: PLC0415 - the same

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    for heading in ("what", "now", "after"):
        table.add_column(heading, overflow="fold", ratio=None if heading == "what" else 1)
    for one in _ordered(made):
        style = _MARKS[one.weight]
        after = Text(one.after)
        if one.because:
            after.append(f"\n{one.because}", style=style)
        table.add_row(Text(one.weight.value, style=style), one.what, Text(one.before), after)
    return table


def _ordered(made: Comparison) -> list[Difference]:
    order = list(Weight)
    return sorted(made.differences, key=lambda one: order.index(one.weight))


def _markdown(made: Comparison) -> list[str]:
    lines = [
        f"### {made.before.stack} → {made.after.stack}",
        "",
        "**The move breaks the spec.**" if made.breaking else "The move breaks nothing.",
        f"Model: {_MODEL[made.model]}.",
        "",
        "| USD a month | now | after | change |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {' | '.join(row)} |" for row in _price_rows(made)),
        "",
        "| | what | now | after |",
        "| --- | --- | --- | --- |",
    ]
    for one in _ordered(made):
        after = one.after + (f"<br>{one.because}" if one.because else "")
        cells = (one.weight.value, one.what, one.before, after)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    if made.both is not None:
        lines += [
            "",
            f"While both run: {made.both.expected:,.2f} USD an hour, {made.both.at_most:,.2f} at most.",
        ]
    return lines
