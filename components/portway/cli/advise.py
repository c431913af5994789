"""``portway advise``: the cheapest lawful place for a spec, and why the others lose."""

from pathlib import Path

import click

from portway.advice.advice import Advice, advise
from portway.cli.output import console, output_options, print_json, print_problems
from portway.cli.price import targets_of
from portway.errors import BadInput, Missing, Problem
from portway.pricing.freshness import stale
from portway.spec.document import shown
from portway.spec.load import LoadedSpec, load_spec
from portway.spec.project import find_project

_PLACES = 8


@click.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(min=1), default=_PLACES, show_default=True,
              help="How many places to show.")  # fmt: skip
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE.png",
              help="Draw cost against requests a day.")  # fmt: skip
@output_options
def command(*, spec: Path, top: int, plot: Path | None, as_json: bool, no_color: bool) -> int:
    """Compare every target, region and sensible scaling for the spec in the file SPEC.

    The one to take is the cheapest that is expected for the declared traffic, inside the boundary and
    with its ceiling within the budget. Pure: no network, no Pulumi, no credentials. Exit code 1 where
    no place can be advised.
    """
    if plot is not None:
        _refuse_unwritable(plot)
    loaded = load_spec(spec)
    found = _advised(loaded)
    if as_json:
        print_json(found.as_document())
    else:
        from portway.cli.advise_output import show  # noqa: PLC0415 - rich is for people only

        show(console(no_color=no_color), found, top)
    warnings = (*found.warnings, *filter(None, (_stale(found),)))
    problems = [Problem("", one, loaded.document.file) for one in warnings]
    print_problems(problems, no_color=no_color)
    if plot is not None and found.comparison.considered:
        _draw(found, plot)
        click.echo(f"{shown(plot)}: written", err=True)
    return 0 if found.comparison.recommended else 1


def _advised(loaded: LoadedSpec) -> Advice:
    try:
        return advise(loaded.spec, targets_of(_project()))
    except BadInput as error:
        places = [one.at(loaded.document.where((one.path,))) for one in error.problems]
        raise BadInput(places) from None


def _stale(found: Advice) -> str:
    """On old rates among those that the comparison used, or nothing."""
    used = (
        line.rate
        for one in found.comparison.considered
        for line in one.estimate.lines
        if line.rate is not None
    )
    return stale(used)


def _project() -> Path | None:
    """The project whose rates count; none where a spec lies outside of one."""
    try:
        return find_project()
    except BadInput:
        return None


def _draw(found: Advice, plot: Path) -> None:
    try:
        from portway.cli.advise_plot import draw  # noqa: PLC0415 - matplotlib is slow to import
    except ImportError as error:
        message = (
            f"--plot needs matplotlib ({error}); install it with `pip install 'portway[plot]'`"
        )
        raise Missing(message) from None
    draw(found, plot)


def _refuse_unwritable(plot: Path) -> None:
    reason = ""
    if plot.suffix.lower() != ".png":
        reason = "is no PNG; give it a name that ends in .png"
    elif plot.is_dir():
        reason = "is a folder; name a file"
    elif not plot.resolve().parent.is_dir():
        reason = "its folder does not exist; make it first"
    if reason:
        raise BadInput([Problem("--plot", reason, shown(plot))])
