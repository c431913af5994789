"""How far a service may scale."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from portway.spec.frozen import Frozen


class Scaling(Frozen):
    """Instances kept warm, instances at most, and requests that one instance serves at once."""

    min: Annotated[int, Field(ge=0, le=1000, description="instances kept warm")] = 0
    max: Annotated[int, Field(ge=1, le=1000, description="instances at most")]
    concurrency: Annotated[
        int, Field(ge=1, le=1000, description="requests one instance serves at once")
    ] = 8

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            message = f"is {self.max}, below min, which is {self.min}; raise max or lower min"
            raise PydanticCustomError(
                "own_words", "{message}", {"field": "max", "message": message}
            )
        return self
