"""What every verb prints with: the two options all of them have, JSON, problems, a console."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from portway.errors import Problem

if TYPE_CHECKING:
    from rich.console import Console

MAX_WIDTH = 100

_Function = TypeVar("_Function", bound=Callable[..., Any])


def output_options(function: _Function) -> _Function:
    """Give a verb ``--json`` (as ``as_json``) and ``--no-color`` (as ``no_color``)."""
    function = click.option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same.")(
        function
    )
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(
        function
    )


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def is_plain(*, no_color: bool) -> bool:
    """Whether colours are unwanted: the option or the environment says so."""
    return no_color or bool(os.environ.get("NO_COLOR"))


def say(text: str, *, no_color: bool, err: bool = False, **style: Any) -> None:  # noqa: ANN401 - click's own
    """One line, styled where colours are wanted and the stream is a terminal."""
    styled = click.style(text, **style) if style else text
    click.echo(styled, err=err, color=False if is_plain(no_color=no_color) else None)


def console(*, no_color: bool, width: int | None = None) -> "Console":
    """A rich console on stdout: ``width`` columns, or the terminal's, or 100 where there is none."""
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second that not every verb needs

    plain = is_plain(no_color=no_color)
    made = Console(no_color=plain or None, highlight=False, emoji=False, width=width)
    if width is None and not made.is_terminal:
        made.width = MAX_WIDTH
    return made


def print_problems(problems: Iterable[Problem], *, no_color: bool) -> None:
    """Problems on stderr, one a line, each once."""
    for problem in dict.fromkeys(problems):
        where = f"{problem.where}: " if problem.where else ""
        path = f"{problem.path}: " if problem.path else ""
        plain = is_plain(no_color=no_color)
        head = click.style(where, bold=True) + click.style(path, fg="yellow")
        click.echo(head + problem.message, err=True, color=False if plain else None)


def problem_as_json(problem: Problem) -> Mapping[str, str | int | None]:
    """A problem for programs: file and line apart."""
    file, colon, line = (problem.where or "").rpartition(":")
    has_line = bool(colon) and line.isdigit()
    return {
        "file": (file if has_line else problem.where) or None,
        "line": int(line) if has_line else None,
        "path": problem.path or None,
        "message": problem.message,
    }
