"""What Amazon charges for what this target creates: the table beside this file, and tokens.

Rates of tokens come from ``genai-prices``, which is imported only when they are asked for. It names
no region, so each counts at the highest mark-up that the table knows of Amazon.
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final

from portway.pricing.rate import ANY_REGION, Grade, RateTable, read_rates

TOKENS_AS_OF: Final = "2026-11-21"
"""When the pinned ``genai-prices`` agreed with litellm 1.109.1 on all 100 models that both know."""

_GEOGRAPHIC: Final = frozenset({"us", "eu", "apac", "jp", "au", "ca", "us-gov"})
_WHERE: Final = "lambda_bedrock/rates.json"


@cache
def rates() -> RateTable:
    """Every rate of the table and of every model of Bedrock that has a flat price for text."""
    file = files("portway.targets.lambda_bedrock").joinpath("rates.json")
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return read_rates({**document, "rates": [*document["rates"], *_tokens()]}, _WHERE)


def token_sku(model_id: str, direction: str) -> str:
    """The SKU of a million tokens; ``direction`` is ``input`` or ``output``.

    A geographic profile (``eu.``…) has a price of its own, which ``genai-prices`` lists as
    ``regional.``; where it lists none, the profile is unpriced.
    """
    first, _, rest = model_id.partition(".")
    if first not in _GEOGRAPHIC:
        return f"tokens:{model_id}:{direction}".lower()
    return f"tokens:regional.{rest}:{direction}".lower()


def _tokens() -> Iterator[Mapping[str, Any]]:
    from genai_prices import __version__  # noqa: PLC0415 - half a second that only tokens cost
    from genai_prices.data import providers  # noqa: PLC0415 - the same

    (bedrock,) = (one for one in providers if one.id == "aws")
    for model in bedrock.models:
        prices = model.prices
        if isinstance(prices, list):
            continue
        for direction, price in (("input", prices.input_mtok), ("output", prices.output_mtok)):
            if isinstance(price, Decimal):
                yield {
                    "sku": token_sku(model.id, direction),
                    "regions": [ANY_REGION],
                    "unit": "million tokens",
                    "amount": str(price),
                    "source": f"genai-prices {__version__}, AWS Bedrock, {model.id}",
                    "as_of": TOKENS_AS_OF,
                    "grade": Grade.UNCONFIRMED.value,
                    "note": "the source names no region",
                }
