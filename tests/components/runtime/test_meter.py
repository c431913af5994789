import json
import random
from typing import Any

import pytest

from portway.runtime.errors import WireError, upstream_error
from portway.runtime.log import Record
from portway.runtime.meter import REST_SECONDS, Meter, Reservation
from portway.runtime.meter_amounts import TEMPLATE_TOKENS, Amounts, Prices
from portway.runtime.meter_settings import MeterSettings
from portway.runtime.pump import Cancelled
from portway.runtime.upstream import ChatRequest
from support.meter_stores import BreakingStore, MemoryStore

NOVEMBER = 1795305600.0
MONTH = "2026-11"
BYTES = 76
MOST = BYTES + TEMPLATE_TOKENS + 100


def record() -> Record:
    return Record("req-1", "POST", "/v1/chat/completions")


def request(max_tokens: int | None = 100, **fields: Any) -> ChatRequest:
    messages = [{"role": "user", "content": "Hello"}]
    body = {"messages": messages, **fields}
    return ChatRequest(
        body,
        messages,
        stream=False,
        include_usage=False,
        max_tokens=max_tokens,
        default_max_tokens=512,
        request_id="req-1",
    )


class Bench:
    """A meter, its store that can be away, and clocks that stand still until they are moved."""

    def __init__(self, away: str = "refuse", prices: Prices | None = None, **limits: int) -> None:
        self.store = MemoryStore()
        self.network = BreakingStore(self.store, random.Random(0), share=0)
        self.unix = NOVEMBER
        self.monotonic = 0.0
        settings = MeterSettings({}, "chat", limits, prices, away, 512)
        self.meter = Meter(
            settings, self.network, 8192, now=lambda: self.unix, clock=lambda: self.monotonic
        )

    def reserve(self, chat: ChatRequest | None = None) -> Reservation:
        return self.meter.reserve(chat or request(), BYTES)

    def refused(self, chat: ChatRequest | None = None) -> WireError:
        with pytest.raises(WireError) as caught:
            self.reserve(chat)
        return caught.value

    def used(self) -> Amounts:
        return self.store.used.get(MONTH, Amounts())


def usage(prompt: int = 12, answer: int = 30) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": answer}


def test_a_request_reserves_the_most_it_can_use() -> None:
    bench = Bench(tokens=10_000)
    bench.reserve()
    assert bench.used() == Amounts(1, MOST)


def test_a_request_that_names_no_limit_reserves_what_the_model_is_asked_for() -> None:
    bench = Bench(tokens=10_000)
    bench.reserve(request(None))
    assert bench.used() == Amounts(1, BYTES + TEMPLATE_TOKENS + 512)


def test_an_answer_is_settled_at_its_usage() -> None:
    bench = Bench(tokens=10_000, prices=Prices(1_000_000, 2_000_000), micro_usd=10**9)
    held, line = bench.reserve(), record()
    held.count(usage())
    held.end(line)
    assert bench.used() == Amounts(1, 42, 72)
    assert (line.metered_tokens, line.metered_micro_usd) == (42, 72)
    assert line.line()["metered_micro_usd"] == 72
    assert not bench.store.open


def test_usage_that_arrived_before_the_answer_broke_counts() -> None:
    bench = Bench(tokens=10_000)
    held = bench.reserve()
    held.count(usage())
    held.end(record(), upstream_error("broke off"))
    assert bench.used() == Amounts(1, 42)


@pytest.mark.parametrize(
    "error",
    [
        WireError(400, "too long"),
        WireError(429, "busy"),
        WireError(503, "not up", unasked=True),
    ],
)
def test_what_the_model_refused_before_it_worked_costs_nothing(error: WireError) -> None:
    bench = Bench(tokens=10_000)
    bench.reserve().end(record(), error)
    assert bench.used() == Amounts()


