"""What a user writes once per service. No cloud is named here."""

from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Field

from portway.spec.access import Access
from portway.spec.budget import Budget
from portway.spec.frozen import Frozen
from portway.spec.scaling import Scaling
from portway.spec.traffic import Traffic

NAME_PATTERN = r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$"


def _as_tuple(value: object) -> object:
    """One boundary or a list of them; a list means inside all of them."""
    if isinstance(value, str):
        return (value,)
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


BoundaryNames = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_as_tuple), Field(min_length=1)
]


class InferenceServiceSpec(Frozen):
    """An OpenAI-compatible inference service: what it must be, wherever it runs.

    Attributes:
        interface: what clients speak.
        timeout_seconds: the longest a request may take, from its arrival to the end of its answer.
    """

    name: Annotated[
        str, Field(pattern=NAME_PATTERN, description="DNS label, at most 40 characters")
    ]
    model: Annotated[str, Field(min_length=1, description="a row of the model catalogue")]
    interface: Literal["openai"] = "openai"
    scaling: Scaling
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 300
    access: Access = Access()
    residency: Annotated[
        BoundaryNames | None, Field(description="one boundary, or several to be inside all of them")
    ] = None
    budget: Budget | None = None
    traffic: Traffic | None = None
