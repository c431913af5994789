"""What Amazon charges for what this target creates: the table beside this file, and tokens.

Rates of tokens come from ``genai-prices``, which is imported only when they are asked for. It names
no region, so each counts at the highest mark-up that the table knows of Amazon.
"""

import json
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec, module_from_spec
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
    source = f"genai-prices {version('genai-prices')}, AWS Bedrock"
    with _without_its_client():
        from genai_prices.data import providers  # noqa: PLC0415 - many times what a table costs

        (bedrock,) = (one for one in providers if one.id == "aws")
        flat = [(one.id, one.prices) for one in bedrock.models if not isinstance(one.prices, list)]
        found = [(model, each.input_mtok, each.output_mtok) for model, each in flat]
    for model, *prices in found:
        for direction, price in zip(("input", "output"), prices, strict=True):
            if isinstance(price, Decimal):
                yield {
                    "sku": token_sku(model, direction),
                    "regions": [ANY_REGION],
                    "unit": "million tokens",
                    "amount": str(price),
                    "source": f"{source}, {model}",
                    "as_of": TOKENS_AS_OF,
                    "grade": Grade.UNCONFIRMED.value,
                    "note": "the source names no region",
                }


@contextmanager
def _without_its_client() -> Generator[None]:
    """``genai-prices`` without the HTTP client that its package imports before anything else.

    That client is for updates over the network, which never happen here, and importing it takes
    longer than reading all prices.
    """
    name = "genai_prices"
    found = None if name in sys.modules else find_spec(name)
    if found is None:
        yield
        return
    sys.modules[name] = module_from_spec(found)
    try:
        yield
    finally:
        for one in [one for one in sys.modules if one.partition(".")[0] == name]:
            del sys.modules[one]
