"""One book of rates: what the targets know of what they create, and what this room adds.

A SKU of a target is called ``<target>/<sku>``; a target's table is read when one is asked for.
"""

import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Final

from portway.gate.tables import table
from portway.pricing.rate import NO_RATES, Rate, RateTable, read_rates
from portway.registry import load_target, registered

_FILES: Final = ("aws.json", "gcp.json")


class _Book(RateTable):
    """Every rate there is; see the module."""

    def find(self, sku: str, region: str) -> Rate | None:
        """The rate of ``sku`` in ``region``; None where nobody has published one."""
        target, _, rest = sku.partition("/")
        if rest and target in registered():
            found = load_target(target).rates().find(rest, region)
            return None if found is None else replace(found, sku=sku)
        found = _own().find(sku, region)
        if found is not None:
            return found
        for prefix, elsewhere in table("billed/other.json")["rates_elsewhere"].items():
            if sku.startswith(prefix):
                return self.find(f"{elsewhere}{sku}", region)
        return None


BOOK: Final[RateTable] = _Book(NO_RATES.rates, NO_RATES.anywhere)


@cache
def find(sku: str, region: str) -> Rate | None:
    """As ``BOOK.find``, remembered."""
    return BOOK.find(sku, region)


@cache
def _own() -> RateTable:
    found = NO_RATES
    folder = files("portway.gate").joinpath("data", "rates")
    for name in _FILES:
        document = json.loads(folder.joinpath(name).read_text(encoding="utf-8"))
        found += read_rates(document, f"gate/data/rates/{name}")
    return found
