"""The idle tail: against a simulation of every event, and what must hold of any pool."""

from dataclasses import replace
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.pricing.demand import Demand, demand
from portway.pricing.pool import Pool
from portway.pricing.replay import replayed
from portway.pricing.running import running
from portway.spec.traffic import Traffic
from support.traffic_simulation import Profile, arrivals, instance_hours, profiles, simulated

_MONTH_HOURS = 730
_L4 = Pool(least=0, most=1, concurrency=8, duration_seconds=3, hold_seconds=600, start_seconds=0)

pools = st.builds(
    Pool,
    least=st.just(0),
    most=st.integers(1, 6),
    concurrency=st.integers(1, 16),
    duration_seconds=st.floats(0.5, 60),
    hold_seconds=st.sampled_from([60.0, 300.0, 600.0, 900.0, 1200.0]),
    start_seconds=st.sampled_from([0.0, 20.0]),
)
shapes = st.one_of(
    st.sampled_from(["spread", "burst"]),
    st.lists(st.floats(0.1, 10), min_size=24, max_size=24).map(tuple),
)


def _hours(requests: int, shape: object, pool: Pool) -> float:
    traffic = Traffic.model_validate({"requests_per_day": requests, "shape": shape})
    return running(demand(traffic), pool).instance_hours


@pytest.mark.parametrize(
    ("first", "last"), [(0, 100), pytest.param(100, 200, marks=pytest.mark.long)]
)
def test_two_hundred_random_profiles_are_within_five_percent_of_the_simulation(
    first: int, last: int
) -> None:
    far = [
        (seed, profile)
        for seed, profile in enumerate(profiles(200))
        if first <= seed < last and _off(profile, seed) > 0.05
    ]
    assert far == []


def test_starts_as_long_as_holds_are_within_eleven_percent_and_mostly_within_five() -> None:
    slow = [
        (seed, replace(profile, pool=replace(profile.pool, start_seconds=433)))
        for seed, profile in enumerate(profiles(200))
        if profile.pool.hold_seconds >= 600 and seed % 3 == 2
    ]
    off = [_off(profile, seed) for seed, profile in slow]
    assert max(off) <= 0.11
    assert sum(one <= 0.05 for one in off) >= 0.9 * len(off)


def _off(profile: Profile, seed: int) -> float:
    """How far the model is from the simulation; half an hour a month is not seen."""
    truth = instance_hours(profile, seed)
    apart = abs(running(profile.demand, profile.pool).instance_hours - truth)
    return 0.0 if apart <= 0.5 else apart / truth


def test_no_random_trace_of_ten_thousand_runs_longer_than_the_ceiling() -> None:
    random = Random(10)
    for _ in range(10_000):
        most = random.randint(1, 4)
        pool = Pool(
            random.randint(0, most),
            most,
            random.randint(1, 3),
            random.uniform(0.1, 30),
            random.choice((0, 60, 600, 900)),
            random.choice((0, 20)),
        )
        mean = random.choice((0.2, 2, 20, 400))
        trace = list(accumulate(random.expovariate(1 / mean) for _ in range(12)))
        until = trace[-1] + random.choice((0, 2000))
        billed = simulated(pool, trace, until).billed_seconds
        assert pool.least * until - 1e-6 <= billed <= pool.most * until + 1e-6


@pytest.mark.parametrize("number", range(12))
def test_the_replay_and_the_simulation_bill_the_same_seconds_for_the_same_arrivals(
    number: int,
) -> None:
    profile = list(profiles(12, seed=5))[number]
    until = 2000 / profile.requests_per_day * 86_400
    trace = list(arrivals(profile.demand, until, number))
    simulation = simulated(profile.pool, trace, until)
    replay = replayed(profile.pool, trace, until)
    beyond = simulation.billed_seconds - profile.pool.least * until
    assert (replay.starts, replay.billed_seconds) == (simulation.starts, pytest.approx(beyond))


@pytest.mark.parametrize(
    ("requests", "percent"),
    [(10, 6.7), (50, 29.5), (100, 50.2), (200, 75.2), (500, 96.9), (2000, 100.0)],
)
def test_one_instance_runs_the_fraction_that_the_closed_form_gives(
    requests: int, percent: float
) -> None:
    fraction = _hours(requests, "spread", _L4) / _MONTH_HOURS
    assert round(fraction * 100, 1) == percent


