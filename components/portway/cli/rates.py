"""``portway rates``: what the vendors charge, who says so, and how old that is."""

from datetime import UTC, date, datetime

import click

from portway.cli.output import console, output_options, print_json
from portway.cli.rates_refresh import command as refresh
from portway.cli.target_option import target_option
from portway.errors import BadInput
from portway.price_lists.refresh import FOLDER, with_newer
from portway.pricing.money import CURRENCY
from portway.pricing.rate import Rate, RateTable, oldest
from portway.registry import load_target, registered
from portway.spec.project import find_project

_Row = tuple[str, Rate]


@click.group(invoke_without_command=True)
@target_option
@click.option("--region", help="Only the rates that count in this region.")
@output_options
@click.pass_context
def command(
    context: click.Context, *, target: str | None, region: str | None, as_json: bool, no_color: bool
) -> None:
    """List the rates behind every estimate: unit, region, amount, source, grade and age.

    A rate in region * was read from a source that names no region; it stands here with the highest
    regional mark-up known of its vendor already on it, and counts wherever no other rate does.
    """
    if context.invoked_subcommand:
        return
    today = datetime.now(UTC).date()
    rows = [
        (name, rate)
        for name in ([target] if target else registered())
        for rate in _listed(_counted(name), region)
    ]
    if as_json:
        first = oldest(rate for _, rate in rows)
        document = {
            "currency": CURRENCY,
            "rates_as_of": None if first is None else first.isoformat(),
            "rates": [_as_data(name, rate, today) for name, rate in rows],
        }
        print_json(document)
        return
    _print(rows, today, no_color=no_color)


command.add_command(refresh)


def _counted(target: str) -> RateTable:
    """What counts here: in a project, also the rates that it keeps itself."""
    shipped = load_target(target)
    try:
        project = find_project()
    except BadInput:
        return shipped.rates()
    return with_newer(shipped, project / FOLDER).rates()


def _listed(table: RateTable, region: str | None) -> list[Rate]:
    if region is None:
        return list(table)
    names = dict.fromkeys(rate.sku for rate in table)
    return [rate for sku in names if (rate := table.find(sku, region)) is not None]


def _as_data(target: str, rate: Rate, today: date) -> dict[str, object]:
    """One rate for programs; amounts are decimal text."""
    return {
        "target": target,
        "sku": rate.sku,
        "region": rate.region,
        "unit": rate.unit,
        "amount": f"{rate.amount:f}",
        "tiers": [
            {"up_to": None if one.up_to is None else f"{one.up_to:f}", "amount": f"{one.amount:f}"}
            for one in rate.tiers
        ],
        "currency": CURRENCY,
        "source": rate.source,
        "as_of": None if rate.as_of is None else rate.as_of.isoformat(),
        "age_days": age_days(rate, today),
        "grade": rate.grade.value,
        "note": rate.note,
    }


def age_days(rate: Rate, today: date) -> int | None:
    """How long ago ``rate`` was read."""
    return None if rate.as_of is None else (today - rate.as_of).days


def _print(rows: list[_Row], today: date, *, no_color: bool) -> None:
    from rich.table import Table  # noqa: PLC0415 - only people need it

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("rate", style="cyan", overflow="fold", max_width=40)
    table.add_column("USD", justify="right", no_wrap=True)
    table.add_column("a", style="dim", no_wrap=True)
    table.add_column("grade", no_wrap=True)
    table.add_column("days", justify="right", no_wrap=True)
    table.add_column("regions", overflow="fold")
    last = ""
    for (name, sku, amount, unit, grade, days), regions in _grouped(rows, today).items():
        if name != last:
            table.add_row(f"[bold]{name}[/]")
            last = name
        shown = f"[yellow]{grade}[/]" if grade == "unconfirmed" else grade
        table.add_row(sku, amount, unit, shown, str(days), " ".join(regions))
    on = console(no_color=no_color)
    on.print(table)
    first = oldest(rate for _, rate in rows)
    said = f"{len(rows)} rates" + ("" if first is None else f", the oldest read on {first}")
    on.print(f"\n[dim]{said}; * is any region with no rate of its own; --json shows sources[/]")


def _grouped(rows: list[_Row], today: date) -> dict[tuple[str, ...], list[str]]:
    """Regions by all that a reader sees beside them; rates of a sort stay together."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, rate in rows:
        amount = f"{rate.amount.normalize():f}"
        days = str(age_days(rate, today))
        key = (name, rate.sku, amount, rate.unit, rate.grade.value, days)
        found.setdefault(key, []).append(rate.region)
    return found
