"""``portway up``: ``pulumi up`` with both packs, never over what an interrupted one left."""

import subprocess
from pathlib import Path
from tempfile import NamedTemporaryFile

import click

from portway.cli.output import say
from portway.cli.recover import print_recovery
from portway.cli.stack_place import StackPlace, place_of
from portway.engine.evidence import Decisions
from portway.engine.recovery import Recovery, plan_recovery
from portway.spec.project import find_project, stack_file


@click.command()
@click.argument("stack")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("--yes", is_flag=True, help="Update without asking, after the preview.")
@click.option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same.")
@click.pass_context
def command(
    context: click.Context, *, stack: str, options: tuple[str, ...], yes: bool, no_color: bool
) -> None:
    """Run `pulumi up` for STACK with both policy packs, once nothing is left of earlier operations.

    Uses the sandbox where PULUMI_BACKEND_URL points at it (`eval "$(portway sandbox env)"`), else
    your own pulumi and login. OPTIONS after `--` are given to pulumi.
    """
    project = find_project()
    stack_file(project, stack)
    place = place_of(project, stack)
    left = _left(place)
    if left is not None and not left.at_rest:
        print_recovery(left, place.said, no_color=no_color, err=True)
        say(
            f"Nothing was started. `portway recover {stack}` settles it.",
            no_color=no_color, err=True, fg="red",
        )  # fmt: skip
        context.exit(1)
    words = [*(["--yes"] if yes else []), *(["--color", "never"] if no_color else []), *options]
    context.exit(_run(place, project, words, is_new=left is None))


def _left(place: StackPlace) -> Recovery | None:
    """What is left of earlier operations; None for a stack that was never brought up.

    Raises:
        Missing: the state cannot be read.
    """
    from portway.engine.state import NoStack, NoState  # noqa: PLC0415 - needs Pulumi

    try:
        return plan_recovery(place.state.stack, place.look()[1], Decisions())
    except (NoStack, NoState):
        return None


def _run(place: StackPlace, project: Path, words: list[str], *, is_new: bool) -> int:
    """Run it with this process's own terminal; 0 when it ended well, 1 otherwise."""
    from portway.engine.stack import Pack, pack_words  # noqa: PLC0415 - needs Pulumi
    from portway.gate.run import PACKS  # noqa: PLC0415 - as above
    from portway.gate.workshop import config_files, policies_folder  # noqa: PLC0415 - as above

    folder, configured = policies_folder(project), config_files([project])
    packs = [Pack(folder / name, configured.get(name)) for name in PACKS]
    state = place.state
    pulumi = str(state.engine.path)
    if is_new and place.clouds is not None:
        _call([pulumi, "stack", "init", state.stack], place)
    with NamedTemporaryFile("w", suffix=".json") as empty:
        empty.write("{}")
        empty.flush()
        given = [*pack_words(packs, empty.name), *words]
        return min(_call([pulumi, "up", "--stack", state.stack, *given], place), 1)


def _call(words: list[str], place: StackPlace) -> int:
    state = place.state
    process = subprocess.Popen(words, cwd=state.folder, env=dict(state.environment))
    while True:
        try:
            return abs(process.wait())
        except KeyboardInterrupt:
            continue  # the terminal has told the engine too: it finishes what is in flight and saves
