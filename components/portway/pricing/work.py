"""The work of one month: when requests come, how long each is in flight, and the tokens it moves."""

from dataclasses import dataclass

from portway.pricing.demand import Demand


@dataclass(frozen=True)
class Work:
    """What a service is expected to do; every figure that nobody declared is an assumption.

    Attributes:
        request_seconds: from the arrival of a request to the end of its answer.
        assumptions: sentences for a reader: each figure that was assumed, and from where.
    """

    demand: Demand
    request_seconds: float
    input_tokens: int
    output_tokens: int
    assumptions: tuple[str, ...] = ()

    @property
    def requests_per_month(self) -> float:
        """In 730 hours."""
        return self.demand.mean_per_second * 730 * 3600
