"""``portway probe``: whether an endpoint does what OpenAI's clients rely on."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from portway.cli.output import console, output_options, print_json
from portway.cli.progress import progress
from portway.conformance.check import Ended, Result, run_checks
from portway.conformance.endpoint import Endpoint
from portway.conformance.suite import chosen
from portway.errors import BadInput, Problem

if TYPE_CHECKING:
    from rich.console import Console

KEY_VARIABLE: Final = "PORTWAY_API_KEY"
_MARKS: Final = {Ended.HELD: "green", Ended.DECLINED: "yellow", Ended.BROKEN: "red"}


@click.command()
@click.argument("url")
@click.option(
    "--api-key", "key", help=f"The key; - reads it from standard input. Better: ${KEY_VARIABLE}."
)
@click.option("--model", required=True, help="A model that the endpoint lists.")
@click.option("--only", "patterns", multiple=True, help="Checks to run, such as 'stream-*'.")
@click.option(
    "--at-once",
    type=click.IntRange(1, 32),
    default=4,
    show_default=True,
    help="Checks side by side.",
)
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(0.1, 3600),
    default=60.0,
    show_default=True,
    help="Seconds for one answer.",
)
@output_options
@click.pass_context
def command(
    context: click.Context, *, url: str, key: str | None, model: str, patterns: tuple[str, ...],
    at_once: int, timeout_seconds: float, as_json: bool, no_color: bool,
) -> None:  # fmt: skip
    """Ask the endpoint at URL everything that OpenAI's clients rely on, and say what breaks.

    Works with any OpenAI-compatible endpoint, and costs some hundred short answers of its model. An
    ability that an endpoint may lack, such as tools, can be declined by a clear refusal. Exit code 1
    where a claim does not hold.
    """
    checks = chosen(patterns)
    with (
        Endpoint(_address(url), _key(key), model, timeout_seconds) as endpoint,
        progress(len(checks), "asking", no_color=no_color) as step,
    ):
        results = run_checks(endpoint, checks, lambda _: step(""), at_once)
    broken = [one for one in results if one.ended is Ended.BROKEN]
    if as_json:
        print_json(_document(url, model, results))
    else:
        _print(console(no_color=no_color), results)
    context.exit(1 if broken else 0)


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise BadInput([Problem("URL", f"is {url!r}; give an address with http:// or https://")])
    return url


def _key(given: str | None) -> str:
    if given == "-":
        given = sys.stdin.readline().strip()
    key = given if given is not None else os.environ.get(KEY_VARIABLE, "")
    if not key or not key.isascii() or not key.isprintable():
        message = f"is missing or no line of text; set {KEY_VARIABLE}, or give --api-key"
        raise BadInput([Problem("--api-key", message)])
    return key


def _document(url: str, model: str, results: Sequence[Result]) -> dict[str, object]:
    return {
        "url": url,
        "model": model,
        **{one.value: sum(result.ended is one for result in results) for one in Ended},
        "checks": [result.as_document() for result in results],
    }


def _print(on: "Console", results: Sequence[Result]) -> None:
    from rich.table import Table  # noqa: PLC0415 - only people need it
    from rich.text import Text  # noqa: PLC0415 - the same

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column("check", no_wrap=True)
    table.add_column("claim", overflow="fold", ratio=1)
    for one in results:
        claim = Text(one.check.claim)
        if one.detail:
            claim.append(f"\n{one.detail}", style=_MARKS[one.ended])
        table.add_row(Text(one.ended.value, style=_MARKS[one.ended]), one.check.id, claim)
    on.print(table)
    counts = ", ".join(
        f"{sum(result.ended is one for result in results)} {one.value}" for one in Ended
    )
    on.print(f"\n{len(results)} checks: {counts}")