@pytest.mark.parametrize(
    "error",
    [
        None,
        Cancelled(),
        WireError(503, "does not answer"),
        WireError(504, "too slow"),
        ValueError("a fault of ours"),
    ],
)
def test_what_nobody_knows_counts_as_it_was_reserved(error: BaseException | None) -> None:
    bench = Bench(tokens=10_000)
    bench.reserve().end(record(), error)
    assert bench.used() == Amounts(1, MOST)


def test_a_reservation_that_stays_as_it_is_closes_with_the_next_settlement() -> None:
    bench = Bench(tokens=10_000)
    bench.reserve().end(record(), Cancelled())
    assert len(bench.store.open) == 1
    held = bench.reserve()
    held.count(usage())
    held.end(record())
    assert not bench.store.open
    assert bench.used() == Amounts(2, MOST + 42)


def test_a_reservation_is_settled_once() -> None:
    bench = Bench(tokens=10_000)
    held = bench.reserve()
    held.count(usage())
    held.end(record())
    held.count(usage(1, 1))
    held.end(record())
    assert bench.used() == Amounts(1, 42)


def test_past_a_limit_the_error_says_which_one_and_when_it_starts_anew() -> None:
    bench = Bench(requests=1)
    bench.reserve()
    error = bench.refused()
    assert (error.status, error.kind, error.code) == (
        429,
        "insufficient_quota",
        "insufficient_quota",
    )
    assert error.headers() == {"x-should-retry": "false"}
    assert error.message == (
        "You exceeded the budget of this service: 1 request in November 2026 (UTC), of which less "
        "is left than this request may need (1 request). The budget starts anew at "
        "2026-12-01T00:00:00Z."
    )


def test_money_is_told_in_dollars() -> None:
    bench = Bench(prices=Prices(1_000_000, 2_000_000), micro_usd=1_500)
    bench.reserve(request(1))
    assert "0.001500 USD in November 2026 (UTC)" in bench.refused().message
    assert "(0.001102 USD)" in bench.refused(request(1)).message


def test_a_request_larger_than_the_whole_budget_is_refused_without_asking_the_store() -> None:
    bench = Bench(tokens=MOST - 1)
    assert bench.refused().code == "insufficient_quota"
    assert bench.store.calls == 0
    assert Bench(tokens=MOST).reserve().most.tokens == MOST


def test_a_new_month_has_its_own_budget_and_a_request_stays_in_the_one_it_began_in() -> None:
    bench = Bench(requests=1)
    held = bench.reserve()
    bench.unix += 30 * 86400
    bench.reserve()
    held.end(record(), WireError(400, "no"))
    assert bench.store.used == {MONTH: Amounts(), "2026-12": Amounts(1, MOST)}


def test_a_dearer_tier_is_refused_where_money_is_metered_and_passes_elsewhere() -> None:
    metered = Bench(prices=Prices(1, 1), micro_usd=10**9)
    error = metered.refused(request(service_tier="priority"))
    assert (error.status, error.param) == (400, "service_tier")
    metered.reserve(request(service_tier="flex"))
    Bench(tokens=10_000).reserve(request(service_tier="priority"))


def test_a_model_that_uses_more_than_it_could_is_believed_and_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bench = Bench(tokens=10_000)
    held = bench.reserve()
    held.count(usage(9000, 100))
    held.end(record())
    assert bench.used() == Amounts(1, 9100)
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["reserved_tokens"], line["used_tokens"]) == (
        "meter_reserved_too_little",
        MOST,
        9100,
    )


def test_a_limit_that_refuses_is_logged_once_a_month(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tokens=1)
    for _ in range(3):
        assert bench.refused().code == "insufficient_quota"
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert (said["event"], said["limit"], said["month"]) == (
        "meter_limit_reached",
        "1 token",
        MONTH,
    )


