"""The simulated evacuation breaks no limit, loses no service, and its best order is the best."""

from itertools import pairwise, permutations
from math import isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evacuation import (
    ORDERS,
    Destination,
    Evacuation,
    Limits,
    Order,
    Service,
    busiest_per_gpu,
    by_name,
    evacuate,
    fleet,
    most_saved,
)

GPUS = Destination(
    "cloud-run", gpus=40, services=30, calls=17, calls_per_second=3.0, start_seconds=433.0
)
API = Destination(
    "lambda-bedrock", gpus=None, services=None, calls=21, calls_per_second=15.0, start_seconds=3.0
)
NODES = Destination("kubernetes", gpus=25, services=None, calls=14, calls_per_second=50.0, start_seconds=180.0)  # fmt: skip
ALL = (GPUS, API, NODES)
LIMITS = Limits(engines=8, outage_seconds=3600.0)


def evacuated(order: Order, seed: int = 1, count: int = 120, limits: Limits = LIMITS) -> Evacuation:
    services = fleet(count, seed, managed_part=0.4, cluster_part=0.5)
    return evacuate(services, ALL, limits, order)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 150))
def test_no_limit_is_broken_and_no_service_is_lost_or_moved_twice(
    order: Order, seed: int, count: int
) -> None:
    found = evacuated(order, seed, count)
    names = [move.service.name for move in found.moves] + [one.name for one in found.stranded]
    assert sorted(names) == sorted(f"service-{number:05d}" for number in range(count))
    for place in ALL:
        here = [move for move in found.moves if move.destination == place.name]
        assert all(place.name in move.service.fits for move in here)
        if place.gpus is not None:
            assert sum(move.service.gpus for move in here) <= place.gpus
        if place.services is not None:
            assert len(here) <= place.services
        ends = sorted(move.called_seconds for move in here)
        gap = place.calls / place.calls_per_second
        assert all(later - earlier >= gap - 1e-6 for earlier, later in pairwise(ends))
    for move in found.moves:
        at_work = [
            m for m in found.moves if m.begun_seconds <= move.begun_seconds < m.ready_seconds
        ]
        assert len(at_work) <= LIMITS.engines


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_what_is_lost_is_what_was_not_answered(seed: int) -> None:
    found = evacuated(most_saved, seed)
    services = [*(move.service for move in found.moves), *found.stranded]
    total = sum(one.requests_per_second for one in services)
    lost, before, answered = 0.0, 0.0, 0.0
    for at, part in found.restored():
        until = min(at, LIMITS.outage_seconds)
        lost += (1 - answered) * (until - before) * total
        before, answered = until, part if at < LIMITS.outage_seconds else answered
    lost += (1 - answered) * (LIMITS.outage_seconds - before) * total
    assert isclose(lost, found.lost_requests, rel_tol=1e-9)


def test_the_same_seed_is_the_same_evacuation_and_another_is_another() -> None:
    assert evacuated(by_name, 7) == evacuated(by_name, 7)
    assert evacuated(by_name, 7) != evacuated(by_name, 8)


def test_a_longer_outage_never_loses_less() -> None:
    hours = [evacuated(by_name, limits=Limits(8, at * 3600.0)).lost_requests for at in (1, 2, 6)]
    assert hours == sorted(hours)


def test_where_one_api_is_all_that_limits_most_saved_per_second_is_the_best_of_all_orders() -> None:
    services = [
        Service(f"s{number}", rate, 1, frozenset({API.name}))
        for number, rate in enumerate((0.3, 5.0, 1.0, 0.1, 2.5, 0.7))
    ]
    limits = Limits(engines=6, outage_seconds=3600.0)

    def lost(place: dict[str, int]) -> float:
        order: Order = lambda one, _: (float(place[one.name]), one.name)  # noqa: E731
        return evacuate(services, (API,), limits, order).lost_requests

    names = [one.name for one in services]
    least = min(lost({n: i for i, n in enumerate(order)}) for order in permutations(names))
    assert isclose(evacuate(services, (API,), limits, most_saved).lost_requests, least)


def test_what_fits_nowhere_waits_for_the_region_and_loses_all_of_it() -> None:
    large = Service("large", 2.0, 100, frozenset({"cloud-run"}))
    found = evacuate([large], ALL, LIMITS, by_name)
    assert (found.moves, found.stranded) == ((), (large,))
    assert found.lost_requests == 2.0 * LIMITS.outage_seconds
    assert found.seconds_until(0.5) is None


@pytest.mark.parametrize("seed", range(5))
def test_where_gpus_are_short_the_busiest_for_each_gpu_lose_least(seed: int) -> None:
    services = fleet(1500, seed, managed_part=0.4, cluster_part=0.5)
    lost = {
        name: evacuate(services, ALL, Limits(64, 6 * 3600.0), o).lost_requests
        for name, o in ORDERS.items()
    }
    assert min(lost, key=lambda name: lost[name]) == "busiest per GPU"
    assert evacuate(services, ALL, Limits(64, 6 * 3600.0), busiest_per_gpu).moves
