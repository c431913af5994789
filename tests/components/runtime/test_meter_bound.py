"""Random histories of many instances over one store: what the meter promises holds at every step.

A history has requests at random instances that end in every way, instances that are killed in the
middle, calls and answers that get lost, a store that is away for long, clocks that are wrong by up
to 300 seconds, and turns of a month.
"""

import random
from dataclasses import dataclass, field

import pytest

from portway.runtime.errors import WireError
from portway.runtime.log import Record
from portway.runtime.meter import Meter, Reservation
from portway.runtime.meter_amounts import Amounts, limit_passed, month_begins, month_of
from portway.runtime.meter_settings import MeterSettings
from portway.runtime.upstream import ChatRequest
from support.meter_stores import BreakingStore, MemoryStore

SKEW_SECONDS = 300
START = 1796083200.0 - 1800
"""Half an hour before December 2026."""


@dataclass
class Flight:
    """A request in flight and where it began."""

    instance: int
    held: Reservation
    began: float


@dataclass
class History:
    """A fleet of instances, and beside it the truth that no instance knows."""

    seed: int
    away: str = "refuse"
    crashes: bool = True
    share: float = 0.15
    truth: dict[str, Amounts] = field(default_factory=dict[str, Amounts])
    admitted: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    refusals: set[str | None] = field(default_factory=set[str | None])

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.store = MemoryStore()
        self.limits = {
            "requests": self.chance.randint(3, 25),
            "tokens": self.chance.randint(3000, 60_000),
        }
        self.now = START
        self.count = self.chance.randint(1, 5)
        self.networks = [
            BreakingStore(self.store, self.chance, self.share) for _ in range(self.count)
        ]
        self.skews = [self.chance.uniform(-SKEW_SECONDS, SKEW_SECONDS) for _ in range(self.count)]
        self.meters = [self.started(number) for number in range(self.count)]
        self.flights: list[Flight] = []

    def started(self, number: int) -> Meter:
        settings = MeterSettings({}, "chat", self.limits, None, self.away, 512)
        return Meter(
            settings,
            self.networks[number],
            8192,
            now=lambda: self.now + self.skews[number],
            clock=lambda: self.now,
        )

    def step(self) -> None:
        self.now += self.chance.expovariate(1 / 30)
        roll = self.chance.random()
        if roll < 0.5:
            self.begin()
        elif roll < 0.9:
            self.end()
        elif roll < 0.95:
            network = self.chance.choice(self.networks)
            network.away = not network.away
        elif self.crashes:
            self.crash(self.chance.randrange(self.count))

    def begin(self) -> None:
        number = self.chance.randrange(self.count)
        asked = self.chance.choice([None, 1, 100, 512])
        messages = [{"role": "user", "content": "x"}]
        chat = ChatRequest(
            {"messages": messages},
            messages,
            stream=False,
            include_usage=False,
            max_tokens=asked,
            default_max_tokens=512,
            request_id="r",
        )
        body_bytes = self.chance.randint(50, 4000)
        try:
            held = self.meters[number].reserve(chat, body_bytes)
        except WireError as error:
            self.refusals.add(error.code)
            return
        self.admitted.append((held.month, self.now))
        self.flights.append(Flight(number, held, self.now))

    def end(self) -> None:
        if not self.flights:
            return
        flight = self.flights.pop(self.chance.randrange(len(self.flights)))
        held, way = flight.held, self.chance.random()
        prompt = self.chance.randint(0, held.most.tokens)
        answer = self.chance.randint(0, held.most.tokens - prompt)
        error = None
        if way < 0.6:
            held.count({"prompt_tokens": prompt, "completion_tokens": answer})
            self.used(held.month, Amounts(1, prompt + answer))
        elif way < 0.8:
            error = WireError(400, "refused")
        else:
            error = WireError(504, "unknown")
            self.used(held.month, Amounts(1, held.most.tokens))
        held.end(Record("r", "POST", "/"), error)

    def crash(self, number: int) -> None:
        """Kill an instance: its requests may have used anything up to what they reserved."""
        for flight in [f for f in self.flights if f.instance == number]:
            self.flights.remove(flight)
            most = flight.held.most
            self.used(flight.held.month, Amounts(1, self.chance.randint(0, most.tokens)))
        self.meters[number] = self.started(number)

    def used(self, month: str, more: Amounts) -> None:
        self.truth[month] = self.truth.get(month, Amounts()) + more

    def heal(self) -> None:
        """End every request, let the store be there, and let every instance settle what is left."""
        while self.flights:
            self.end()
        for network in self.networks:
            network.away = False
            network.share = 0
        for meter in self.meters:
            meter.close()

    def counted(self, month: str) -> Amounts:
        return self.store.used.get(month, Amounts())


@pytest.mark.parametrize("seed", range(100))
def test_no_history_passes_a_limit_or_counts_less_than_was_used(seed: int) -> None:
    history = History(seed)
    for _ in range(150):
        history.step()
        for used in history.store.used.values():
            assert limit_passed(used.named(), history.limits) is None
        for month, true in history.truth.items():
            flying = [f.held.most for f in history.flights if f.held.month == month]
            least = sum(flying, start=true)
            assert history.counted(month).tokens >= least.tokens
            assert history.counted(month).requests >= least.requests
    assert history.refusals <= {"insufficient_quota", "meter_unavailable"}


@pytest.mark.parametrize("seed", range(100))
def test_without_a_crash_nothing_stays_reserved_for_ever(seed: int) -> None:
    history = History(seed, crashes=False)
    for _ in range(150):
        history.step()
    history.heal()
    months = history.store.used.keys() | history.truth.keys()
    assert {month: history.counted(month) for month in months} == {
        month: history.truth.get(month, Amounts()) for month in months
    }


@pytest.mark.parametrize("seed", range(100))
def test_a_wrong_clock_moves_only_requests_at_the_turn_of_a_month(seed: int) -> None:
    history = History(seed)
    for _ in range(150):
        history.step()
    turn = month_begins("2026-12").timestamp()
    for month, when in history.admitted:
        assert month == month_of(when) or abs(when - turn) <= SKEW_SECONDS


@pytest.mark.parametrize("seed", range(100))
def test_allowed_without_the_store_the_excess_is_one_limit_for_each_instance(seed: int) -> None:
    history = History(seed, away="allow", crashes=False)
    for _ in range(150):
        history.step()
    history.heal()
    for month, true in history.truth.items():
        assert history.counted(month) == true
        for name, most in history.limits.items():
            assert true.named()[name] <= most * (1 + history.count)
