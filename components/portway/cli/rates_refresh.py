"""``portway rates refresh``: newer rates from the vendors' price lists."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from portway.cli.output import console, output_options, print_json
from portway.cli.target_option import target_option
from portway.errors import BadInput, Missing, Problem
from portway.price_lists.amazon import URL, Unmatched, UnreadableList, address, read_list
from portway.price_lists.refresh import FOLDER, Change, compare, merged, newer
from portway.price_lists.wanted import Lists, lists_of, offers
from portway.registry import load_target, registered
from portway.spec.project import find_project

if TYPE_CHECKING:
    from rich.console import RenderableType

_Found = Change | Unmatched
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")


@click.command("refresh")
@target_option
@click.option("--region", "regions", multiple=True, required=True,
              help="A region of AWS, such as eu-west-1; may be given more than once.")  # fmt: skip
@click.option("--from", "source", default=URL, show_default=True,
              help="Where the lists are: an address, or a folder with copies of them.")  # fmt: skip
@click.option("--write", is_flag=True, help="Keep what was found below policies/rates.")
@output_options
def command(
    *, target: str | None, regions: tuple[str, ...], source: str, write: bool,
    as_json: bool, no_color: bool,
) -> None:  # fmt: skip
    """Read the vendors' price lists, say what changed, and with --write keep it.

    Needs the internet and no credentials. What no list is read for is named, with where to look.
    Rates that are kept in policies/rates count in place of those that Portway ships.
    """
    _check(regions)
    folder = find_project() / FOLDER if write else Path()
    told: dict[str, list[_Found]] = {}
    for name in [target] if target else registered():
        lists = lists_of(name)
        told[name] = [one for region in regions for one in _found(lists, region, source)]
        if write:
            _keep(folder, name, told[name])
    if as_json:
        print_json({"targets": [_as_data(name, found) for name, found in told.items()]})
    else:
        _print(told, write=write, no_color=no_color)


def _found(lists: Lists, region: str, source: str) -> Iterator[_Found]:
    from portway.price_lists.fetch import lines_of  # noqa: PLC0415 - HTTP is slow to import

    table = load_target(lists.target).rates()
    for offer, wanted in offers(lists):
        click.echo(f"reading {offer} for {region}", err=True)
        with lines_of(address(offer, region, source.rstrip("/"))) as lines:
            try:
                yield from compare(read_list(lines, wanted, offer, region), table, region)
            except UnreadableList as error:
                raise Missing(f"the list is not as documented: {error}") from None


def _check(regions: tuple[str, ...]) -> None:
    wrong = [one for one in regions if not _REGION.fullmatch(one)]
    if wrong:
        message = "is no region of AWS; give one such as eu-west-1"
        raise BadInput([Problem("--region", f"{one[:40]!r} {message}") for one in wrong])


def _keep(folder: Path, target: str, found: list[_Found]) -> None:
    changes = [one for one in found if isinstance(one, Change) and one.says != "same"]
    if not changes:
        return
    text = merged(folder, target, changes, datetime.now(UTC).date())
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f".{target}.{os.getpid()}"
    made.write_text(text, encoding="utf-8")
    made.replace(folder / f"{target}.json")
    newer(folder, target)


def _as_data(target: str, found: list[_Found]) -> dict[str, object]:
    return {
        "target": target,
        "by_hand": lists_of(target).by_hand,
        "rates": [_change(one) for one in found if isinstance(one, Change)],
        "unmatched": [
            {"sku": one.sku, "why": one.why} for one in found if isinstance(one, Unmatched)
        ],
    }


def _change(change: Change) -> dict[str, object]:
    was, now = change.was, change.now
    return {
        "sku": now.sku,
        "region": change.region,
        "unit": now.unit,
        "says": change.says,
        "was": None if was is None else f"{was.amount:f}",
        "was_grade": None if was is None else was.grade.value,
        "now": f"{now.tiers[0][1]:f}",
        "source": now.source,
        "as_of": now.as_of.isoformat(),
    }


def _print(told: dict[str, list[_Found]], *, write: bool, no_color: bool) -> None:
    on = console(no_color=no_color)
    for target, found in told.items():
        on.print(f"[bold]{target}[/]")
        if found:
            on.print(_table(found))
        on.print(f"[dim]by hand: {lists_of(target).by_hand}[/]\n")
    where = "kept in policies/rates" if write else "nothing was written; --write keeps what changed"
    on.print(f"[dim]{where}[/]")


def _table(found: list[_Found]) -> "RenderableType":
    from rich.table import Table  # noqa: PLC0415 - only people need it

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("rate", style="cyan", overflow="fold")
    table.add_column("region", no_wrap=True)
    table.add_column("was", justify="right", no_wrap=True)
    table.add_column("now", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for one in found:
        if isinstance(one, Unmatched):
            table.add_row(one.sku, "", "", "", f"[yellow]not taken: {one.why}[/]")
            continue
        was = "" if one.was is None else f"{one.was.amount.normalize():f}"
        now = f"{one.now.tiers[0][1].normalize():f}"
        table.add_row(one.now.sku, one.region, was, now, one.says)
    return table
