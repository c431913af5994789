"""``portway recover``: what an interrupted ``pulumi up`` left, and bringing the stack to rest."""

import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import click

from portway.cli.output import output_options, print_json, say
from portway.cli.stack_place import BACKEND, StackPlace, place_of
from portway.engine.evidence import Decisions
from portway.engine.recover import Unresolved
from portway.engine.recovery import Recovery, plan_recovery
from portway.spec.project import find_project

_NEVER: Final = "never"


@click.command()
@click.argument("stack")
@click.option(
    "--adopt",
    multiple=True,
    metavar="URN=ID",
    help="This interrupted create happened: the cloud has it under that ID.",
)
@click.option(
    "--never-happened",
    "never",
    multiple=True,
    metavar="URN",
    help="This interrupted create never happened: the cloud does not have it.",
)
@click.option(
    "--release-lock",
    is_flag=True,
    help="Remove locks whose process cannot be seen from here; make sure that it is gone.",
)
@click.option(
    "--backend",
    metavar="URL",
    help=f"Where the state is; default: {BACKEND}, else the sandbox, else the login of pulumi.",
)
@click.option("--yes", is_flag=True, help="Do what is proposed without asking.")
@output_options
@click.pass_context
def command(
    context: click.Context, *, stack: str, adopt: tuple[str, ...], never: tuple[str, ...],
    release_lock: bool, backend: str | None, yes: bool, as_json: bool, no_color: bool,
) -> None:  # fmt: skip
    """Say what an interrupted `pulumi up` of STACK left, and bring the stack to rest, with consent.

    Reads locks, pending operations and, in the sandbox, the clouds. Exit code 0 where nothing is
    left, 1 where something is.
    """
    place = place_of(find_project(), stack, backend, unless_told="sandbox")
    document, seen = place.look()
    decisions = Decisions(adopt, never, release_lock)
    made = plan_recovery(stack, seen, decisions)
    asks = not as_json and not yes and sys.stdin.isatty()
    if not as_json:
        print_recovery(made, place.said, no_color=no_color)
    if asks and not made.blocked and any(item.decidable for item in made.left):
        made = plan_recovery(stack, seen, _asked(made, decisions))
    agreed = bool(made.steps) and not made.blocked and (yes or (asks and _agrees(made)))
    backup, failed, after = None, list[str](), made
    if agreed:
        backup = place.state.save(document, place.backups)
        failed = _attempt(
            lambda: place.state.bring_to_rest(made, seen.deployment, document, place.backups)
        )
        after = plan_recovery(stack, place.look()[1], Decisions())
    if as_json:
        print_json(_document(made, after, place, agreed=agreed, backup=backup, failed=failed))
    else:
        _print_end(made, after, agreed=agreed, backup=backup, failed=failed, no_color=no_color)
    context.exit(0 if after.at_rest and not failed else 1)


def _attempt(act: Callable[[], list[str]]) -> list[str]:
    try:
        return act()
    except Unresolved as error:
        return [str(error)]


def _asked(made: Recovery, decisions: Decisions) -> Decisions:
    """The decisions, and those that a person makes now."""
    adopt, never = list(decisions.adopt), list(decisions.never)
    for item in made.left:
        if item.decidable:
            asked = f"{item.urn}\n  its ID in the cloud, {_NEVER!r}, or nothing to leave it"
            said = str(click.prompt(asked, default="", show_default=False)).strip()
            if said == _NEVER:
                never.append(item.urn)
            elif said:
                adopt.append(f"{item.urn}={said}")
    return replace(decisions, adopt=tuple(adopt), never=tuple(never))


def _agrees(made: Recovery) -> bool:
    count = len(made.steps)
    what = "this step" if count == 1 else f"these {count} steps"
    for step in made.steps:
        click.echo(f"  {step.urn or 'lock'}: {step.does}")
    return click.confirm(f"Do {what}? The state is saved first", default=False)


def print_recovery(made: Recovery, where: str, *, no_color: bool, err: bool = False) -> None:
    """What happened, what is proposed (→), and what only the user can decide (?)."""
    say(f"stack {made.stack} {where}", no_color=no_color, err=err, bold=True)
    for step in made.steps:
        say(f"- {step.what}", no_color=no_color, err=err)
        say(f"  → {step.does}", no_color=no_color, err=err, fg="green")
    for item in made.left:
        say(f"- {item.what}", no_color=no_color, err=err)
        for way in item.ways:
            say(f"  ? {way}", no_color=no_color, err=err, fg="yellow")


def _print_end(
    made: Recovery, after: Recovery, *, agreed: bool, backup: Path | None, failed: list[str],
    no_color: bool,
) -> None:  # fmt: skip
    if backup is not None:
        say(f"The state as it was: {backup}", no_color=no_color)
    for text in failed:
        say(f"- {text}", no_color=no_color, fg="red")
    if after.at_rest and not failed:
        done = "Everything was resolved." if agreed else "Nothing is left of earlier operations."
        say(done, no_color=no_color, fg="green")
        return
    if not agreed:
        said = "Nothing was done."
        if made.blocked:
            said = "Nothing was done: the stack's lock comes first."
        elif made.steps:
            said = "Nothing was done; --yes does what is proposed."
        say(said, no_color=no_color)
    if after.waits:
        text = (
            "What concerns creates waits until every one is decided: the engine drops all at once."
        )
        say(text, no_color=no_color)
    count = len(after.steps) + len(after.left)
    say(f"Unresolved: {count}. Run no `pulumi up` before.", no_color=no_color, fg="red")


def _document(
    made: Recovery, after: Recovery, place: StackPlace, *, agreed: bool, backup: Path | None,
    failed: list[str],
) -> dict[str, Any]:  # fmt: skip
    return {
        "stack": made.stack,
        "backend": place.state.backend,
        "clouds_read": place.clouds is not None,
        "at_rest": after.at_rest and not failed,
        "blocked": made.blocked,
        "steps": [_step(asdict(step)) for step in made.steps],
        "undecided": [asdict(item) for item in made.left],
        "applied": agreed,
        "backup": str(backup) if backup else None,
        "failed": failed,
        "left": [item.what for item in (*after.steps, *after.left)],
    }


def _step(step: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name != "command"}
