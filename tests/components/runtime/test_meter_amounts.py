import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.runtime.meter_amounts import (
    IMAGE_TOKENS,
    TEMPLATE_TOKENS,
    Amounts,
    Prices,
    amounts,
    expires_at,
    limit_passed,
    month_begins,
    month_of,
    most_input_tokens,
    used_tokens,
)

COUNTS = st.integers(min_value=0, max_value=10**9)


def body(text: str, **fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], **fields}


@given(st.text(max_size=200))
def test_a_prompt_never_has_more_tokens_than_it_has_bytes(text: str) -> None:
    written = len(json.dumps(body(text)).encode())
    # A byte-level tokenizer at its worst: one token for each byte.
    assert len(text.encode("utf-8", "surrogatepass")) <= written
    assert most_input_tokens(body(text), written, 10**6) == written + TEMPLATE_TOKENS


def test_the_context_is_the_most_where_it_is_held() -> None:
    assert most_input_tokens(body("x"), 10**6, 8192) == 8192
    assert most_input_tokens(body("x"), 10**6, None) == 10**6 + TEMPLATE_TOKENS


def test_tools_count_twice_because_templates_write_them_out_again() -> None:
    assert (
        most_input_tokens(body("x", tools=[{"type": "function"}]), 500, 10**6)
        == 1000 + TEMPLATE_TOKENS
    )


@pytest.mark.parametrize("address", ["data:image/png;base64,AAAA", "data:" + "A" * 100_000])
def test_an_image_counts_as_one_whatever_its_bytes(address: str) -> None:
    image = {"type": "image_url", "image_url": {"url": address}}
    parts = [{"type": "text", "text": "what are these"}, image, image]
    sent = {"messages": [{"content": parts}]}
    written = len(json.dumps(sent))
    text = written - 2 * len(address)
    assert most_input_tokens(sent, written, None) == text + TEMPLATE_TOKENS + 2 * IMAGE_TOKENS
    assert most_input_tokens(sent, written, 8192) == 8192


def test_parts_of_text_are_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert most_input_tokens({"messages": [{"content": parts}]}, 9, 32768) == 9 + TEMPLATE_TOKENS


def test_a_price_is_rounded_up_once_for_each_request() -> None:
    prices = Prices(150_000, 600_000)
    assert amounts(1, 0, prices) == Amounts(1, 1, 1)
    assert amounts(1_000_000, 1_000_000, prices) == Amounts(1, 2_000_000, 750_000)
    assert amounts(7, 3, None) == Amounts(1, 10, 0)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_a_price_is_never_below_the_exact_one_and_less_than_a_millionth_above(
    given_in: int, given_out: int, price_in: int, price_out: int
) -> None:
    exact = given_in * price_in + given_out * price_out
    told = Prices(price_in, price_out).of(given_in, given_out)
    assert 0 <= told * 1_000_000 - exact < 1_000_000


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": 3},
        {"prompt_tokens": 3, "completion_tokens": -1},
        {"prompt_tokens": "3", "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        [3, 1],
    ],
)
def test_a_usage_that_does_not_say_is_not_believed(usage: object) -> None:
    assert used_tokens(usage) is None


def test_a_usage_of_nothing_says_so() -> None:
    assert used_tokens({"prompt_tokens": 12, "completion_tokens": 0}) == (12, 0)


def test_the_first_limit_that_is_passed_is_named() -> None:
    limits = {"requests": 10, "tokens": 100}
    assert limit_passed({"requests": 10, "tokens": 100}, limits) is None
    assert limit_passed({"requests": 10, "tokens": 101}, limits) == "tokens"
    assert limit_passed({"requests": 11, "tokens": 101}, limits) == "requests"
    assert limit_passed({"requests": 11}, {}) is None


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_months_turn_at_midnight_in_utc() -> None:
    assert month_of(at("2026-11-30T23:59:59")) == "2026-11"
    assert month_of(at("2026-12-01T00:00:00")) == "2026-12"


def test_a_month_ends_where_the_next_begins_and_is_kept_for_thirteen() -> None:
    assert month_begins("2026-12", 1) == datetime(2027, 1, 1, tzinfo=UTC)
    assert expires_at("2026-11") == at("2027-12-01T00:00:00")