def test_an_instance_without_requests_never_runs_beyond_its_least() -> None:
    assert _hours(0, "spread", _L4) == 0
    assert _hours(0, "burst", replace(_L4, least=1, most=3)) == _MONTH_HOURS


def test_a_pool_that_gets_more_than_it_can_answer_runs_whole() -> None:
    assert _hours(1_000_000, "spread", replace(_L4, most=3)) == 3 * _MONTH_HOURS


def test_an_unheld_instance_of_rare_requests_runs_for_its_start_and_its_request() -> None:
    pool = replace(_L4, hold_seconds=0, start_seconds=20)
    expected = 10 * (20 + 3) / 3600 * _MONTH_HOURS / 24
    assert _hours(10, "spread", pool) == pytest.approx(expected, rel=0.01)


def test_requests_that_arrive_during_a_start_share_it() -> None:
    pool = replace(_L4, hold_seconds=0, start_seconds=20)
    assert replayed(pool, [0.0, 1.0, 19.0], 100.0).billed_seconds == 23
    assert simulated(pool, [0.0, 1.0, 19.0], 100.0).billed_seconds == 23


@settings(max_examples=30, deadline=None)
@given(pool=pools, shape=shapes, requests=st.integers(0, 30_000), more=st.integers(1, 10_000))
def test_more_requests_never_run_fewer_hours(
    pool: Pool, shape: object, requests: int, more: int
) -> None:
    fewer = _hours(requests, shape, pool)
    assert fewer <= _hours(requests + more, shape, pool) * (1 + 1e-3) + 1e-6


@settings(max_examples=30, deadline=None)
@given(pool=pools, shape=shapes, requests=st.integers(0, 30_000), longer=st.integers(1, 1200))
def test_a_longer_hold_never_runs_fewer_hours(
    pool: Pool, shape: object, requests: int, longer: int
) -> None:
    held = replace(pool, hold_seconds=pool.hold_seconds + longer)
    assert _hours(requests, shape, pool) <= _hours(requests, shape, held) + 1e-6


@settings(max_examples=30, deadline=None)
@given(pool=pools, shape=shapes, requests=st.integers(0, 30_000), more=st.integers(1, 4))
def test_a_higher_most_never_runs_fewer_hours_but_for_the_queue_it_shortens(
    pool: Pool, shape: object, requests: int, more: int
) -> None:
    """A pool that cannot answer in time runs on after the burst; a larger one is done sooner."""
    wider = replace(pool, most=pool.most + more)
    assert _hours(requests, shape, pool) <= _hours(requests, shape, wider) * 1.05 + 1e-6


@settings(max_examples=50, deadline=None)
@given(
    pool=pools,
    shape=shapes,
    requests=st.integers(0, 1_000_000),
    least=st.integers(0, 6),
    hold=st.sampled_from([0.0, 60.0, 600.0]),
)
def test_hours_are_between_the_least_and_the_most(
    pool: Pool, shape: object, requests: int, least: int, hold: float
) -> None:
    pool = replace(pool, least=min(least, pool.most), hold_seconds=hold)
    hours = _hours(requests, shape, pool)
    assert pool.least * _MONTH_HOURS <= hours <= pool.most * _MONTH_HOURS


@given(
    requests=st.integers(0, 1_000_000_000),
    shape=st.one_of(
        st.sampled_from(["spread", "burst"]),
        st.lists(st.integers(0, 100), min_size=24, max_size=24).filter(any).map(tuple),
        st.lists(st.integers(0, 100), min_size=168, max_size=168).filter(any).map(tuple),
    ),
)
def test_every_shape_keeps_the_requests_of_a_day(requests: int, shape: object) -> None:
    arrivals_: Demand = demand(
        Traffic.model_validate({"requests_per_day": requests, "shape": shape})
    )
    assert arrivals_.mean_per_second * 86_400 == pytest.approx(requests)


def test_a_pool_that_is_hardly_ever_filled_still_has_a_month() -> None:
    rare = demand(Traffic(requests_per_day=1))
    wide = replace(_L4, most=3, concurrency=400)
    ran = running(rare, wide)
    assert 0 < ran.instance_hours < 10
    assert ran.instance_hours == pytest.approx(running(rare, _L4).instance_hours)
