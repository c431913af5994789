"""``--target`` of the commands that can be asked of one target only."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from portway.registry import registered

_Function = TypeVar("_Function", bound=Callable[..., Any])
_HELP: Final = "Only the rates of one target."


class _TargetName(click.ParamType[str]):
    """A choice of what is registered when the command runs, not when its module was imported."""

    name = "target"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        return _choice().get_metavar(param, ctx)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        return _choice().convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _choice().shell_complete(ctx, param, incomplete)


def _choice() -> click.Choice[str]:
    return click.Choice(registered())


def target_option(function: _Function) -> _Function:
    """Give a verb ``--target``: the name of a target, or None."""
    return click.option("--target", type=_TargetName(), help=_HELP)(function)
