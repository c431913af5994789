"""``portway up``: ``pulumi up`` with both packs, never over what an interrupted one left."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import click

from portway.cli.output import say
from portway.cli.recover import print_recovery
from portway.cli.stack_place import StackPlace, place_of
from portway.cli.up_door import DEPLOYED, FILE, is_front_door, settled_weights
from portway.cli.up_explained import print_explained
from portway.engine.evidence import Decisions
from portway.engine.recovery import Recovery, plan_recovery
from portway.spec.project import find_project

if TYPE_CHECKING:
    from portway.engine.command import Event

_NOTHING: Final[dict[str, Any]] = {"version": 3, "deployment": {}}
"""The state of a stack that was never brought up."""


@click.command()
@click.argument("stack")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("--yes", is_flag=True, help="Update without asking, after the preview.")
@click.option(
    "--weights",
    type=click.Choice([FILE, DEPLOYED]),
    help="Of a front door whose weights a migration changed: those of its file, or those that "
    "requests obey now. Without it, nothing is started where they differ.",
)
@click.option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same.")
@click.pass_context
def command(
    context: click.Context, *, stack: str, options: tuple[str, ...], yes: bool, weights: str | None,
    no_color: bool,
) -> None:  # fmt: skip
    """Run `pulumi up` for STACK with both policy packs, once nothing is left of earlier operations.

    Uses the sandbox where PULUMI_BACKEND_URL points at it (`eval "$(portway sandbox env)"`), else
    your own pulumi and login. OPTIONS after `--` are given to pulumi.
    """
    project = find_project()
    is_door = is_front_door(project, stack, weights)
    place = place_of(project, stack)
    document, left = _left(place)
    if left is not None and not left.at_rest:
        print_recovery(left, place.said, no_color=no_color, err=True)
        say(
            f"Nothing was started. `portway recover {stack}` settles it.",
            no_color=no_color, err=True, fg="red",
        )  # fmt: skip
        context.exit(1)
    objection = settled_weights(project, stack, place, weights) if is_door and document else ""
    if objection:
        say(f"Nothing was started: {objection}.", no_color=no_color, err=True, fg="red")
        context.exit(1)
    words = [*(["--yes"] if yes else []), *(["--color", "never"] if no_color else []), *options]
    events: list[Event] = []
    code = _run(place, project, words, document, events)
    if code:
        print_explained(stack, events, no_color=no_color)
    context.exit(code)


def _left(place: StackPlace) -> tuple[dict[str, Any] | None, Recovery | None]:
    """The state and what is left in it of earlier operations; None for a stack never brought up.

    Raises:
        Missing: the state cannot be read.
    """
    from portway.engine.state import NoStack, NoState  # noqa: PLC0415 - needs Pulumi

    try:
        document, evidence = place.look()
    except (NoStack, NoState):
        return None, None
    return document, plan_recovery(place.state.stack, evidence, Decisions())


def _run(
    place: StackPlace, project: Path, words: list[str], document: dict[str, Any] | None,
    events: list["Event"],
) -> int:  # fmt: skip
    """Run it with this process's own terminal; 0 when it ended well, 1 otherwise.

    The packs are told what is deployed (``document``; None: nothing), for a limit on the increase.
    What the engine does is added to ``events``.
    """
    from portway.engine.command import event_log  # noqa: PLC0415 - needs Pulumi
    from portway.engine.stack import Pack, pack_words  # noqa: PLC0415 - needs Pulumi
    from portway.gate.baseline import DEPLOYED  # noqa: PLC0415 - as above
    from portway.gate.run import PACKS  # noqa: PLC0415 - as above
    from portway.gate.workshop import config_files, policies_folder  # noqa: PLC0415 - as above

    folder, configured = policies_folder(project), config_files([project])
    packs = [Pack(folder / name, configured.get(name)) for name in PACKS]
    state = place.state
    pulumi = str(state.engine.path)
    if document is None and place.clouds is not None:
        _call([pulumi, "stack", "init", state.stack], dict(state.environment), place)
    with TemporaryDirectory() as temporary:  # for its owner only
        empty = Path(temporary) / "empty.json"
        empty.write_text("{}", encoding="utf-8")
        deployed = Path(temporary) / f"{state.stack}.json"
        deployed.write_text(json.dumps(_kept(document)), encoding="utf-8")
        environment = {**state.environment, DEPLOYED: str(deployed), "PULUMI_DEBUG_COMMANDS": "1"}
        with event_log(events) as recording:
            given = [*pack_words(packs, str(empty)), *recording, *words]
            return min(_call([pulumi, "up", "--stack", state.stack, *given], environment, place), 1)


def _kept(document: dict[str, Any] | None) -> dict[str, Any]:
    """The state; of a stack that was made and never brought up, one that holds nothing."""
    return document if document is not None and document.get("deployment") else _NOTHING


def _call(words: list[str], environment: dict[str, str], place: StackPlace) -> int:
    process = subprocess.Popen(words, cwd=place.state.folder, env=environment)
    while True:
        try:
            return abs(process.wait())
        except KeyboardInterrupt:
            continue  # the terminal has told the engine too: it finishes what is in flight and saves
