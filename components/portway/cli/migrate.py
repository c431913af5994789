"""``portway migrate``: moves a live service from one stack to another, step by step, and back."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from portway.cli.compare import both_sides
from portway.cli.migrate_output import EventLog, follower, plan_text, print_status, status_document
from portway.cli.output import output_options, print_json, say
from portway.errors import BadInput, PortwayError, Problem
from portway.portability.compare import compare
from portway.portability.guards import Limits
from portway.portability.journal import Journal
from portway.portability.keeping import Kept, may_resume, refuse_another, same_move
from portway.portability.migration import Outcome
from portway.portability.move_plan import UNKNOWN, MovePlan, plan_move
from portway.spec.load import load_stack
from portway.spec.project import find_project

_WAYS: Final = ("plan", "resume", "rollback", "status", "rehearse")


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    project: Path
    source: str
    destination: str
    way: str
    yes: bool
    keep_source: bool | None
    evacuate: bool
    events: Path | None
    prompts: Path | None
    backend: str | None
    clients: int | None
    as_json: bool
    no_color: bool

    @property
    def service(self) -> tuple[str, str]:
        """Name and environment, as the source's stack is called."""
        name, _, rest = self.source.partition(".")
        return name, rest.partition(".")[0]

    @property
    def kept(self) -> Kept:
        """The service's migrations."""
        return Kept.of(self.project, *self.service)


def _ways() -> list[click.Option]:
    helps = {
        "plan": "Print every step, what it costs and how it is undone; change nothing.",
        "resume": "Go on with a migration that was interrupted, in the direction it had.",
        "rollback": "Undo a migration: all traffic back to the source first.",
        "status": "Say how far the newest migration of the service is; change nothing.",
        "rehearse": "Do the whole move in a sandbox of its own, under load, and say what to expect.",
    }
    return [click.Option([f"--{way}"], is_flag=True, help=helps[way]) for way in _WAYS]


@click.command(params=_ways())
@click.argument("stack_a")
@click.argument("stack_b")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option(
    "--accept-identity",
    type=click.Choice([UNKNOWN]),
    help="Move although one end does not publish its weights or precision.",
)
@click.option(
    "--keep-source/--retire-source",
    "keep_source",
    default=None,
    help="What becomes of STACK_A in the end. Kept, unless said otherwise.",
)
@click.option(
    "--evacuate",
    is_flag=True,
    help="With --resume, once STACK_A is lost: leave out what needs it.",
)
@click.option(
    "--prompts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.jsonl",
    help="Recorded prompts to compare the answers to, one JSON object a line; default: a few of ours.",
)
@click.option(
    "--events",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append one JSON line for whatever happens: step, state, at, detail.",
)
@click.option(
    "--max-errors",
    type=click.FloatRange(0, 1),
    default=Limits.errors,
    show_default=True,
    help="The share of synthetic requests that may fail.",
)
@click.option(
    "--max-slower",
    type=click.FloatRange(1),
    default=Limits.slower,
    show_default=True,
    help="How many times as long the first token may take (a second more is always allowed).",
)
@click.option(
    "--min-likeness",
    type=click.FloatRange(0, 1),
    default=Limits.likeness,
    show_default=True,
    help="How alike answers must be where the identity is unknown; otherwise they must be the same.",
)
@click.option(
    "--clients",
    type=click.IntRange(1, 200),
    help="With --rehearse: how many clients ask all the time; default: half of what STACK_A is "
    "declared to answer at once.",
)
@click.option("--backend", metavar="URL", help="Where the state is; default: as `portway recover`.")
@output_options
@click.pass_context
def command(
    context: click.Context, *, stack_a: str, stack_b: str, yes: bool, accept_identity: str | None,
    keep_source: bool | None, evacuate: bool, prompts: Path | None, events: Path | None,
    max_errors: float, max_slower: float, min_likeness: float, clients: int | None, backend: str | None,
    as_json: bool, no_color: bool, **ways: bool,
) -> None:  # fmt: skip
    """Move the service behind its front door from STACK_A to STACK_B without a failed request.

    Every step is written to a journal before and after: killed anywhere, --resume goes on, and
    --rollback gives all traffic back to STACK_A. Clients use the door, the stack
    <service>.<env>.door, and change nothing.

    Exit code 0: moved; 1: stopped, rolled back or waiting for a decision; 2: bad input; 3: something
    is missing or broken.
    """
    way = _one_way(ways)
    asked = Asked(
        find_project(), stack_a, stack_b, way, yes, keep_source, evacuate, events, prompts, backend,
        clients, as_json, no_color,
    )  # fmt: skip
    _refuse_contradictions(asked)
    if way == "status":
        _print_status(asked)
        return
    limits = Limits(max_errors, max_slower, Limits.allowance_seconds, min_likeness)
    plan = _planned(asked, limits, accept_unknown=accept_identity == UNKNOWN)
    if way == "plan":
        _print_plan(asked, plan)
        context.exit(1 if plan.objections else 0)
    if way == "go":
        refuse_another(asked.kept.newest(), plan.move)
    if plan.objections and way in {"go", "rehearse"}:
        context.exit(_objected(asked, plan))
    if way == "rehearse":
        from portway.cli.migrate_rehearse import rehearsed  # noqa: PLC0415 - needs Pulumi

        context.exit(rehearsed(asked, plan))
    context.exit(_carried_out(asked, plan))


def _objected(asked: Asked, plan: MovePlan) -> int:
    for text in plan.objections:
        say(f"- {text}", no_color=asked.no_color, err=True)
    said = "Nothing was done: the move must not begin."
    say(said, no_color=asked.no_color, err=True, fg="red")
    return 1