class TestRefusingWithoutTheStore:
    def test_the_client_is_told_to_come_back_and_the_operator_why(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bench = Bench(tokens=10_000)
        bench.network.away = True
        error = bench.refused()
        assert (error.status, error.code) == (503, "meter_unavailable")
        assert error.headers() == {"retry-after": "5"}
        bench.refused()
        (line,) = capsys.readouterr().out.splitlines()
        assert json.loads(line)["event"] == "meter_away"
        assert json.loads(line)["reason"] == "the call was lost"

    def test_it_is_said_again_after_a_minute(self, capsys: pytest.CaptureFixture[str]) -> None:
        bench = Bench(tokens=10_000)
        bench.network.away = True
        for _ in range(3):
            bench.refused()
            bench.monotonic += 40
        assert len(capsys.readouterr().out.splitlines()) == 2

    def test_a_settlement_waits_until_the_store_is_back(self) -> None:
        bench = Bench(tokens=10_000)
        held = bench.reserve()
        held.count(usage())
        bench.network.away = True
        held.end(record())
        assert bench.used() == Amounts(1, MOST)
        bench.network.away = False
        again = bench.reserve()
        again.count(usage(1, 1))
        again.end(record())
        assert bench.used() == Amounts(2, 44)

    def test_what_is_left_is_settled_when_the_process_ends(self) -> None:
        bench = Bench(tokens=10_000)
        held = bench.reserve()
        held.count(usage())
        bench.network.away = True
        held.end(record())
        bench.network.away = False
        bench.meter.close()
        assert bench.used() == Amounts(1, 42)

    def test_a_reservation_whose_answer_was_lost_is_given_back(self) -> None:
        bench = Bench(tokens=10_000)
        bench.network.answers_to_lose = 2
        assert bench.refused().code == "meter_unavailable"
        assert bench.used() == Amounts(1, MOST)
        bench.meter.close()
        assert bench.used() == Amounts()

    def test_an_answer_lost_once_is_asked_for_again_and_reserved_once(self) -> None:
        bench = Bench(tokens=10_000)
        bench.network.answers_to_lose = 1
        held = bench.reserve()
        assert bench.used() == Amounts(1, MOST)
        held.count(usage())
        bench.network.answers_to_lose = 1
        held.end(record())
        assert bench.used() == Amounts(1, 42)


class TestAllowingWithoutTheStore:
    def test_requests_are_served_and_counted_when_it_is_back(self) -> None:
        bench = Bench("allow", tokens=10_000)
        bench.network.away = True
        for _ in range(2):
            held = bench.reserve()
            held.count(usage())
            held.end(record())
        assert bench.used() == Amounts()
        bench.network.away = False
        bench.monotonic += REST_SECONDS
        held = bench.reserve()
        held.count(usage())
        held.end(record())
        assert bench.used() == Amounts(3, 3 * 42)
        assert not bench.store.open

    def test_a_store_that_is_away_is_left_alone_for_a_while(self) -> None:
        bench = Bench("allow", tokens=10_000)
        bench.network.away = True
        bench.reserve()
        bench.network.away = False
        bench.reserve()
        assert bench.store.calls == 0
        bench.monotonic += REST_SECONDS
        bench.reserve()
        assert bench.store.calls == 1

    def test_an_instance_on_its_own_keeps_to_the_limits_by_its_own_count(self) -> None:
        bench = Bench("allow", requests=2)
        bench.network.away = True
        bench.reserve().end(record(), WireError(400, "no"))
        bench.reserve()
        bench.reserve()
        assert bench.refused().code == "insufficient_quota"

    def test_what_was_used_alone_counts_although_it_passes_a_limit(self) -> None:
        bench = Bench("allow", requests=1)
        bench.reserve()
        bench.network.away = True
        bench.monotonic += REST_SECONDS
        alone = bench.reserve()
        bench.network.away = False
        bench.monotonic += REST_SECONDS
        alone.count(usage())
        alone.end(record())
        assert bench.used() == Amounts(2, MOST + 42)
        assert bench.refused().code == "insufficient_quota"
