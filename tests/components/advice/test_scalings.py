"""How many instances a busiest hour needs, and which scalings are worth comparing."""

import math

import pytest

from portway.advice.scalings import MAY_WAIT, instances_needed, room_needed, scalings, serves
from portway.pricing.demand import Demand
from portway.pricing.work import Work
from portway.spec.scaling import Scaling


def work(load: float, *quiet: float) -> Work:
    """``load`` requests in flight in the first hour, the others as quiet as said."""
    return Work(Demand((load / 10, *(one / 10 for one in quiet))), 10.0, 600, 200)


def beyond(room: int, load: float) -> float:
    return 1 - sum(
        math.exp(count * math.log(load) - load - math.lgamma(count + 1))
        for count in range(room + 1)
    )


@pytest.mark.parametrize("load", [0.01, 0.5, 3.0, 40.0, 900.0, 1999.0, 2001.0, 30_000.0])
def test_room_is_the_least_that_hardly_any_request_finds_full(load: float) -> None:
    room = room_needed(load)
    slack = 1 if load > 2000 else 0
    assert beyond(room + slack, load) <= MAY_WAIT
    assert room == 0 or beyond(room - 1 - slack, load) > MAY_WAIT


def test_nobody_needs_room_without_requests() -> None:
    assert room_needed(0) == 0
    assert instances_needed(work(0), 8) == 1


def test_a_pool_serves_less_than_it_holds() -> None:
    assert serves(Scaling(min=0, max=2, concurrency=8), work(15.9))
    assert not serves(Scaling(min=0, max=2, concurrency=8), work(16.0))


def test_the_declared_scaling_comes_first_then_every_number_kept_warm() -> None:
    found = scalings(Scaling(min=1, max=2, concurrency=8), work(0.5))
    assert [(one.min, one.max) for one in found] == [(1, 2), (0, 2), (2, 2), (1, 1), (0, 1)]


def test_of_many_instances_those_around_the_average_load_are_compared() -> None:
    found = scalings(Scaling(min=3, max=40, concurrency=1), work(25.0, 0.0))
    assert {one.min for one in found if one.max == 40} == {3, 0, 1, 12, 13, 40}
    assert {one.max for one in found} == {40, room_needed(25.0)}


def test_what_does_not_fit_is_not_compared() -> None:
    assert scalings(Scaling(min=0, max=1, concurrency=8), work(9.0)) == ()
