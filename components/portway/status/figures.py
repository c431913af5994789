"""The four signals of a while as figures, and a meter's month: what every store is read into."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

COUNTED = ("requests", "tokens", "micro_usd")
"""What a meter counts, as its store names it."""


@dataclass(frozen=True)
class Figures:
    """The signals of a service over a while.

    Attributes:
        requests: that asked the model, however they ended.
        errors: how many of them failed, by class.
        first_token_p50_seconds: median time to the first token of streamed answers; None without one.
        first_token_p95_seconds: the same, 95th percentile.
        instances: that run now, or the most that ran at once where only that is known.
    """

    requests: int = 0
    errors: Mapping[str, int] = field(default_factory=dict[str, int])
    first_token_p50_seconds: float | None = None
    first_token_p95_seconds: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    instances: int | None = None


@dataclass(frozen=True)
class Used:
    """What a meter counted in a month of what it allows.

    Attributes:
        month: ``2026-11``, UTC.
        counted: by ``requests``, ``tokens`` and ``micro_usd``.
        limits: the same, for what is limited.
    """

    month: str
    counted: Mapping[str, int]
    limits: Mapping[str, int]


def quantile(share: float, bounds: Sequence[float], counts: Sequence[int]) -> float | None:
    """The quantile of a histogram, by linear interpolation inside its bucket; None of an empty one.

    Args:
        share: between 0 and 1.
        bounds: upper bounds of the buckets, ascending, without infinity.
        counts: of each bucket, not cumulative; one more than ``bounds``, shorter means zeros.
    """
    total = sum(counts)
    if not total:
        return None
    rank, below = share * total, 0
    for number, count in enumerate(counts):
        if count and below + count >= rank:
            upper = bounds[number] if number < len(bounds) else math.inf
            lower = bounds[number - 1] if number else 0.0
            # Beyond the last bound nothing more is known than that.
            return lower if upper == math.inf else lower + (upper - lower) * (rank - below) / count
        below += count
    return bounds[-1] if bounds else None
