"""One book of rates: what the targets know of what they create, and what this room adds.

A SKU of a target is called ``<target>/<sku>``; a target's table is read when one is asked for.
"""

import json
import os
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from portway.gate.tables import table
from portway.price_lists.refresh import with_newer
from portway.pricing.rate import NO_RATES, Rate, RateTable, read_rates
from portway.registry import load_target, registered

NEWER: Final = "PORTWAY_RATES"
"""The environment variable that names the folder of an organisation's own rates: packs run as processes
of the engine, which hands them nothing else but their configuration."""

_FILES: Final = ("aws.json", "gcp.json")


class _Book(RateTable):
    """Every rate there is; see the module."""

    def find(self, sku: str, region: str) -> Rate | None:
        """The rate of ``sku`` in ``region``; None where nobody has published one."""
        target, _, rest = sku.partition("/")
        if rest and target in registered():
            found = _table(target).find(rest, region)
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
def _table(target: str) -> RateTable:
    """What the target ships, and over it what the organisation keeps."""
    shipped, folder = load_target(target), os.environ.get(NEWER)
    return (with_newer(shipped, Path(folder)) if folder else shipped).rates()


@cache
def _own() -> RateTable:
    found = NO_RATES
    folder = files("portway.gate").joinpath("data", "rates")
    for name in _FILES:
        document = json.loads(folder.joinpath(name).read_text(encoding="utf-8"))
        found += read_rates(document, f"gate/data/rates/{name}")
    return found
