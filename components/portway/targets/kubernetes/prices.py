"""What Google and Amazon charge for clusters, read from the tables beside this file."""

import json
from functools import cache
from importlib.resources import files

from portway.pricing.rate import NO_RATES, RateTable, read_rates


@cache
def rates() -> RateTable:
    """Every rate of both vendors, each at its own vendor's highest mark-up where it needs one."""
    found = NO_RATES
    for name in ("rates.gke.json", "rates.eks.json"):
        file = files("portway.targets.kubernetes").joinpath(name)
        document = json.loads(file.read_text(encoding="utf-8"))
        found += read_rates(document, f"kubernetes/{name}")
    return found
