"""What stops a move, what turns it back, and what only a person decides."""

from dataclasses import replace

import pytest

from portway.errors import BadInput
from portway.portability.journal import Damaged, Journal, NotWritten
from portway.portability.migrate import Holding, Told
from portway.portability.migration import Kind, Outcome, Reaction, after_failure, fold
from portway.portability.move import Act, Move, every_step_back, steps_forward
from support.paper_move import PaperMove

MOVE = Move("chat", "prod", "chat.prod.x", "chat.prod.y", "chat.prod.door")
FORWARD = [
    "preflight", "deploy", "probe", "replay", "shift-5", "shift-25", "shift-50", "shift-100",
    "drain", "keep", "verify",
]  # fmt: skip


def steps_done(one: PaperMove) -> list[str]:
    return [each.step for each in one.told if each.state == "done"]


def why(one: PaperMove) -> str:
    return next(each.detail for each in one.told if each.state == "failed")


def untouched(one: PaperMove) -> None:
    """The source as it was, all traffic there, nothing of the destination, no request failed."""
    assert one.faults(Outcome.ROLLED_BACK) == []
    assert dict(one.world.stacks["a"].created) == {"role": 1, "secret": 1, "service": 1}


def test_the_steps_of_a_move_are_in_order() -> None:
    assert [step.id for step in steps_forward(MOVE)] == FORWARD
    retiring = [step.id for step in steps_forward(replace(MOVE, keep_source=False))]
    assert retiring == [*FORWARD[:-2], "retire", "verify"]
    one = PaperMove()
    assert one.controller() is Outcome.MOVED
    assert steps_done(one) == FORWARD


def test_every_step_says_what_it_does_and_how_it_is_undone() -> None:
    for step in steps_forward(MOVE):
        assert step.does
        assert step.guard
        assert step.undone
    assert [step.id for step in every_step_back(replace(MOVE, keep_source=False))] == [
        "restore", "return", "empty", "remove", "confirm",
    ]  # fmt: skip


def test_a_move_comes_back_from_a_journal_as_it_was() -> None:
    assert Move.of_data(MOVE.as_data()) == MOVE


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("objects", "outside the boundary"),
        ("refused", "over budget"),
        ("routed", "begins with all"),
    ],
)
def test_a_move_that_must_not_begin_changes_nothing(name: str, said: str) -> None:
    one = PaperMove()
    if name == "objects":
        one.objections = ("us-east1 is outside the boundary",)
    elif name == "refused":
        one.world.refused = lambda stack: "over budget" if stack == "b" else ""
    else:
        one.world.deployed("b")
        one.world.weights = one.world.known_weights = {"a": 50, "b": 50}
    assert one.controller() is Outcome.STOPPED
    assert said in why(one)
    assert steps_done(one) == []
    assert one.world.failed == 0
    with pytest.raises(BadInput, match="nothing to undo"):
        one.controller("back")


@pytest.mark.parametrize(
    ("fault", "step"),
    [("broken", "probe"), ("different", "replay"), ("slow", "replay"), ("tokens", "replay")],
)
def test_a_destination_that_is_not_good_enough_gets_no_traffic(fault: str, step: str) -> None:
    one = PaperMove()
    answers = one.answers
    if fault == "broken":
        answers.broken["b"] = "stream-done: the last event is not [DONE]"
    elif fault == "different":
        answers.text["b"] = "something else"
    elif fault == "slow":
        answers.seconds["b"] = 5.0
    else:
        answers.tokens["b"] = 80
    assert one.controller() is Outcome.ROLLED_BACK
    assert [each.step for each in one.told if each.state == "failed"] == [step]
    assert steps_done(one)[-2:] == ["remove", "confirm"]
    assert not any(each.step.startswith("shift") for each in one.told)
    untouched(one)


def test_a_destination_that_fails_under_traffic_gives_it_back() -> None:
    one = PaperMove()

    def spoil(told: Told) -> None:
        if (told.step, told.state) == ("shift-25", "begun"):
            one.answers.failing["b"] = "HTTP 500"

    one.hear = spoil
    assert one.controller() is Outcome.ROLLED_BACK
    assert "HTTP 500" in why(one)
    assert steps_done(one)[-4:] == ["return", "empty", "remove", "confirm"]
    untouched(one)


def test_a_policy_that_refuses_on_the_way_turns_the_move_back() -> None:
    one = PaperMove()
    one.world.refused = lambda stack: "the door leaks" if stack == "door" and one.world.stacks["b"].state else ""  # fmt: skip
    with pytest.raises(Holding, match="the door leaks"):
        one.controller()
    one.world.refused = lambda _: ""
    assert one.controller() is Outcome.ROLLED_BACK
    untouched(one)


def test_a_destination_that_was_there_before_is_not_taken_down() -> None:
    one = PaperMove(existed=True)
    one.answers.text["b"] = "something else"
    assert one.controller() is Outcome.ROLLED_BACK
    assert "spare" in steps_done(one)
    assert one.faults(Outcome.ROLLED_BACK) == []


def test_a_source_that_was_retired_is_brought_back_before_its_traffic() -> None:
    one = PaperMove(keep=False)
    assert one.controller() is Outcome.MOVED
    assert one.world.stacks["a"].state == []
    assert one.controller("back") is Outcome.ROLLED_BACK
    assert steps_done(one)[-5:] == ["restore", "return", "empty", "remove", "confirm"]
    assert one.faults(Outcome.ROLLED_BACK) == []


