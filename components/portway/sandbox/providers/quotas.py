"""How much a sandbox project or account may use: ``quotas.json``, overridden by the faults file."""

import json
from functools import cache
from pathlib import Path

from portway.sandbox.providers.cloud import Cloud


def allowed(cloud: Cloud, quota: str, region: str) -> int:
    """The amount of ``quota`` in ``region``, in the quota's own unit (milli-vCPU, bytes, GPUs, calls)."""
    overrides = cloud.quotas.get(quota, {})
    shipped = _shipped()[quota]
    for table, place in ((overrides, region), (overrides, "default"), (shipped, region)):
        if place in table:
            return table[place]
    return shipped["default"]


@cache
def _shipped() -> dict[str, dict[str, int]]:
    text = Path(__file__).with_name("quotas.json").read_text(encoding="utf-8")
    quotas: dict[str, dict[str, int]] = json.loads(text)["quotas"]
    return quotas
