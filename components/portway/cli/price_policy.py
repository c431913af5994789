"""The price of a promise for people: the stack beside the cheapest placement without it."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from portway.advice.policy_price import PolicyPrice

if TYPE_CHECKING:
    from rich.console import Console


def show(on: "Console", stack: str, prices: Iterable[PolicyPrice]) -> None:
    """Print each of ``prices`` of ``stack``."""
    for one in prices:
        on.print()
        on.print(f"[bold]without {one.without}[/]  [dim]what {one.promise} adds to {stack}[/]")
        on.print()
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for heading in ("", "target", "region"):
            table.add_column(heading, no_wrap=True)
        for heading in ("expected", "it adds", "ceiling", "it adds"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in _rows(one):
            table.add_row(*row)
        on.print(table)


def _rows(price: PolicyPrice) -> Iterator[tuple[str, ...]]:
    here = price.here
    yield ("this stack", "", "", f"{here.expected:,.2f}", "", f"{here.ceiling:,.2f}", "")
    places = [("without, same target", price.same_target)]
    if price.all_targets != price.same_target:
        places.append(("without, all targets", price.all_targets))
    if price.inside is not None:
        places.append(("with it, same target", price.inside))
    for name, place in places:
        if place is None:
            yield (name, "", "", "unpriced", "", "", "")
            continue
        monthly = place.monthly
        yield (
            name,
            place.target,
            place.region,
            f"{monthly.expected:,.2f}",
            f"{here.expected - monthly.expected:,.2f}",
            f"{monthly.ceiling:,.2f}",
            f"{here.ceiling - monthly.ceiling:,.2f}",
        )