def _one_way(ways: dict[str, bool]) -> str:
    given = [way for way in _WAYS if ways.get(way)]
    if len(given) > 1:
        words = " and ".join(f"--{way}" for way in given)
        raise click.UsageError(f"{words} are different things to do; give one")
    return given[0] if given else "go"


def _refuse_contradictions(asked: Asked) -> None:
    problems: list[Problem] = []
    if asked.evacuate and asked.way != "resume":
        problems.append(Problem("--evacuate", "goes with --resume, once the source is lost"))
    if asked.keep_source is not None and asked.way == "rollback":
        message = "a rollback returns to the source; leave --keep-source and --retire-source out"
        problems.append(Problem("--rollback", message))
    if problems:
        raise BadInput(problems)


def _planned(asked: Asked, limits: Limits, *, accept_unknown: bool) -> MovePlan:
    """What a move would be. Raises: BadInput: a stack is not one."""
    made = compare(*both_sides(asked.project, asked.source, asked.destination))
    first, second = (
        load_stack(asked.project, stack).placement for stack in (asked.source, asked.destination)
    )
    return plan_move(
        made, (first, second), keep_source=asked.keep_source is not False,
        accept_unknown=accept_unknown, limits=limits,
    )  # fmt: skip


def _print_plan(asked: Asked, plan: MovePlan) -> None:
    if asked.as_json:
        print_json(plan.as_document())
    else:
        click.echo("\n".join(plan_text(plan)))


def _print_status(asked: Asked) -> None:
    journal = asked.kept.newest()
    if asked.as_json:
        print_json(status_document(journal))
    else:
        print_status(journal, ".".join(asked.service), no_color=asked.no_color)


def _carried_out(asked: Asked, plan: MovePlan) -> int:
    """Begin, resume or roll back; returns the exit code."""
    from portway.cli.migrate_tools import Workplace  # noqa: PLC0415 - needs Pulumi
    from portway.portability.migrate import run  # noqa: PLC0415 - as above

    _may(asked, plan, asked.kept.newest())
    if not _agreed(asked, plan):
        return 1
    place = Workplace(asked.project, plan, asked.backend, asked.prompts)
    with ExitStack() as stack:
        lease = stack.enter_context(place.lease(asked.kept))
        # looked at again: somebody may have begun one, or ended it, before the lease was ours
        newest = asked.kept.newest()
        _may(asked, plan, newest)
        journal = _opened(asked, plan, newest, lease.token)
        say(f"journal: {journal.name}", no_color=asked.no_color, err=True)
        tools, log = place.tools(lease), EventLog(asked.events)
        tell = stack.enter_context(follower(no_color=asked.no_color))
        try:
            outcome = run(journal, tools, lambda told: (tell(told), log(told)))
        except (PortwayError, KeyboardInterrupt):
            _say_ways(asked)
            raise
    if asked.as_json:
        print_json(status_document(journal))
    else:
        _print_end(asked, plan, outcome)
    return 0 if outcome is Outcome.MOVED else 1


def _may(asked: Asked, plan: MovePlan, newest: Journal | None) -> None:
    """Raises: BadInput: what is asked for does not fit the newest migration of the service."""
    if asked.way == "go":
        refuse_another(newest, plan.move)
        return
    journal = same_move(newest, asked.source, asked.destination)
    if asked.way == "resume":
        may_resume(journal, changes_end=asked.keep_source is False)


def _opened(asked: Asked, plan: MovePlan, newest: Journal | None, token: int) -> Journal:
    """The journal to go by, with what is asked for written into it."""
    from portway.portability.migrate import begin, resume, turn  # noqa: PLC0415 - needs Pulumi

    if newest is None or asked.way == "go":
        journal = asked.kept.make(plan.move)
        begin(journal, plan.move, token)
        return journal
    if asked.way == "resume":
        resume(newest, token, keep_source=asked.keep_source, evacuate=asked.evacuate)
    else:
        turn(newest, token, "a person said --rollback")
    return newest


def _agreed(asked: Asked, plan: MovePlan) -> bool:
    if asked.yes:
        return True
    if not asked.as_json and asked.way == "go":
        click.echo("\n".join(plan_text(plan)))
    if sys.stdin.isatty() and not asked.as_json:
        what = {"go": "Do all of this", "resume": "Go on", "rollback": "Undo the migration"}[
            asked.way
        ]
        return click.confirm(f"{what}?", default=False)
    say("Nothing was done; --yes is the consent.", no_color=asked.no_color, err=True)
    return False


def _say_ways(asked: Asked) -> None:
    words = f"portway migrate {asked.source} {asked.destination}"
    text = f"The migration is not finished: {words} --status, then --resume or --rollback."
    say(text, no_color=asked.no_color, err=True, fg="yellow")


def _print_end(asked: Asked, plan: MovePlan, outcome: Outcome) -> None:
    move = plan.move
    colour = "green" if outcome is Outcome.MOVED else "yellow"
    if outcome is Outcome.STOPPED:
        text = "Stopped before anything was changed."
    elif outcome is Outcome.ROLLED_BACK:
        text = f"Rolled back: {move.source} has all traffic."
    else:
        text = f"Moved: {move.destination} has all traffic."
    say(text, no_color=asked.no_color, fg=colour)
    if outcome is Outcome.MOVED and move.keep_source and asked.keep_source is not False:
        hourly = plan.as_document()["usd_per_hour"]["source"]
        cost = "" if hourly is None else f", for {hourly} USD an hour"
        say(
            f"{move.source} still runs{cost}. To end it: portway migrate {move.source} "
            f"{move.destination} --resume --retire-source",
            no_color=asked.no_color,
        )
