"""What a request can use at most, what it did use, and which month that counts in. Pure.

**Reservation.** Input: a tokenizer's token stands for at least one byte of text, so a prompt has at
most as many tokens as its JSON has bytes (twice that with tools, whose schema a chat template
writes out again with its own spaces), and `TEMPLATE_TOKENS` for what a template adds of its own. An
image is `IMAGE_TOKENS`, whatever its bytes. Where the model server holds prompts to the context, never
more than that. Output: what the request allows, else what the model is asked for by default.

**Month.** The calendar month in UTC by this process's clock when the request is reserved; it stays
with the request. A clock that is wrong by s seconds puts requests of at most the s seconds around
the turn of a month into the neighbouring month. Nothing else depends on a clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from .jsons import JsonObject, as_list, as_object, as_text, is_integer

TEMPLATE_TOKENS = 1024
"""More than any chat template in the catalogue adds: special tokens, default system prompts."""

IMAGE_TOKENS = 16_384
"""More than any model in the catalogue makes of one image: vision encoders scale large ones down, to
a few thousand patches."""

KEPT_MONTHS = 13
"""How long a month's counters are kept after it began."""

_MILLION = 1_000_000


@dataclass(frozen=True)
class Amounts:
    """Use of a service. `micro_usd` are millionths of a US dollar, 0 where there are no prices."""

    requests: int = 0
    tokens: int = 0
    micro_usd: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            self.requests + other.requests,
            self.tokens + other.tokens,
            self.micro_usd + other.micro_usd,
        )

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            self.requests - other.requests,
            self.tokens - other.tokens,
            self.micro_usd - other.micro_usd,
        )

    def named(self) -> dict[str, int]:
        """By the names that limits have."""
        return {"requests": self.requests, "tokens": self.tokens, "micro_usd": self.micro_usd}


@dataclass(frozen=True)
class Prices:
    """Millionths of a US dollar for a million tokens."""

    input_micro_usd: int
    output_micro_usd: int

    def of(self, input_tokens: int, output_tokens: int) -> int:
        """The price in micro-USD, rounded up."""
        total = input_tokens * self.input_micro_usd + output_tokens * self.output_micro_usd
        return -(-total // _MILLION)


def amounts(input_tokens: int, output_tokens: int, prices: Prices | None) -> Amounts:
    """One request with these tokens."""
    price = prices.of(input_tokens, output_tokens) if prices is not None else 0
    return Amounts(1, input_tokens + output_tokens, price)


def most_input_tokens(body: JsonObject, body_bytes: int, context_tokens: int | None) -> int:
    """The most tokens that a request's prompt can have.

    `body_bytes` is its length as JSON; `context_tokens` is None where nothing holds it to a context.
    """
    images = [
        len(as_text(address) or "")
        for message in as_list(body.get("messages")) or []
        for address in _images(message)
    ]
    text = body_bytes - sum(images)
    most = (text * 2 if body.get("tools") else text) + TEMPLATE_TOKENS + IMAGE_TOKENS * len(images)
    return most if context_tokens is None else min(most, context_tokens)


def used_tokens(usage: object) -> tuple[int, int] | None:
    """Input and output tokens of an OpenAI usage object, None when it does not say."""
    counted = as_object(usage) or {}
    prompt, answer = _count(counted, "prompt_tokens"), _count(counted, "completion_tokens")
    return None if prompt is None or answer is None else (prompt, answer)


def limit_passed(used: Mapping[str, int], limits: Mapping[str, int]) -> str | None:
    """The name of the first limit that `used` is above, None when it is within all of them."""
    return next((name for name, most in limits.items() if used.get(name, 0) > most), None)


def month_of(unix_seconds: float) -> str:
    """The calendar month in UTC, such as `2026-11`."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m")


def month_begins(month: str, after: int = 0) -> datetime:
    """When the month `after` months after `month` begins."""
    year, number = (int(part) for part in month.split("-"))
    index = year * 12 + number - 1 + after
    return datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)


def expires_at(month: str) -> int:
    """Unix seconds after which nobody asks for a month's counters any more."""
    return int(month_begins(month, KEPT_MONTHS).timestamp())


def _images(message: object) -> list[object]:
    """The address of each image in a message."""
    parts = as_list((as_object(message) or {}).get("content")) or []
    found = [as_object(part) or {} for part in parts]
    return [
        (as_object(part.get("image_url")) or {}).get("url")
        for part in found
        if part.get("type") == "image_url"
    ]


def _count(counted: JsonObject, name: str) -> int | None:
    value: object = counted.get(name)
    return value if isinstance(value, int) and is_integer(value) and value >= 0 else None
