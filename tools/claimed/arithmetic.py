"""What gives each figure that is often quoted: rates times quantities, through the product's arithmetic."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from portway.pricing.demand import Demand, demand
from portway.pricing.money import HOURS_PER_MONTH, cents
from portway.pricing.pool import Pool
from portway.pricing.running import running
from portway.registry import load_target
from portway.spec.traffic import Traffic

PUBLISHED = Path(__file__).with_name("published.json")
IOWA, VIRGINIA = "us-central1", "us-east-1"
HOLD_SECONDS, START_SECONDS = 600.0, 20.0
INPUT_TOKENS, OUTPUT_TOKENS = 500, 200
CONCURRENCY = 8
_SMALLEST = (("l4", 1), ("cpu", 4), ("memory", 16))
"""The smallest instance with an L4: 4 vCPU and 16 GiB (Cloud Run's GPU documentation)."""
_WAITING_GB = Decimal(1)
_WAITING_SECONDS = Decimal(5)


@dataclass(frozen=True)
class Option:
    """One way to serve the article's load: USD a month of 730 hours."""

    name: str
    monthly: Decimal


@dataclass(frozen=True)
class Always:
    """An always-on machine beside serverless: USD an hour, and where both cost the same."""

    name: str
    hourly: Decimal
    even: Decimal
    even_zonal: Decimal


@dataclass(frozen=True)
class Undercut:
    """A specialist beside a large cloud: how much less an hour costs, as a part of 1."""

    name: str
    against: str
    less: Decimal


@cache
def published() -> Mapping[str, Any]:
    """What others publish."""
    read: Mapping[str, Any] = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    return read


def hourly(name: str) -> Decimal:
    """USD an hour of what ``published.json`` calls ``name``."""
    return Decimal(published()["rates"][name]["usd_per_hour"])


def rate(target: str, sku: str, region: str) -> Decimal:
    """USD of one unit, from the table that prices stacks.

    Raises:
        LookupError: the table has no such rate, or only one that is unconfirmed.
    """
    found = load_target(target).rates().rates.get((sku, region))
    if found is None:
        raise LookupError(f"no rate of {sku} in {region}; a claim needs one that was read")
    return found.amount


def serverless(*, zonal: bool = False) -> Decimal:
    """USD for an hour of the smallest Cloud Run instance with an L4, in us-central1."""
    skus = {"l4": "l4-zonal"} if zonal else {}
    return sum(
        (rate("cloud-run", skus.get(sku, sku), IOWA) * units * 3600 for sku, units in _SMALLEST),
        start=Decimal(0),
    )


def article() -> Mapping[str, Decimal]:
    """The article's own figures: busy hours and USD, busy and always on, and what it saves."""
    given = published()["article"]
    seconds = given["requests_per_day"] * given["days"] * given["request_seconds"]
    busy = Decimal(seconds) / 3600
    always = Decimal(given["always_on_usd_per_hour"]) * HOURS_PER_MONTH
    return {
        "hours": busy,
        "busy": cents(busy * hourly("g5.2xlarge")),
        "always": cents(always),
        "always_at_list": cents(hourly("g5.2xlarge") * HOURS_PER_MONTH),
        "saved": 1 - busy * hourly("g5.2xlarge") / always,
        "idle": 1 - busy / HOURS_PER_MONTH,
    }


def managed_instances() -> Decimal:
    """USD a month of the fewest Lambda Managed Instances, of the smallest general kind: no GPU."""
    facts = published()["managed_instances"]
    each = hourly("m7g.xlarge") * (1 + Decimal(facts["fee"]))
    return cents(facts["least_instances"] * HOURS_PER_MONTH * each)


def instance_hours(requests_per_day: float, shape: str = "spread", concurrency: int = 1) -> Decimal:
    """Hours a month that instances run on Cloud Run, held ten minutes, for requests of 3 s."""
    given = Traffic.model_validate({"requests_per_day": requests_per_day, "shape": shape})
    pool = Pool(0, 1, concurrency, 3.0, HOLD_SECONDS, START_SECONDS)
    return Decimal(running(demand(given), pool).instance_hours)


def busy_only(requests_per_day: float) -> Decimal:
    """USD a month, were only busy seconds billed."""
    of: Demand = demand(Traffic.model_validate({"requests_per_day": requests_per_day}))
    seconds = Decimal(of.mean_per_second) * HOURS_PER_MONTH * 3600 * 3
    return cents(seconds / 3600 * serverless())


def held(requests_per_day: float) -> Decimal:
    """USD a month, as Cloud Run bills it: the instance is held for ten minutes."""
    return cents(instance_hours(requests_per_day) * serverless())


def buyable() -> tuple[Option, ...]:
    """What can be bought for 2,000 requests of 3 s a day, dearest first."""
    month = HOURS_PER_MONTH
    options = [
        Option("g5.2xlarge, always on", hourly("g5.2xlarge") * month),
        Option("Cloud Run L4, requests spread over the day", held(2000)),
        Option(
            "EKS and one g6.xlarge",
            (rate("kubernetes", "node:g6.xlarge:on-demand", VIRGINIA) + _cluster("eks")) * month,
        ),
        Option(
            "GKE and one g2-standard-4",
            (rate("kubernetes", "node:g2-standard-4:on-demand", IOWA) + _cluster("gke")) * month,
        ),
        Option(
            f"Cloud Run L4, all within one hour a day, {CONCURRENCY} at once",
            instance_hours(2000, "burst", CONCURRENCY) * serverless(),
        ),
        Option("RunPod L4, busy seconds alone", article()["hours"] * hourly("RunPod L4")),
        *(Option(f"{name} on Bedrock, {INPUT_TOKENS} tokens in and {OUTPUT_TOKENS} out", usd)
          for name, usd in tokens().items()),
    ]  # fmt: skip
    rounded = [replace(one, monthly=cents(one.monthly)) for one in options]
    return tuple(sorted(rounded, key=lambda one: -one.monthly))


def tokens() -> Mapping[str, Decimal]:
    """USD for the article's 60,000 requests of a month, by model, at the base price of its region."""
    from genai_prices.data import providers  # noqa: PLC0415 - half a second that only this costs

    (bedrock,) = (one for one in providers if one.id == "aws")
    wanted = {
        "amazon.nova-micro-v1:0": "Nova Micro",
        "openai.gpt-oss-20b-1:0": "gpt-oss-20b",
        "meta.llama3-1-8b-instruct-v1:0": "Llama 3.1 8B",
        "global.anthropic.claude-haiku-4-5-20251001-v1:0": "Claude Haiku 4.5",
    }
    found: dict[str, Decimal] = {}
    for model in bedrock.models:
        prices = model.prices
        if model.id in wanted and not isinstance(prices, list):
            each = (INPUT_TOKENS, prices.input_mtok), (OUTPUT_TOKENS, prices.output_mtok)
            million = sum((count * Decimal(str(price)) for count, price in each), start=Decimal(0))
            found[wanted[model.id]] = cents(60_000 * million / 1_000_000)
    return found


def waiting() -> Decimal:
    """USD a month of a function that waits for the model, before any free tier."""
    each = rate("lambda-bedrock", "duration:arm64", VIRGINIA) * _WAITING_GB * _WAITING_SECONDS
    return cents(60_000 * each)


def arm_is_cheaper_by() -> Decimal:
    """Of Lambda's duration, as a part of 1."""
    arm, x86 = (
        rate("lambda-bedrock", f"duration:{kind}", VIRGINIA) for kind in ("arm64", "x86-64")
    )
    return 1 - arm / x86


def always_on() -> tuple[Always, ...]:
    """Machines that are paid all month, beside the smallest Cloud Run instance with an L4."""
    terms = ("on-demand", "1-year", "spot", "3-years")
    google = {
        f"g2-standard-4, {term}": rate("kubernetes", f"node:g2-standard-4:{term}", IOWA)
        for term in terms
    }
    amazon = {
        "g6.xlarge, on-demand": rate("kubernetes", "node:g6.xlarge:on-demand", VIRGINIA),
        **{f"{name}, on-demand": hourly(name) for name in ("g5.xlarge", "g5.2xlarge")},
    }
    return tuple(
        Always(name, usd, usd / serverless(), usd / serverless(zonal=True))
        for name, usd in (*google.items(), *amazon.items())
    )


def busy_part(saved: Decimal) -> Decimal:
    """How much of the time an instance may run for ``saved`` against g2-standard-4 on demand."""
    ratio = serverless() / rate("kubernetes", "node:g2-standard-4:on-demand", IOWA)
    return (1 - saved) / ratio


def undercuts() -> tuple[Undercut, ...]:
    """Specialised providers beside the large clouds, the same GPU."""
    l4 = rate("kubernetes", "node:g6.xlarge:on-demand", VIRGINIA)
    against = [
        ("L4", "Cloud Run, the whole instance", serverless()),
        ("L4", "g6.xlarge", l4),
        *(("A100 80 GB", name, hourly(name)) for name in ("a2-ultragpu-1g", "p4de.24xlarge / 8")),
        *(("H100", name, hourly(name)) for name in ("a3-highgpu-1g", "p5.4xlarge")),
    ]
    return tuple(
        Undercut(f"{who} {gpu}", name, 1 - hourly(f"{who} {gpu}") / usd)
        for gpu, name, usd in against
        for who in ("RunPod", "Modal")
    )


def _cluster(flavour: str) -> Decimal:
    return rate("kubernetes", f"{flavour}:cluster", VIRGINIA if flavour == "eks" else IOWA)
