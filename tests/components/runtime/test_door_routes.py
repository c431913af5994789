"""Which end a request goes to, and what is counted: no sockets."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.runtime.door_routes import BadRoutes, Router, choose, parse_routes, point_of

WHOLE = 2**64


def evenly(count: int) -> list[int]:
    return [(2 * number + 1) * WHOLE // (2 * count) for number in range(count)]


def document(**weights: int) -> bytes:
    ends = {name: {"url": f"https://{name}.example", "key": f"key-{name}"} for name in weights}
    return json.dumps({"weights": weights, "ends": ends}).encode()


def shares(weights: dict[str, int], without: frozenset[str] = frozenset()) -> dict[str | None, int]:
    return dict(Counter(choose(weights, point, without) for point in evenly(1000)))


@given(st.lists(st.integers(0, 100), min_size=1, max_size=4))
def test_every_end_gets_exactly_its_percentage_of_all_points(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), 100]
    weights = {f"end-{n}": bounds[n + 1] - bounds[n] for n in range(len(bounds) - 1)}
    got = shares(weights)
    assert got == {name: share * 10 for name, share in weights.items() if share}


def test_all_or_nothing_goes_to_one_end_alone() -> None:
    assert shares({"a": 100, "b": 0}) == {"a": 1000}
    assert shares({"a": 0, "b": 100}) == {"b": 1000}


def test_a_request_that_moved_to_the_new_end_stays_there_while_its_share_grows() -> None:
    steps = [{"new": share, "old": 100 - share} for share in (0, 5, 25, 50, 100)]
    for point in evenly(1000):
        went = [choose(weights, point, frozenset()) or "" for weights in steps]
        assert went == sorted(went, reverse=True)


def test_ends_already_tried_share_their_part_among_the_others_by_weight() -> None:
    weights = {"a": 50, "b": 30, "c": 20}
    assert shares(weights, frozenset({"a"})) == {"b": 600, "c": 400}
    assert shares(weights, frozenset(weights)) == {None: 1000}
    assert shares({"a": 100, "b": 0}, frozenset({"a"})) == {None: 1000}


def test_the_same_request_id_lies_at_the_same_point_in_every_process() -> None:
    assert point_of("req-1") == 0x9456BDFA12EA7695
    ids = Counter(
        choose({"a": 25, "b": 75}, point_of(f"req-{n}"), frozenset()) for n in range(4000)
    )
    assert abs(ids["a"] - 1000) < 100


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"", 'JSON with "weights" and "ends"'),
        (b'{"weights": {}}', 'JSON with "weights" and "ends"'),
        (b'{"weights": {"a": 99}, "ends": {}}', "sum to 99"),
        (b'{"weights": {"a": true, "b": 99}, "ends": {}}', "whole number of percent"),
        (b'{"weights": {"a": 101, "b": -1}, "ends": {}}', "whole number of percent"),
        (b'{"weights": {"a": 100}, "ends": {}}', "the end a has no URL"),
        (b'{"weights": {"a": 100}, "ends": {"a": {"url": "ftp://x", "key": "k"}}}', "no URL"),
        (b'{"weights": {"a": 100}, "ends": {"a": {"url": "http:///v1", "key": "k"}}}', "no host"),
        (b'{"weights": {"a": 100}, "ends": {"a": {"url": "http://x", "key": ""}}}', "has no key"),
    ],
)
def test_a_route_document_that_cannot_be_used_is_refused_with_its_fault(
    given: bytes, why: str
) -> None:
    with pytest.raises(BadRoutes, match=why):
        parse_routes(given)


def test_an_end_without_weight_needs_neither_url_nor_key() -> None:
    routes = parse_routes(
        b'{"weights": {"a": 0, "b": 100}, "ends": {"b": {"url": "http://b/", "key": "k"}}}'
    )
    assert routes.weights == {"a": 0, "b": 100}
    assert [(end.name, end.url) for end in routes.ends.values()] == [("b", "http://b")]
    assert "k'" not in repr(routes), "a key is never printed"


class Source:
    """A document that a test changes, and a clock that it moves."""

    def __init__(self, data: bytes) -> None:
        self.data: bytes | None = data
        self.now = 0.0
        self.reads = 0

    def read(self) -> bytes:
        self.reads += 1
        if self.data is None:
            raise PermissionError(13, "Permission denied")
        return self.data

    def router(self) -> Router:
        router = Router(self.read, refresh_seconds=2.0, clock=lambda: self.now)
        router.load()
        return router


def taken(router: Router, request_id: str = "r") -> str | None:
    lease = router.take(request_id)
    return None if lease is None else lease.end.name


def test_an_end_set_to_zero_gets_nothing_new_and_keeps_what_it_has() -> None:
    source = Source(document(a=100, b=0))
    router = source.router()
    running = router.take("r")
    assert running is not None
    source.data = document(a=0, b=100)
    router.refresh(now=True)
    assert [taken(router, f"r{n}") for n in range(20)] == ["b"] * 20
    assert router.status()["ends"]["a"]["in_flight"] == 1
    running.close()
    running.close(failed=True)
    counted = {"in_flight": 0, "requests": 1, "failed": 0, "retried": 0}
    assert router.status()["ends"]["a"] == counted, "a request is over once"


def test_an_end_that_left_the_document_is_still_counted_until_it_is_quiet() -> None:
    source = Source(document(a=100))
    router = source.router()
    running = router.take("r")
    source.data = document(b=100)
    router.refresh(now=True)
    status = router.status()
    assert running is not None
    assert status["weights"] == {"b": 100}
    assert status["ends"]["a"]["in_flight"] == 1


def test_a_request_reads_the_document_again_once_it_is_two_seconds_old() -> None:
    source = Source(document(a=100, b=0))
    router = source.router()
    source.data = document(a=0, b=100)
    source.now = 1.9
    router.refresh()
    assert (source.reads, taken(router)) == (1, "a")
    source.now = 2.0
    router.refresh()
    assert (source.reads, taken(router)) == (2, "b")


@pytest.mark.parametrize("data", [None, b"half a docu", document(a=50)])
def test_a_document_that_turns_bad_leaves_the_last_good_one_and_shows_in_the_status(
    data: bytes | None,
) -> None:
    source = Source(document(a=100))
    router = source.router()
    source.data = data
    router.refresh(now=True)
    assert taken(router) == "a"
    assert router.status()["fault"]
    source.data = document(b=100)
    router.refresh(now=True)
    assert (taken(router), router.status()["fault"]) == ("b", None)


def test_a_bad_document_at_start_is_an_error_and_not_an_empty_door() -> None:
    with pytest.raises(BadRoutes, match="cannot be read: Permission denied"):
        Router(lambda: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))).load()
