"""``portway plan``: prints what the target intends to create, as data."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import click

from portway.cli.output import console, output_options
from portway.spec.load import load_stack, plan_stack
from portway.spec.project import find_project

if TYPE_CHECKING:
    from rich.tree import Tree

WIDEST = 1000
"""Columns: a digest or a URL stays in one piece; a terminal wraps it without adding spaces."""


@click.command()
@click.argument("stack")
@output_options
def command(*, stack: str, as_json: bool, no_color: bool) -> None:
    """Print the plan of STACK: every resource its target intends to create, as data.

    Pure: no network, no Pulumi, no credentials. ``--json`` prints the plan exactly as a component
    receives it. Exit code 2 where the target cannot honour the spec.
    """
    plan = plan_stack(load_stack(find_project(), stack))
    if as_json:
        click.echo(plan.model_dump_json(indent=2))
        return
    from rich.tree import Tree  # noqa: PLC0415 - only people need it

    tree = Tree(f"[bold]{stack}[/]", guide_style="dim")
    _grow(tree, plan.model_dump(mode="json"))
    console(no_color=no_color, width=WIDEST).print(tree)


def _grow(tree: "Tree", values: Mapping[str, Any]) -> None:
    """Hang ``values`` on ``tree``: short ones on one line, groups as branches, absent ones not."""
    from rich.markup import escape  # noqa: PLC0415 - only people need it

    for name, value in values.items():
        label = f"[cyan]{escape(name)}[/]"
        branches = _branches(value)
        if branches is not None:
            _grow(tree.add(label), branches)
        elif value not in (None, [], {}):
            tree.add(f"{label}  {escape(_line(value))}")


def _branches(value: object) -> Mapping[str, Any] | None:
    if isinstance(value, dict) and value:
        return cast("Mapping[str, Any]", value)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if any(isinstance(item, dict | list) or " " in str(item) for item in items):
            return {_title(item, place): item for place, item in enumerate(items, 1)}
    return None


def _title(item: object, place: int) -> str:
    name = cast("dict[str, Any]", item).get("name", "") if isinstance(item, dict) else ""
    return f"{place} {name}".strip()


def _line(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(str, cast("list[object]", value)))
    return str(value)
