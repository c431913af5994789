#!/usr/bin/env python3
"""Write, or with ``--check`` compare, docs/claims.md: figures that are often quoted, recomputed.

.venv/bin/python tools/claims.py            # writes the page
.venv/bin/python tools/claims.py --check    # ends with 1 where the page says something else
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from claimed import arithmetic

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "claims.md"


def main() -> int:
    """0 when the page is as computed (or was written), 1 when it is not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    made = page()
    if not parser.parse_args().check:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text("utf-8") == made:
        return 0
    sys.stderr.write("docs/claims.md is not what the arithmetic gives; run: make claims\n")
    return 1


def page() -> str:
    """The whole page."""
    sections = (_head, _article, _break_even, _savings, _arm, _specialists, _sources)
    return "\n".join(line for section in sections for line in (*section(), "")).rstrip() + "\n"


def _head() -> Iterator[str]:
    yield from (
        "# Claims about the price of inference",
        "",
        "<!-- written by `make claims`; a test compares it with the arithmetic that prices stacks -->",
        "",
        "Six figures are quoted wherever serverless inference is sold. Each is recomputed here with the arithmetic and "
        "the rates behind `portway price`, so that none can drift from its inputs. List prices in USD before tax; a "
        "month is 730 hours.",
    )


def _article() -> Iterator[str]:
    facts, given = arithmetic.article(), arithmetic.published()["article"]
    managed = arithmetic.published()["managed_instances"]
    yield from (
        "## “60.60 USD instead of 876 USD a month: 93 % less”",
        "",
        f"{given['requests_per_day']:,} requests a day × {given['days']} days × {given['request_seconds']} s = "
        f"{facts['hours']:.0f} hours; × {arithmetic.hourly('g5.2xlarge')} USD (g5.2xlarge) = **{facts['busy']} USD**. "
        f"Always on: {given['always_on_usd_per_hour']} USD × 730 = **{facts['always']} USD** (at the list price "
        f"{facts['always_at_list']}). 1 − {facts['busy']} ÷ {facts['always']} = **{_part(facts['saved'], 2)}**, which is "
        f"nothing but the idle part of the month: 1 − {facts['hours']:.0f} ÷ 730 = {_part(facts['idle'], 2)}.",
        "",
        "**Verdict: the sum is right, and nobody sells it.** It bills the busy seconds of a GPU machine at its hourly "
        "price, with no start and no waiting. Lambda Managed Instances, to which it is ascribed, have no GPUs "
        f"({managed['no_gpus']}), bill whole instances with a fee of {_part(Decimal(managed['fee']), 0)}, and start with "
        f"{managed['least_instances']}: {arithmetic.managed_instances()} USD a month at least with m7g.xlarge. What that load "
        "costs on what can be bought:",
        "",
    )
    rows = [(one.name, f"{one.monthly:,.2f}") for one in arithmetic.buyable()]
    yield from _table(("for 2,000 requests of 3 s a day", "USD a month"), rows, right=1)
    yield from (
        "",
        "In front of Bedrock a Lambda of 1 GB (arm64) that waits 5 s for each answer is "
        f"{arithmetic.waiting()} USD more, before its free tier: more than the tokens of the cheapest model. "
        "The busy seconds of RunPod leave out its idle timeout and cold starts. For this load what saves is paying by "
        "the token, or having all of the traffic at once, and not the GPU without a server.",
        "",
        "Why Cloud Run is not cheap here: a GPU instance is held up to ten minutes after its last request, and requests "
        "spread over the day are 43 s apart.",
        "",
    )
    rows = [
        (
            f"{count:,}",
            _part(arithmetic.instance_hours(count) / 730, 1),
            f"{arithmetic.held(count):,.2f}",
            f"{arithmetic.busy_only(count):,.2f}",
            f"{arithmetic.held(count) / arithmetic.busy_only(count):.0f} ×",
        )
        for count in (10, 50, 100, 200, 500, 2000)
    ]
    heads = ("requests a day", "running", "USD a month", "busy seconds alone", "too low by")
    yield from _table(heads, rows, right=5)