def test_a_source_that_was_kept_is_retired_later() -> None:
    one = PaperMove()
    assert one.controller() is Outcome.MOVED
    assert one.controller(keep=False) is Outcome.MOVED
    assert steps_done(one)[-2:] == ["retire", "verify"]
    one.move = replace(one.move, keep_source=False)
    assert one.faults(Outcome.MOVED) == []


def gone(one: PaperMove, step: str) -> None:
    """The source disappears when ``step`` begins."""

    def hear(told: Told) -> None:
        if (told.step, told.state) == (step, "begun"):
            one.world.disappear("a")

    one.hear = hear


def test_a_source_that_disappears_before_traffic_moved_waits_for_a_person() -> None:
    one = PaperMove()
    gone(one, "replay")
    with pytest.raises(Holding, match="--resume --evacuate"):
        one.controller()
    assert one.world.stacks["b"].serves, "the one that still could serve is not taken down"
    assert one.controller(evacuate=True) is Outcome.MOVED
    assert one.world.weights == {"b": 100}
    assert "shift-5" not in steps_done(one)


def test_a_source_that_disappears_under_way_leaves_everything_to_the_destination() -> None:
    one = PaperMove()
    gone(one, "shift-25")
    assert one.controller() is Outcome.MOVED
    assert one.world.weights == {"b": 100}
    assert "shift-50" not in steps_done(one)


def test_no_traffic_goes_back_to_a_source_that_does_not_answer() -> None:
    one = PaperMove()
    assert one.controller() is Outcome.MOVED
    one.world.disappear("a")
    with pytest.raises(Holding, match="does not answer, so no traffic is sent there"):
        one.controller("back")
    assert one.world.weights == {"b": 100}
    assert one.world.stacks["b"].serves


def test_where_open_requests_cannot_be_seen_the_longest_one_is_waited_for() -> None:
    one = PaperMove(blind=True)
    outcome = one.controller()
    assert one.faults(outcome) == []
    drained = next(each for each in one.told if (each.step, each.state) == ("drain", "done"))
    assert "seen: False" in drained.detail


@pytest.mark.parametrize(
    ("act", "percent", "source", "destination", "reaction"),
    [
        (Act.PREFLIGHT, 0, False, False, Reaction.STOP),
        (Act.DEPLOY, 0, True, False, Reaction.TURN),
        (Act.DEPLOY, 0, False, False, Reaction.HOLD),
        (Act.SHIFT, 25, True, False, Reaction.TURN),
        (Act.SHIFT, 25, False, True, Reaction.EVACUATE),
        (Act.SHIFT, 100, False, True, Reaction.HOLD),
        (Act.SHIFT, 25, False, False, Reaction.HOLD),
        (Act.DRAIN, 0, True, True, Reaction.HOLD),
        (Act.RETURN, 0, False, True, Reaction.HOLD),
    ],
)
def test_no_failure_leaves_clients_without_an_end(
    act: Act, percent: int, *, source: bool, destination: bool, reaction: Reaction
) -> None:
    step = replace(steps_forward(MOVE)[0], act=act, percent=percent)
    assert after_failure(step, source_answers=source, destination_answers=destination) is reaction


class Full:
    """A storage whose disk is full from some record on."""

    name = "j"

    def __init__(self, one: PaperMove, at: int) -> None:
        self._inner = one.storage
        self.room = at

    def read(self) -> bytes:
        return self._inner.read()

    def write(self, data: bytes, at: int) -> None:
        self.room -= 1
        if self.room < 0:
            raise OSError(28, "No space left on device")
        self._inner.write(data, at)

    def head(self) -> int:
        return self._inner.head()

    def set_head(self, number: int) -> None:
        self._inner.set_head(number)


@pytest.mark.parametrize("room", range(1, 24))
def test_a_full_disk_stops_before_the_side_effect(room: int) -> None:
    one = PaperMove(keep=False)
    whole, one.storage = one.storage, Full(one, room)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(NotWritten, match="No space left on device; nothing more was done"):
        one.controller()
    begun = [each.step for each in one.told if each.state == "begun"]
    written = [each.step for each in Journal(whole).records if each.kind is Kind.INTENT]
    assert begun == written
    one.storage = whole
    assert one.controller() is Outcome.MOVED
    assert one.faults(Outcome.MOVED) == []


def test_a_journal_that_was_cut_short_is_refused() -> None:
    one = PaperMove()
    one.controller()
    lines = one.storage.data.splitlines(keepends=True)
    one.storage.data = b"".join(lines[:-3])
    with pytest.raises(Damaged, match="3 of its records are missing"):
        one.controller()


def test_a_story_is_the_same_however_often_it_is_told() -> None:
    one = PaperMove()
    one.controller()
    records = Journal(one.storage).records
    assert fold(records) == fold(records)
    assert fold(records).outcome is Outcome.MOVED


@pytest.mark.parametrize(
    ("stays", "outcome"), [(False, Outcome.MOVED), (True, Outcome.ROLLED_BACK)]
)
def test_an_end_that_is_slow_is_asked_once_more(*, stays: bool, outcome: Outcome) -> None:
    """An instance that starts is no reason to go back; one that stays slow is."""
    one = PaperMove()

    def slow(told: Told) -> None:
        if (told.step, told.state) == ("shift-50", "begun"):
            one.answers.seconds["b"] = 5.0

    def asked(stack: str) -> None:
        if stack == "b" and not stays:
            one.answers.seconds.pop("b", None)

    one.hear, one.answers.asked = slow, asked
    assert one.controller() is outcome
    assert one.faults(outcome) == []
