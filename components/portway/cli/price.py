"""``portway price``: what a stack costs a month, at least, as expected and at most."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from portway.cli.output import console, output_options, print_json
from portway.estimates import PlanEstimate, estimate_plan
from portway.models import find
from portway.price_lists.refresh import FOLDER, with_newer
from portway.pricing.estimate import Line
from portway.pricing.freshness import stale
from portway.pricing.money import money_shown
from portway.pricing.rate import Rate
from portway.registry import load_target, registered
from portway.spec.load import Stack, load_stack, plan_stack
from portway.spec.project import find_project
from portway.target import Target

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from portway.advice.policy_price import PolicyPrice


@click.command()
@click.argument("stack")
@click.option(
    "--without",
    multiple=True,
    metavar="PROMISE",
    help="What residency, or an option such as zonal-redundancy, adds to the month. Repeatable.",
)
@output_options
@click.pass_context
def command(
    context: click.Context,
    *,
    stack: str,
    without: tuple[str, ...],
    as_json: bool,
    no_color: bool,
) -> None:
    """Estimate what STACK costs a month: with no traffic, as declared, and at its maximum.

    Pure: no network, no Pulumi, no credentials. Exit code 1 where something has no rate in the
    stack's region: then there is no total. Being over budget is for the gate to refuse.
    """
    project = find_project()
    loaded = load_stack(project, stack)
    found = estimated(loaded, project)
    if not found.has_traffic:
        advice = "is missing; declare requests_per_day to know what to expect"
        click.echo(f"{loaded.spec_file}: traffic: {advice}", err=True)
    for one in found.estimate.unpriced:
        click.echo(f"{stack}: {one.resource}: {one.item} is unpriced: {one.why}", err=True)
    if old := stale(_rates(found)):
        click.echo(f"{stack}: {old}", err=True)
    prices = policy_prices(loaded, found, without, targets_of(project)) if without else ()
    if as_json:
        added = {"policy_price": [one.as_document() for one in prices]} if without else {}
        print_json({**found.as_document(stack), **added})
    else:
        on = console(no_color=no_color)
        _print(on, stack, found)
        if prices:
            from portway.cli.price_policy import show  # noqa: PLC0415 - only people need it

            show(on, stack, prices)
    context.exit(1 if found.estimate.unpriced else 0)


def _rates(found: PlanEstimate) -> Iterator[Rate]:
    """Every rate that was used for something."""
    return (line.rate for line in found.estimate.lines if line.rate is not None)


def estimated(loaded: Stack, project: Path) -> PlanEstimate:
    """The estimate of a stack that was read, at the rates that ``project`` keeps and those shipped.

    Raises:
        BadInput: its target refuses the spec at its placement, or a rates file of the project is none.
    """
    target = with_newer(load_target(loaded.placement.target), project / FOLDER)
    return estimate_plan(target, plan_stack(loaded), loaded.spec, find(loaded.spec.model))


def targets_of(project: Path | None) -> tuple[Target, ...]:
    """Every target, with the rates that ``project`` keeps; with those shipped where there is none.

    Raises:
        BadInput: a rates file of the project is none.
    """
    shipped = tuple(load_target(name) for name in registered())
    if project is None:
        return shipped
    return tuple(with_newer(target, project / FOLDER) for target in shipped)


def policy_prices(
    loaded: Stack, found: PlanEstimate, without: Iterable[str], targets: Sequence[Target]
) -> "tuple[PolicyPrice, ...]":
    """What each promise in ``without`` adds to a stack; nothing where the stack itself has no total.

    Raises:
        BadInput: one of them is no promise, or none that the stack makes.
    """
    from portway.advice.policy_price import policy_price  # noqa: PLC0415 - only where it is asked for

    here = found.estimate.monthly
    if here is None:
        return ()
    return tuple(
        policy_price(loaded.name, loaded.spec, loaded.placement, here, one, targets)
        for one in dict.fromkeys(without)
    )


def _print(on: "Console", stack: str, found: PlanEstimate) -> None:
    from rich.padding import Padding  # noqa: PLC0415 - only people need it

    made = found.estimate
    as_of = "" if made.rates_as_of is None else f", rates as of {made.rates_as_of}"
    on.print(
        f"[bold]{stack}[/]  [dim]{found.plan.target} in {found.plan.region}, USD a month{as_of}[/]"
    )
    on.print()
    on.print(_totals(found))
    on.print()
    on.print(_lines(found))
    billed = {line.resource for line in made.lines if line.rate is not None}
    free = sorted({line.resource for line in made.lines} - billed)
    if free:
        on.print()
        on.print(f"[dim]no charge: {', '.join(free)}[/]")
    if made.assumptions:
        on.print()
        on.print("[bold]assumed[/]")
    for sentence in made.assumptions:
        on.print(Padding(_bullet(sentence), (0, 0, 0, 1)))


def _bullet(sentence: str) -> "RenderableType":
    from rich.table import Table  # noqa: PLC0415 - only people need it
    from rich.text import Text  # noqa: PLC0415 - the same

    row = Table.grid(padding=(0, 1))
    row.add_column()
    row.add_column()
    row.add_row("[dim]·[/]", Text(sentence))
    return row


def _totals(found: PlanEstimate) -> "RenderableType":
    from rich.table import Table  # noqa: PLC0415 - only people need it

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    monthly = found.estimate.monthly
    if monthly is None:
        table.add_row("total", "[red]none[/]", "something below has no rate")
        return table
    table.add_row("floor", _money(monthly.floor), "no traffic at all")
    if found.has_traffic:
        low = "" if monthly.expected_low == monthly.expected else _low(monthly.expected_low)
        table.add_row(
            "expected", f"[bold]{_money(monthly.expected)}[/]", f"the declared traffic{low}"
        )
    table.add_row("ceiling", _money(monthly.ceiling), "everything at its maximum all month")
    budget = found.plan.monthly_budget_usd
    if budget is not None:
        over = monthly.ceiling - budget
        mark = "the ceiling is below it" if over else "the ceiling is all of it"
        if over > 0:
            mark = f"[red]the ceiling is {money_shown(over)} above it[/]"
        table.add_row("budget", _money(budget), mark)
    return table


def _low(amount: Decimal) -> str:
    return f"; {_money(amount)} if idle instances are released at once"


def _lines(found: PlanEstimate) -> "RenderableType":
    from rich.table import Table  # noqa: PLC0415 - only people need it

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("resource", style="cyan", no_wrap=True)
    table.add_column("item", no_wrap=True)
    for heading in ("quantity", "rate"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("a", no_wrap=True, style="dim")
    table.add_column("monthly", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, style="dim")
    for line in found.estimate.lines:
        if line.rate is not None:
            table.add_row(*_cells(line))
    for one in found.estimate.unpriced:
        table.add_row(one.resource, one.item, "", "", "", "[red]unpriced[/]", "")
    return table


def _cells(line: Line) -> tuple[str, ...]:
    rate = line.rate
    amount = "" if rate is None else f"{rate.amount.normalize():f}"
    note = line.reason or ("" if rate is None else _grade(rate.grade.value))
    return (line.resource, line.item, quantity_shown(line.quantity), amount, line.unit,
            _money(line.monthly), note)  # fmt: skip


def _grade(grade: str) -> str:
    return grade if grade == "unconfirmed" else ""


def quantity_shown(quantity: Decimal) -> str:
    """Whole units from a hundred on, three significant digits below."""
    if abs(quantity) >= 100 or quantity == 0:  # noqa: PLR2004 - as said
        return f"{quantity:,.0f}"
    return f"{float(quantity):.3g}" if abs(quantity) >= Decimal("0.001") else f"{quantity:.1e}"


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"
