"""Advice for people: one table of places, why the dearer ones lose, what breaks even, what is refused."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from portway.advice.advice import Advice
from portway.advice.candidate import Candidate, Refusal
from portway.errors import Problem

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_MOST_REGIONS = 4


def show(on: "Console", found: Advice, top: int) -> None:
    """Print ``found``, with the ``top`` best places."""
    spec = found.comparison.spec
    boundary = "any region" if spec.residency is None else " and ".join(spec.residency)
    daily = f"{found.traffic.requests_per_day:,} requests a day"
    on.print(f"[bold]{spec.name}[/]  [dim]{spec.model}, {boundary}, {daily}, USD a month[/]")
    places = _best_of_each_place(found)
    listed = places[:top]
    if listed:
        on.print()
        on.print(_table(found, listed))
        _note_left_out(on, found, len(places) - len(listed))
    losers = [one for one in listed if found.why_not[one]]
    if losers:
        _section(on, "why not", (_why_not(found, one) for one in losers))
    if found.break_evens:
        _section(on, "break-even", (Text(one.sentence) for one in found.break_evens))
    refused = found.comparison.refused
    if refused:
        _section(on, f"refused: {len(refused)} places", _grouped(refused))


def _best_of_each_place(found: Advice) -> list[Candidate]:
    """The best scaling of each target and region, best first."""
    best: dict[tuple[str, str], Candidate] = {}
    for one in found.comparison.candidates:
        best.setdefault((one.target, one.region), one)
    return list(best.values())


def _table(found: Advice, listed: list[Candidate]) -> "RenderableType":
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("target", style="cyan", no_wrap=True)
    table.add_column("region", no_wrap=True)
    table.add_column("min-max", justify="right", no_wrap=True)
    table.add_column("paid for", no_wrap=True, style="dim")
    for heading in ("expected", "ceiling", "cold start", "busy"):
        table.add_column(heading, justify="right", no_wrap=True)
    best = found.comparison.recommended
    for one in listed:
        is_best = one is best
        table.add_row(*_cells(one, is_best=is_best), style="bold green" if is_best else "")
    return table


def _cells(one: Candidate, *, is_best: bool) -> tuple[str, ...]:
    cold, used = one.cold_start_seconds, one.utilisation
    return (
        "→" if is_best else "",
        one.target,
        one.region,
        f"{one.scaling.min}-{one.scaling.max}",
        one.kind.value,
        f"{one.monthly.expected:,.2f}",
        f"{one.monthly.ceiling:,.2f}",
        "unknown" if cold is None else "none" if cold == 0 else f"{cold} s",
        "" if used is None else f"{used:.1%}",
    )


def _note_left_out(on: "Console", found: Advice, left_out: int) -> None:
    scalings = len(found.comparison.candidates)
    more = f"{left_out} more places with --top; " if left_out else ""
    on.print(f"[dim]{more}the best of each place is shown, of {scalings} compared[/]")


def _why_not(found: Advice, one: Candidate) -> Text:
    return Text.assemble((f"{one.where}: ", "cyan"), "; ".join(found.why_not[one]))


def _grouped(refused: tuple[Refusal, ...]) -> Iterator[Text]:
    """Places that are refused alike, in one sentence."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in refused:
        said = "; ".join(dict.fromkeys(_said(reason, one.region) for reason in one.reasons))
        groups.setdefault((one.target, said), []).append(one.region)
    for (target, said), regions in groups.items():
        named = ", ".join(regions[:_MOST_REGIONS])
        if len(regions) > _MOST_REGIONS:
            named += f" and {len(regions) - _MOST_REGIONS} more"
        yield Text.assemble((f"{target} in {named}: ", "cyan"), said)


def _said(reason: Problem, region: str) -> str:
    """The reason without its own region, so that the same reason reads the same."""
    message = reason.message
    for theirs, ours in ((f" in {region!r}", " there"), (f" in {region}", " there")):
        message = message.replace(theirs, ours)
    message = message.replace(f"{region} is outside", "outside").replace(f"{region!r} ", "it ")
    needs_subject = message.startswith(("is ", "has ", "times "))
    return f"{reason.path} {message}" if needs_subject else message


def _section(on: "Console", title: str, texts: Iterator[Text]) -> None:
    on.print()
    on.print(f"[bold]{escape(title)}[/]")
    for text in texts:
        row = Table.grid(padding=(0, 1))
        row.add_column()
        row.add_column()
        row.add_row("[dim]·[/]", text)
        on.print(Padding(row, (0, 0, 0, 1)))
