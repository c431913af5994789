"""``portway up`` of a front door after a migration: nobody's traffic moves unless somebody says so."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import pytest

from portway.cli.up_door import DEPLOYED, agreed
from portway.errors import Missing
from portway.portability.migration import Outcome, Story
from portway.portability.move import Move
from support.command_line import CommandLine
from support.desk import STACK_NAME, Desk

if TYPE_CHECKING:
    from portway.portability.door_stack import DeployedDoor

A, B, C = "chat.prod.x", "chat.prod.y", "chat.prod.z"
MOVE = Move("chat", "prod", A, B, "chat.prod.door")
MOVED = Story(MOVE, outcome=Outcome.MOVED)


class PaperDoor:
    """Where requests go, and what the engine would read."""

    def __init__(self, written: Mapping[str, int], obeyed: Mapping[str, int] | None) -> None:
        self.written = dict(written)
        self.obeyed = obeyed

    def configured(self) -> dict[str, int]:
        return self.written

    def weights(self) -> Mapping[str, int]:
        if self.obeyed is None:
            raise Missing("chat.prod.door does not answer")
        return self.obeyed

    def write(self, weights: Mapping[str, int]) -> None:
        self.written = dict(weights)

    def brought_up(self, story: Story | None, told: str | None = None) -> str:
        return agreed(cast("DeployedDoor", self), story, told)


def test_traffic_that_a_migration_moved_is_not_moved_back_by_an_old_file() -> None:
    assert PaperDoor({A: 100}, {A: 0, B: 100}).brought_up(MOVED) == (
        f"chat.prod.door sends 100 % to {B}, and the migration from {A} to {B} left it so; its "
        f"configuration says 100 % to {A}. --weights deployed keeps what requests obey now, --weights "
        "file takes what is written"
    )


def test_nor_is_traffic_that_a_migration_gave_back() -> None:
    story = Story(MOVE, going_back=True, outcome=Outcome.ROLLED_BACK)
    assert f"sends 100 % to {A}" in PaperDoor({A: 50, B: 50}, {A: 100}).brought_up(story)


def test_while_a_migration_moves_traffic_its_weights_are_its_own() -> None:
    under_way = Story(MOVE, touched=frozenset({"preflight", "deploy", "shift-5"}))
    said = PaperDoor({A: 100}, {A: 95, B: 5}).brought_up(under_way)
    assert "has not ended; --resume or --rollback sets the weights" in said


@pytest.mark.parametrize(
    ("story", "written", "obeyed"),
    [
        (None, {A: 100}, {C: 100}),
        (MOVED, {B: 100}, {A: 0, B: 100}),
        (MOVED, {A: 100}, {C: 100}),
        (MOVED, {A: 100}, None),
        (Story(MOVE, outcome=Outcome.STOPPED), {A: 100}, {C: 100}),
        (Story(MOVE, touched=frozenset({"preflight"})), {A: 100}, {C: 100}),
    ],
    ids=["no migration", "the same", "changed since", "no answer", "stopped", "nothing moved yet"],
)
def test_weights_that_no_migration_set_are_taken_from_the_file(
    story: Story | None, written: Mapping[str, int], obeyed: Mapping[str, int] | None
) -> None:
    assert PaperDoor(written, obeyed).brought_up(story) == ""


def test_told_to_keep_what_is_deployed_it_is_written_where_the_engine_reads() -> None:
    door = PaperDoor({A: 100}, {B: 100})
    assert door.brought_up(MOVED, DEPLOYED) == ""
    assert door.written == {A: 0, B: 100}
    silent = PaperDoor({A: 100}, None)
    assert "is not known" in silent.brought_up(MOVED, DEPLOYED)
    assert silent.written == {A: 100}


def test_only_a_front_door_has_weights(desk: Desk, portway: CommandLine) -> None:
    desk.stack()
    ran = portway("up", STACK_NAME, "--weights", "deployed")
    assert (ran.code, ran.out) == (2, "")
    assert f"is of front doors, and {STACK_NAME} is none" in ran.err
