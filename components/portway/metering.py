"""What targets do alike with a spec's limits: what is metered, and how the runtime is told."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from portway.errors import Problem
from portway.spec import InferenceServiceSpec
from portway.target import MeterPlan

VARIABLE: Final = "PORTWAY_METER"


def limits_of_use(spec: InferenceServiceSpec) -> MeterPlan | None:
    """The requests and tokens that the spec limits; None where it limits neither."""
    budget = spec.budget
    if budget is None or (budget.monthly_requests is None and budget.monthly_tokens is None):
        return None
    return MeterPlan(
        requests=budget.monthly_requests,
        tokens=budget.monthly_tokens,
        away=budget.when_meter_is_away,
    )


def without_a_meter(
    spec: InferenceServiceSpec,
    meter: MeterPlan | None,
    because: str = "this target has nothing to meter",
) -> Iterator[Problem]:
    """What the spec asks of a meter that there is none of, and why there is none."""
    budget = spec.budget
    if meter is None and budget is not None and "when_meter_is_away" in budget.model_fields_set:
        yield Problem(
            "budget.when_meter_is_away",
            f"is {budget.when_meter_is_away}, and {because}; add "
            "budget.monthly_requests or budget.monthly_tokens, or remove it",
        )


def meter_variable(
    meter: MeterPlan,
    store: Mapping[str, str | int],
    *,
    service: str,
    max_output_tokens: int,
) -> dict[str, str]:
    """The runtime's variable that makes it count.

    Args:
        meter: what is counted.
        store: where, with ``kind`` first: ``dynamodb``, ``firestore`` or ``valkey``.
        service: whose use it is: the key in the store.
        max_output_tokens: reserved where a request names no maximum.
    """
    limits = {"requests": meter.requests, "tokens": meter.tokens, "micro_usd": meter.micro_usd}
    document = {
        "store": dict(store),
        "service": service,
        "limits": {name: most for name, most in limits.items() if most is not None},
        **({} if meter.prices is None else {"prices": meter.prices.model_dump()}),
        "away": meter.away,
        "max_output_tokens": max_output_tokens,
    }
    return {VARIABLE: json.dumps(document, separators=(",", ":"))}