def _break_even() -> Iterator[str]:
    claim = arithmetic.published()["break_even"]
    yield from (
        "## “Serverless pays below 40 % utilisation”",
        "",
        f"The phrase is “{claim['says']}” ({claim['source']}). Break-even is no constant: it is the price of an hour that "
        "is always on ÷ the price of an hour that is not. Beside one Cloud Run instance with an L4, 4 vCPU and 16 GiB "
        f"({arithmetic.serverless():.5f} USD an hour, {arithmetic.serverless(zonal=True):.5f} with zonal redundancy):",
        "",
    )
    rows = [
        (one.name, f"{one.hourly.normalize():f}", _even(one.even), _even(one.even_zonal))
        for one in arithmetic.always_on()
    ]
    heads = ("always on", "USD an hour", "break-even", "with zonal redundancy")
    yield from _table(heads, rows, right=3)
    evens = sorted(one.even for one in arithmetic.always_on())
    yield from (
        "",
        f"**Verdict: between {_part(evens[0], 0)} and never.** 40 % is near two of these and wrong for the others. "
        "Utilisation counts here as the time an instance runs, waiting included, not the time it is busy: the table "
        "above says how far these are apart. The cost pack computes it and falls back to 40 % only where a rate is missing.",
    )


def _savings() -> Iterator[str]:
    parts = {saved: arithmetic.busy_part(Decimal(saved)) for saved in ("0.30", "0.60", "0.93")}
    yield from (
        "## “Scale to zero saves 30 to 60 %”",
        "",
        "Saved = 1 − the running part × (serverless ÷ always on). Cloud Run against a g2-standard-4 on demand:",
        "",
    )
    rows = [(_part(Decimal(saved), 0), _part(part, 1)) for saved, part in parts.items()]
    yield from _table(("saved", "if instances run at most"), rows, right=2)
    yield from (
        "",
        f"**Verdict: true of services that run {_part(parts['0.60'], 0)} to {_part(parts['0.30'], 0)} of the time**, the ten idle "
        "minutes after each request included. No primary source was found for the range. Above "
        f"{_part(arithmetic.always_on()[0].even, 1)} it costs more than the machine.",
    )


def _arm() -> Iterator[str]:
    yield from (
        "## “ARM is 20 % cheaper on Lambda”",
        "",
        "Duration in us-east-1, first tier: "
        f"1 − {arithmetic.rate('lambda-bedrock', 'duration:arm64', arithmetic.VIRGINIA):f} ÷ "
        f"{arithmetic.rate('lambda-bedrock', 'duration:x86-64', arithmetic.VIRGINIA):f} = "
        f"**{_part(arithmetic.arm_is_cheaper_by(), 2)}**.",
        "",
        "**Verdict: exact, for duration.** Requests, streamed bytes and the tokens of the model cost the same. That ARM "
        "is also faster was not found in a price source, and is not counted.",
    )


def _specialists() -> Iterator[str]:
    yield from (
        "## “Specialised providers are 50 to 70 % cheaper”",
        "",
    )
    found = arithmetic.undercuts()
    rows = [(one.name, one.against, _part(one.less, 0)) for one in found]
    yield from _table(("an hour of", "against", "cheaper by"), rows, right=1)
    within = [one for one in found if Decimal("0.5") <= one.less <= Decimal("0.7")]
    names = "; ".join(f"{one.name} against {one.against}" for one in within)
    yield from (
        "",
        f"**Verdict: true of {len(within)} of these {len(found)} pairs** ({names}), and false of every L4. Their prices move within weeks, and an idle "
        "timeout and cold starts are billed there too.",
    )


def _sources() -> Iterator[str]:
    yield from (
        "## Where the figures come from",
        "",
        "Cloud Run, Lambda, GKE, EKS and Bedrock: `portway rates --json`, each with source, date and grade. The others:",
        "",
    )
    rows = [
        (name, str(one["says"]), str(one["usd_per_hour"]), str(one["source"]), str(one["as_of"]))
        for name, one in arithmetic.published()["rates"].items()
    ]
    yield from _table(("", "what", "USD an hour", "source", "read"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: int = 0) -> Iterator[str]:
    """A Markdown table; its last ``right`` columns hold figures."""
    rules = ["---"] * (len(heads) - right) + ["---:"] * right
    for row in (heads, rules, *rows):
        yield f"| {' | '.join(row)} |"


def _part(value: Decimal, digits: int) -> str:
    """``0.9308`` as ``93.1 %``."""
    return f"{value * 100:.{digits}f} %"


def _even(value: Decimal) -> str:
    return f"{_part(value, 1)}: never" if value >= 1 else _part(value, 1)


if __name__ == "__main__":
    sys.exit(main())
