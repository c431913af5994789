"""``portway up`` of a front door: what a migration did to its weights stays, unless told otherwise."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from portway.cli.stack_place import StackPlace
from portway.errors import BadInput, Missing, Problem
from portway.portability.door_weights import would_undo
from portway.portability.keeping import Kept
from portway.portability.migration import Story, fold
from portway.spec.document import read_document
from portway.spec.project import stack_file
from portway.spec.stack_file import DOOR_KEY

if TYPE_CHECKING:
    from portway.portability.door_stack import DeployedDoor

FILE, DEPLOYED = "file", "deployed"
_PARTS: Final = 2


def is_front_door(project: Path, stack: str, told: str | None) -> bool:
    """Whether ``stack`` is a front door.

    Raises:
        BadInput: it is none, and ``told`` says which weights it shall have.
    """
    config = read_document(stack_file(project, stack)).data.get("config")
    is_door = isinstance(config, dict) and DOOR_KEY in config
    if told and not is_door:
        raise BadInput([Problem("--weights", f"is of front doors, and {stack} is none")])
    return is_door


def settled_weights(project: Path, stack: str, place: StackPlace, told: str | None) -> str:
    """Why the door must not be brought up; "" where it may.

    Raises:
        Missing: the journal of the newest migration cannot be read, or the configuration cannot.
    """
    from portway.engine.stack import Stack  # noqa: PLC0415 - needs Pulumi
    from portway.portability.door_stack import DeployedDoor  # noqa: PLC0415 - as above

    if told == FILE:
        return ""
    journal = Kept.of(project, *stack.split(".", _PARTS)[:_PARTS]).newest()
    if journal is None and told is None:
        return ""
    state = place.state
    door = DeployedDoor(Stack(state.folder, stack, state.engine, state.environment), ())
    return agreed(door, None if journal is None else fold(journal.records), told)


def agreed(door: "DeployedDoor", story: Story | None, told: str | None) -> str:
    """Why ``door`` must not be brought up after the migration ``story``; "" where it may.

    Told ``deployed``, the weights by which requests go now are written where the engine reads them.
    """
    written = door.configured()
    try:
        deployed = door.weights()
    except Missing as error:
        if told is None:
            return ""  # a door that does not answer sends nobody anywhere
        return f"{error}, so by which weights requests go is not known"
    if told == DEPLOYED:
        door.write({**dict.fromkeys(written, 0), **deployed})
        return ""
    why = would_undo(story, written, deployed)
    return why and (
        f"{why}. --weights {DEPLOYED} keeps what requests obey now, --weights {FILE} takes what is "
        "written"
    )
