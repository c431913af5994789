"""What Google charges for what this target creates, read from the table beside this file."""

import json
from functools import cache
from importlib.resources import files

from portway.pricing.rate import RateTable, read_rates


@cache
def rates() -> RateTable:
    """Every rate of the table."""
    file = files("portway.targets.cloud_run").joinpath("rates.json")
    return read_rates(json.loads(file.read_text(encoding="utf-8")), "cloud_run/rates.json")
