"""What a stack costs, handed from the cost pack's process to the gate that started the engine.

A pack speaks in violations only, and a gate cannot price a preview as well as the pack can: the engine
tells the pack alone which value comes from which resource. So the pack also writes one small file.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, cast

from portway.gate.baseline import Earlier, earlier, files_of, name_of
from portway.gate.billing import stack_estimate
from portway.gate.billing.words import untold
from portway.gate.config import CostConfig
from portway.gate.resource import Stack
from portway.pricing.freshness import stale
from portway.pricing.money import money_shown, money_text
from portway.pricing.rate import oldest

COSTS: Final = "PORTWAY_COSTS"
"""The environment variable that names the file."""


@dataclass(frozen=True)
class Costs:
    """What one stack costs, USD a month.

    Attributes:
        untold: why there is no total, or nothing.
        rates_as_of: the day on which the oldest rate that was used was read.
        stale: a sentence on rates that are old, or "".
        before: what it cost by the baseline; None without one.
        unknown: why a baseline that was named does not tell it, or "".
    """

    project: str
    floor: Decimal
    expected: Decimal
    ceiling: Decimal
    untold: tuple[str, ...] = ()
    rates_as_of: date | None = None
    stale: str = ""
    before: Earlier | None = None
    unknown: str = ""

    @property
    def monthly(self) -> dict[str, str] | None:
        """The totals as documents carry them; None where something is in none of them."""
        if self.untold:
            return None
        parts = {"floor": self.floor, "expected": self.expected, "ceiling": self.ceiling}
        return {name: money_text(amount) for name, amount in parts.items()}

    @property
    def change(self) -> str:
        """``ceiling 500 USD → 1,742 USD (+1,242 USD), …`` a month; "" without a baseline."""
        if self.unknown:
            return f"cannot be compared: {self.unknown}"
        if self.before is None:
            return ""
        parts = (
            moved("ceiling", self.before.ceiling, self.ceiling),
            moved("floor", self.before.floor, self.floor),
        )
        missing = [*self.untold, *([self.before.untold] if self.before.untold else [])]
        rest = f"; not in it: {'; '.join(missing)}" if missing else ""
        return f"a month since {self.before.source}: {', '.join(parts)}{rest}"


def moved(what: str, then: Decimal, now: Decimal) -> str:
    """``ceiling 500 USD → 1,742 USD (+1,242 USD)``."""
    if then == now:
        return f"{what} {money_shown(now)} as before"
    sign = "+" if now > then else "-"
    return f"{what} {money_shown(then)} → {money_shown(now)} ({sign}{money_shown(abs(now - then))})"


def costs_of(stack: Stack, config: CostConfig, today: date) -> Costs:
    """What ``stack`` costs at the rates of this process, and what it cost by the baseline."""
    declared = tuple(config.declared_usd.items())
    found = stack_estimate(stack, declared)
    is_asked = bool(files_of(config) or config.baseline_usd)
    before = earlier(stack, config, declared) if is_asked else None
    missing = [f"{one}: {fault.why}" for one, fault in found.faults]
    return Costs(
        project=name_of(stack)[1],
        floor=found.totals.floor,
        expected=found.totals.expected,
        ceiling=found.totals.ceiling,
        untold=tuple(dict.fromkeys(missing)) if any(untold(found.resources)) else (),
        rates_as_of=oldest(found.rates),
        stale=stale(found.rates, today),
        before=before if isinstance(before, Earlier) else None,
        unknown=before if isinstance(before, str) else "",
    )


def write(costs: Costs, file: Path) -> None:
    """Hand ``costs`` over. A disk that is full costs the gate a line of its report, not its verdict."""
    before = costs.before
    document = {
        "project": costs.project,
        "amounts": [str(one) for one in (costs.floor, costs.expected, costs.ceiling)],
        "untold": list(costs.untold),
        "rates_as_of": None if costs.rates_as_of is None else costs.rates_as_of.isoformat(),
        "stale": costs.stale,
        "unknown": costs.unknown,
        "before": None
        if before is None
        else [before.stack, before.project, before.source, str(before.floor), str(before.ceiling),
              before.untold],
    }  # fmt: skip
    with suppress(OSError):
        file.write_text(json.dumps(document), encoding="utf-8")


def read(file: Path) -> Costs | None:
    """What the pack wrote; None where it wrote nothing, or not all of it."""
    try:
        told = cast("Mapping[str, Any]", json.loads(file.read_text(encoding="utf-8")))
        floor, expected, ceiling = map(Decimal, told["amounts"])
        as_of = told["rates_as_of"]
        return Costs(
            project=told["project"],
            floor=floor,
            expected=expected,
            ceiling=ceiling,
            untold=tuple(told["untold"]),
            rates_as_of=None if as_of is None else date.fromisoformat(as_of),
            stale=told["stale"],
            before=None if told["before"] is None else _before(*told["before"]),
            unknown=told["unknown"],
        )
    except (OSError, ValueError, LookupError, TypeError, InvalidOperation):
        return None


def _before(
    stack: str, project: str | None, source: str, floor: str, ceiling: str, why: str
) -> Earlier:
    return Earlier(stack, project, source, Decimal(floor), Decimal(ceiling), why)
