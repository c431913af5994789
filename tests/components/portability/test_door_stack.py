"""A deployed door, driven through a paper engine: what is configured, deployed, waited for, refused."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import httpx
import pytest

from portway.engine.recover import Unresolved
from portway.engine.stack import Outcome, Pack, Stack
from portway.errors import BadInput, Findings, Missing
from portway.portability.door import Door
from portway.portability.door_stack import DeployedDoor

A, B, C = "chat.prod.cloud-run", "chat.prod.kubernetes", "chat.prod.lambda-bedrock"
REFUSAL = {"enforcementLevel": "mandatory", "message": "[residency-…] leads to us-east-1"}


class CountedTransport(httpx.MockTransport):
    """Asks a paper door, and says when its connections are closed."""

    def __init__(self, paper: "PaperDoor") -> None:
        super().__init__(paper.answer)
        self.paper = paper

    def close(self) -> None:
        self.paper.hung_up.append(self.paper.now)


class PaperDoor:
    """The engine's stack and the door's own answers, of which `obeys_after` polls make it obey."""

    name = "chat.prod.door"

    def __init__(self, weights: Mapping[str, int], **status: Any) -> None:
        self.configured: dict[str, int] = dict(weights)
        self.live: dict[str, int] = dict(weights)
        self.status: dict[str, Any] = {"max_instances": 1, "ends": {}, "fault": None, **status}
        self.outcome = Outcome(succeeded=True, stdout="", stderr="", events=())
        self.ups = 0
        self.slow = 0
        self.unfinished_why = ""
        self.slept: list[float] = []
        self.now = 0.0
        self.http_status = 200
        self.asked: list[float] = []
        self.hung_up: list[float] = []

    def refuse_unfinished(self) -> None:
        if self.unfinished_why:
            raise Unresolved(self.unfinished_why)

    def setting(self, key: str) -> Any:
        assert key == "portway:door"
        return {"kind": "cloud-run", "weights": dict(self.configured)} if self.configured else None

    def configure(self, values: Mapping[str, str]) -> None:
        for path, text in values.items():
            head, _, name = path.partition('["')
            assert head == "portway:door.weights"
            self.configured[name.removesuffix('"]')] = int(text)

    def up(self, packs: Sequence[Pack]) -> Outcome:
        assert packs == ()
        self.ups += 1
        return self.outcome

    def outputs(self) -> dict[str, Any]:
        return {"endpoint": "http://door.example", "apiKey": "pw-s3cret"}

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(self.now)
        assert str(request.url) == "http://door.example/door/status"
        assert request.headers["authorization"] == "Bearer pw-s3cret"
        if self.ups and self.outcome.succeeded:
            self.slow -= 1
            if self.slow < 0:
                self.live = dict(self.configured)
        return httpx.Response(self.http_status, json={**self.status, "weights": self.live})

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def opened(self) -> DeployedDoor:
        return DeployedDoor(
            cast("Stack", self), (), transport=CountedTransport(self),
            sleep=self.sleep, clock=lambda: self.now,
        )  # fmt: skip


def failed(*events: dict[str, Any], stderr: str = "") -> Outcome:
    return Outcome(succeeded=False, stdout="", stderr=stderr, events=events)


def test_it_is_what_a_migration_asks_of_a_door() -> None:
    door: Door = PaperDoor({A: 100, B: 0}).opened()
    assert (door.stack, door.endpoint) == ("chat.prod.door", "http://door.example")
    assert door.weights() == {A: 100, B: 0}


def test_weights_are_configured_deployed_and_waited_for() -> None:
    paper = PaperDoor({A: 100, B: 0})
    paper.slow = 3
    door = paper.opened()
    door.set_weights({A: 75, B: 25})
    assert (paper.configured, paper.ups) == ({A: 75, B: 25}, 1)
    assert door.weights() == {A: 75, B: 25}
    assert len(paper.slept) == 3, "asked until it obeyed"


def test_ends_that_are_left_out_get_nothing_and_a_new_one_may_come() -> None:
    paper = PaperDoor({A: 60, B: 40})
    paper.opened().set_weights({C: 100})
    assert paper.configured == {A: 0, B: 0, C: 100}


def test_where_others_may_answer_too_their_time_to_read_is_waited_for() -> None:
    paper = PaperDoor({A: 100}, max_instances=2)
    paper.opened().set_weights({A: 100})
    assert paper.now == 2.0


def test_what_a_policy_refuses_leaves_the_configuration_as_it_was() -> None:
    paper = PaperDoor({A: 100, B: 0})
    paper.outcome = failed({"policyEvent": REFUSAL})
    with pytest.raises(Findings, match=r"nothing was changed: .*leads to us-east-1"):
        paper.opened().set_weights({A: 0, B: 90, C: 10})
    assert paper.configured == {A: 100, B: 0, C: 0}


def test_an_engine_that_fails_leaves_the_wish_so_that_it_can_be_repeated() -> None:
    paper = PaperDoor({A: 100, B: 0})
    paper.outcome = failed(stderr="the plugin crashed")
    with pytest.raises(Missing, match="not known: the plugin crashed"):
        paper.opened().set_weights({A: 0, B: 100})
    assert paper.configured == {A: 0, B: 100}


def test_a_door_that_never_obeys_says_what_keeps_it() -> None:
    paper = PaperDoor({A: 100, B: 0}, fault="the route document cannot be read")
    paper.slow = 10**6
    with pytest.raises(Missing, match="does not obey: the route document cannot be read"):
        paper.opened().set_weights({A: 0, B: 100})


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        ({A: 50, B: 49}, "sum to 99"),
        ({A: 101, B: -1}, "whole number of percent"),
        ({"shop.prod.cloud-run": 100}, "its ends are called chat.prod.<target>"),
        ({"chat.prod.door": 100}, "no stack behind chat.prod.door"),
    ],
)
def test_weights_that_are_none_never_reach_the_engine(weights: dict[str, int], why: str) -> None:
    paper = PaperDoor({A: 100})
    with pytest.raises(BadInput, match=why):
        paper.opened().set_weights(weights)
    assert (paper.configured, paper.ups) == ({A: 100}, 0)


def test_an_operation_that_did_not_end_is_settled_first() -> None:
    paper = PaperDoor({A: 100, B: 0})
    paper.unfinished_why = "pending: create chat-routes"
    with pytest.raises(Unresolved, match="chat-routes"):
        paper.opened().set_weights({A: 0, B: 100})
    assert paper.configured == {A: 100, B: 0}


def test_a_stack_that_is_no_door_is_named() -> None:
    with pytest.raises(Missing, match="no weights in its configuration"):
        PaperDoor({}).opened().set_weights({A: 100})


def test_what_is_open_is_known_only_where_one_instance_counts() -> None:
    ends = {A: {"in_flight": 3, "requests": 9, "failed": 0, "retried": 0}}
    one = PaperDoor({A: 100}, ends=ends).opened()
    assert (one.in_flight(A), one.in_flight(B)) == (3, 0)
    assert PaperDoor({A: 100}, ends=ends, max_instances=2).opened().in_flight(A) is None
    away = PaperDoor({A: 100}, ends=ends)
    away.http_status = 503
    assert away.opened().in_flight(A) is None


def test_no_message_shows_the_key() -> None:
    paper = PaperDoor({A: 100})
    paper.http_status = 401
    with pytest.raises(Missing) as caught:
        paper.opened().weights()
    assert "s3cret" not in str(caught.value)
    assert "HTTP 401" in str(caught.value)


def test_no_connection_to_it_is_left_open() -> None:
    paper = PaperDoor({A: 100, B: 0})
    door = paper.opened()
    door.weights()
    door.set_weights({A: 0, B: 100})
    assert len(paper.asked) == len(paper.hung_up) > 1
