"""The traffic a service expects."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from portway.spec.frozen import Frozen

Weights = tuple[Annotated[float, Field(ge=0)], ...]


class Traffic(Frozen):
    """Requests a day and tokens a request; ``shape`` says how a day or a week spreads them.

    ``spread``: Poisson at a constant rate. ``burst``: the day's requests within one hour. A list of
    24 or 168 relative hourly weights (UTC; 168 start on Monday) otherwise.
    """

    requests_per_day: Annotated[int, Field(ge=0, le=1_000_000_000)]
    input_tokens: Annotated[int, Field(ge=1, le=10_000_000)] = 600
    output_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    shape: Literal["spread", "burst"] | Weights = "spread"

    @field_validator("shape", mode="before")
    @classmethod
    def _hours(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        weights = tuple(float(w) if isinstance(w, int) and not isinstance(w, bool) else w
                        for w in value)  # fmt: skip
        if len(weights) not in (24, 168):
            message = (
                f"shape has {len(weights)} weights; give 24 (one day) or 168 (one week from Monday)"
            )
            raise ValueError(message)
        if all(weight == 0 for weight in weights):
            message = "every weight of shape is 0; give at least one hour a positive weight"
            raise ValueError(message)
        return weights
