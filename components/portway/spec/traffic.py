"""The traffic a service expects."""

from collections.abc import Sequence
from typing import Annotated, Literal, cast

from pydantic import Field, field_validator

from portway.spec.frozen import Frozen

HOURS_OF_A_DAY = 24
HOURS_OF_A_WEEK = 168
Weights = tuple[Annotated[float, Field(ge=0)], ...]


class Traffic(Frozen):
    """Requests a day and tokens a request; ``shape`` says how a day or a week spreads them.

    ``spread``: Poisson at a constant rate. ``burst``: the day's requests within one hour. A list of
    24 or 168 relative hourly weights (UTC; 168 start on Monday) otherwise.
    ``output_tokens_per_second`` is how fast one request is answered, where that was measured.
    """

    requests_per_day: Annotated[int, Field(ge=0, le=1_000_000_000)]
    input_tokens: Annotated[int, Field(ge=1, le=10_000_000)] = 600
    output_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    shape: Annotated[
        Literal["spread", "burst"] | Weights, Field(description="or 24 or 168 hourly weights")
    ] = "spread"
    output_tokens_per_second: Annotated[
        float | None,
        Field(gt=0, le=100_000, description="measured, of one request; assumed without"),
    ] = None

    @field_validator("shape", mode="before")
    @classmethod
    def _hours(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        given = cast("Sequence[object]", value)
        weights = tuple(float(w) if type(w) is int else w for w in given)
        if len(weights) not in (HOURS_OF_A_DAY, HOURS_OF_A_WEEK):
            message = f"has {len(weights)} weights; give 24 (one day) or 168 (one week from Monday)"
            raise ValueError(message)
        if all(weight == 0 for weight in weights):
            message = "holds only zeros; give at least one hour a positive weight"
            raise ValueError(message)
        return weights
