"""Whatever is killed, and whenever: one serving service, no orphan, nothing twice, no request failed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from portway.portability.migration import Outcome
from support.paper_move import PaperMove

HISTORIES = 10_000
EVERY = 12
"""One in so many histories, and moments, is tried by default; ``make test-long`` tries all of them."""


@dataclass(frozen=True)
class Setting:
    keep: bool
    existed: bool
    engine_survives: bool
    way: str


SETTINGS = [
    Setting(keep, existed, survives, way)
    for keep in (True, False)
    for existed in (True, False)
    for survives in (True, False)
    for way in ("resume", "back")
]


def ended(one: PaperMove, way: str = "resume") -> Outcome:
    """Controllers, one after the other, until one comes to an end."""
    outcome = one.controller(way)
    while outcome is None:
        outcome = one.controller()
    return outcome


def killed_once(setting: Setting, moment: int) -> tuple[PaperMove, bool]:
    """A move whose first controller is killed at ``moment``; whether it was before its end."""
    one = PaperMove(moment, keep=setting.keep, existed=setting.existed)
    one.world.kill_at = moment
    one.world.engine_survives = setting.engine_survives
    return one, one.controller() is None


def at_every_moment(setting: Setting, step: int) -> Iterator[str]:
    for moment in range(1 + SETTINGS.index(setting) % step, 10_000, step):
        one, was_killed = killed_once(setting, moment)
        if not was_killed:
            return
        outcome = ended(one, setting.way)
        expected = Outcome.MOVED if setting.way == "resume" else Outcome.ROLLED_BACK
        wrong = [] if outcome is expected else [f"it ended as {outcome}"]
        yield from (f"moment {moment}: {fault}" for fault in (*wrong, *one.faults(outcome)))


def history(seed: int) -> list[str]:
    """A move that is killed up to five times, and turned back perhaps: what is wrong in the end."""
    chance = random.Random(seed)
    one = PaperMove(
        seed, keep=chance.random() < 0.5, existed=chance.random() < 0.3, blind=chance.random() < 0.2
    )
    outcome, goes_back = None, False
    for _ in range(chance.randint(1, 5)):
        one.world.engine_survives = chance.random() < 0.5
        one.world.kill_at = one.world.moments + chance.randint(1, 150)
        outcome = one.controller("back" if goes_back else "resume")
        if outcome is not None:
            break
        goes_back = goes_back or chance.random() < 0.3
    one.world.kill_at = None
    outcome = outcome or ended(one, "back" if goes_back else "resume")
    if chance.random() < 0.2 and outcome is Outcome.MOVED:
        outcome = ended(one, "back")
    return one.faults(outcome)


def test_a_move_that_nobody_disturbs_fails_no_request() -> None:
    for keep in (True, False):
        one = PaperMove(keep=keep)
        outcome = one.controller()
        assert (outcome, one.faults(outcome)) == (Outcome.MOVED, [])
        assert one.world.answered > 100
        assert dict(one.world.stacks["b"].created) == {"role": 1, "secret": 1, "service": 1}


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_a_controller_may_be_killed_at_any_moment(setting: Setting) -> None:
    assert list(at_every_moment(setting, EVERY)) == []


@pytest.mark.long
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_a_controller_may_be_killed_at_every_moment(setting: Setting) -> None:
    assert list(at_every_moment(setting, 1)) == []


def test_random_histories_end_in_one_serving_service() -> None:
    wrong = {seed: found for seed in range(0, HISTORIES, 40) if (found := history(seed))}
    assert wrong == {}


@pytest.mark.long
def test_ten_thousand_random_histories_end_in_one_serving_service() -> None:
    wrong = {seed: found for seed in range(HISTORIES) if (found := history(seed))}
    assert wrong == {}


def test_the_paper_clouds_notice_what_must_not_be() -> None:
    """A world that notices nothing would make every claim here hollow."""
    twice = PaperMove().world
    creating = twice.creating("b")
    for _ in range(2):
        next(creating)
    list(
        twice.creating("b")
    )  # a second engine over what the first one left, as after `pulumi cancel`
    assert twice.twice == {"b.role"}
    assert any("the state has" in fault for fault in twice.faults())

    early = PaperMove().world
    early.weights = early.known_weights = {"b": 100}
    early.pass_time()
    assert "the door sends to what does not serve" in early.faults()
    assert "2 requests failed" in early.faults()

    hasty = PaperMove().world
    for _ in range(5):
        hasty.pass_time()
    hasty.disappear("a")
    hasty.pass_time()
    assert hasty.failed > 2, "those that were being answered are cut"
